import { clone, create, toJson } from "@bufbuild/protobuf";
import type { Digest } from "@capstan/proto";
import { BundleRefSchema, type DesiredTarget, DesiredTargetSchema } from "@capstan/proto/desired";
import type { Json } from "../documents/model.ts";
import { canonicalJson } from "../yaml/canonical.ts";
import type { StoredBundleRef, TargetContent } from "./model.ts";

/** sha256 of a text, handed in: hashing belongs to the platform. */
export type HashText = (text: string) => Digest;

/**
 * The identity of a target's content: bundle **and** apply policy (design §1, release). What only tells of it (release,
 * set, lane) or changes with each delivery (generation, sealed key, chunks, operation, override) is left out.
 */
export function contentDigest(target: DesiredTarget, hash: HashText): Digest {
  const bare = clone(DesiredTargetSchema, target);
  bare.generation = 0n;
  bare.set = "";
  bare.lane = "";
  delete bare.release;
  delete bare.operation;
  delete bare.windowOverride;
  if (bare.bundle !== undefined) {
    bare.bundle.chunks = 0;
    bare.bundle.keyId = "";
    delete bare.bundle.key;
  }
  return hash(canonicalJson(toJson(DesiredTargetSchema, bare) as Json));
}

/** A target with its identity worked out. */
export function contentOf(target: DesiredTarget, bundle: StoredBundleRef, hash: HashText): TargetContent {
  const named = create(DesiredTargetSchema, {
    ...target,
    bundle: create(BundleRefSchema, {
      digest: bundle.digest,
      size: BigInt(bundle.size),
      chunks: bundle.chunks,
      keyId: bundle.keyId,
    }),
  });
  return { digest: contentDigest(named, hash), target: named, bundle };
}
