/**
 * Releases: what Git asks of every lane now. One pass an owner (a set or a standalone Application): generate, admit,
 * render, group into lanes. The result goes up to `rollout`, which decides when it moves. What fails keeps what stands
 * (promise 3).
 */
import type { ClusterId, Digest, Fault, TargetKey } from "@capstan/proto";
import type { Condition } from "../generators/model.ts";
import type { LaneKey, Release, Strategy } from "../rollout/model.ts";
import type { TargetContent } from "../targets/content.ts";
import type { Target } from "../targets/model.ts";

/** What Git (and everything else that people set) asks of one lane now. */
export interface WantedLane {
  readonly key: LaneKey;
  /** `namespace/name` of the set, or of the standalone Application. */
  readonly owner: string;
  /** The lane's name in its set. */
  readonly name: string;
  readonly release: Release;
  /** Every content that the release names. */
  readonly contents: ReadonlyMap<Digest, TargetContent>;
  readonly strategy: Strategy;
  /** False: without `automated` it goes out only when a person syncs it. */
  readonly automated: boolean;
  /** Removing one of its targets deletes the target's objects. */
  readonly prunesOnRemoval: ReadonlyMap<TargetKey, boolean>;
  readonly clusters: readonly ClusterId[];
}

/** A set, or a standalone Application, as it was last worked out. */
export interface OwnerState {
  /** `namespace/name`. */
  readonly owner: string;
  readonly kind: "ApplicationSet" | "Application";
  readonly conditions: readonly Condition[];
  /** In words, for example `clusters (24 matched)`. */
  readonly summary: string;
  /** What is wrong with elements and targets; each names its place. */
  readonly faults: readonly Fault[];
  /** By target: why it is not what Git asks. */
  readonly targetFaults: ReadonlyMap<TargetKey, Fault>;
  readonly targets: ReadonlyMap<TargetKey, Target>;
  readonly lanes: readonly WantedLane[];
  /** Nothing failed and nothing was listed incompletely. */
  readonly complete: boolean;
  /** `repoURL@revision` of everything it reads. */
  readonly repositories: ReadonlySet<string>;
}
