import type { ClusterId, Digest, TargetKey } from "@capstan/proto";
import type { DesiredState, DesiredTarget, Removal } from "@capstan/proto/desired";

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
  | { readonly kind: "remove"; readonly removal: Removal; readonly reason: string; readonly approvedBy: string };

/** A cluster's desired state in force, with what is derived from it. */
export interface Held {
  readonly state: DesiredState;
  readonly targets: ReadonlyMap<TargetKey, { readonly generation: bigint; readonly content: Digest }>;
}

/** Who a desired state is for. */
export interface Recipient {
  readonly cluster: ClusterId;
  readonly incarnation: string;
  readonly labels: Readonly<Record<string, string>>;
}
