import { create, toJson } from "@bufbuild/protobuf";
import type { Digest } from "@capstan/proto";
import { BundleRefSchema, type DesiredTarget, DesiredTargetSchema, type Removal } from "@capstan/proto/desired";
import { canonicalJson } from "../yaml/canonical.ts";
import type { Json } from "../yaml/json.ts";

/** A stored bundle, as desired states name it. */
export interface StoredBundleRef {
  readonly digest: Digest;
  /** Bytes of the plain content. */
  readonly size: number;
  readonly chunks: number;
  /** Which bundle secret its content key is derived from. */
  readonly keyId: string;
}

/**
 * What a target should be, apart from when: a `DesiredTarget` without generation, sealed key and operation.
 * `digest` is its identity (`contentDigest`): a release moves a target when it differs.
 */
export interface TargetContent {
  readonly digest: Digest;
  readonly target: DesiredTarget;
  readonly bundle: StoredBundleRef;
}

/** What is to become of one target on one cluster. */
export type Change =
  | { readonly kind: "hold"; readonly content: TargetContent; readonly operation?: DesiredTarget["operation"] }
  /** Other windows, another name of set or lane, or an action: for the content that it holds, and no new generation. */
  | ({ readonly kind: "adjust" } & Partial<Pick<DesiredTarget, "windows" | "set" | "lane" | "operation">>)
  | { readonly kind: "remove"; readonly removal: Removal; readonly reason: string; readonly approvedBy: string };

/** sha256 of a text, handed in: hashing belongs to the platform. */
export type HashText = (text: string) => Digest;

/**
 * The identity of a target's content: bundle **and** apply policy (design §1, release). What only tells of it (release,
 * set, lane) or changes with each delivery (generation, sealed key, chunks, operation, override) is left out.
 */
export function contentDigest(target: DesiredTarget, hash: HashText): Digest {
  // A copy of the first level is enough, and what is left out is set on the copy: a deep one costs as much as the rest.
  const bare: DesiredTarget = { ...target, generation: 0n, set: "", lane: "" };
  delete bare.release;
  delete bare.operation;
  delete bare.windowOverride;
  // Windows act at once and are no release (design §3.4).
  bare.windows = [];
  if (bare.bundle !== undefined) {
    bare.bundle = { ...bare.bundle, chunks: 0, keyId: "" };
    delete bare.bundle.key;
  }
  return hash(canonicalJson(toJson(DesiredTargetSchema, bare) as Json));
}

/** A target with its identity worked out. */
export function contentOf(target: DesiredTarget, bundle: StoredBundleRef, hash: HashText): TargetContent {
  const { digest, size, chunks, keyId } = bundle;
  const named = create(DesiredTargetSchema, {
    ...target,
    bundle: create(BundleRefSchema, { digest, size: BigInt(size), chunks, keyId }),
  });
  return { digest: contentDigest(named, hash), target: named, bundle };
}
