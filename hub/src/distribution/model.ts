/**
 * Distribution: what each cluster should hold, written as one signed state a cluster, only after its hello in this
 * term, at a revision that only grows. `assemble` is the decision, `sessions` the live streams
 * (docs/concepts/distribution.md).
 */
import type { ClusterId, Digest, TargetKey } from "@capstan/proto";
import type { DesiredState, Mode } from "@capstan/proto/desired";

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
  /** Of the cluster; `OBSERVE` acts at once on all of its targets. */
  readonly mode: Mode;
}
