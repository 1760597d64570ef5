import type { Chance, Clock, Digest, Fault, TargetKey } from "@capstan/proto";
import type { AgentEvent } from "@capstan/proto/agent";
import type { DesiredTarget } from "@capstan/proto/desired";
import type { UserRule } from "@capstan/proto/rules";
import type { ActInput } from "../apply/act.ts";
import type { ApplyInput, ApplyResult, RemovalInput, RemovalResult } from "../apply/model.ts";
import type { TargetMemory } from "../cache/model.ts";
import type { TargetHealth } from "../health/model.ts";
import type { Inventory } from "../inventory/model.ts";
import type { KindRef } from "../inventory/object.ts";
import type { RemovedTarget, TargetStatus } from "../report/model.ts";

/** The apply engine. */
export interface Applier {
  apply(input: ApplyInput, signal: AbortSignal): Promise<ApplyResult>;
  /** A pass in mode `Observe` that leaves no trace in what the engine remembers. */
  inspect(input: ApplyInput, signal: AbortSignal): Promise<ApplyResult>;
  remove(input: RemovalInput, signal: AbortSignal): Promise<RemovalResult>;
  /** Carries out a person's action on one object; returns what it did. */
  act(input: ActInput, signal: AbortSignal): Promise<string>;
  inventory(target: TargetKey, signal: AbortSignal): Promise<Inventory>;
  /** All targets that own at least one object. */
  owners(signal: AbortSignal): Promise<readonly TargetKey[]>;
  /** Whether objects of the kind have namespaces; undefined where the cluster does not serve it. */
  namespaced(kind: KindRef, signal: AbortSignal): Promise<boolean | undefined>;
}

/** What is watched. */
export interface Following {
  track(inventory: Inventory): void;
  untrack(target: TargetKey): void;
  health(target: TargetKey): TargetHealth;
  /** The project's own health rules, before each check; the same ones again cost nothing. */
  judgeBy(target: TargetKey, rules: readonly UserRule[]): Promise<void>;
}

/** Bundles, from the cache or else from the hub. */
export interface Bundles {
  /** The target's bundle; fetched and stored first where the cache lacks it. */
  get(target: DesiredTarget, signal: AbortSignal): Promise<Uint8Array>;
  /** A bundle of the cache alone. */
  held(digest: Digest, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Its lines. */
  lines(gzip: Uint8Array): AsyncIterable<string>;
}

/** What is remembered of targets over restarts. */
export interface Memories {
  get(target: TargetKey): TargetMemory;
  /** Durable when it resolves; `undefined` forgets. */
  set(target: TargetKey, memory: TargetMemory | undefined): Promise<void>;
  /** Durable soon: for what may be lost without harm. */
  note(target: TargetKey, memory: TargetMemory): void;
}

/** Who hears of targets. */
export interface TargetSink {
  status(status: TargetStatus): void;
  removed(removed: RemovedTarget): void;
  /** Whether every target of the state has been looked at by this process. */
  complete(complete: boolean): void;
  /** The target is not here and never was, as far as this agent knows. */
  forgotten(target: TargetKey): void;
  event(event: Pick<AgentEvent, "reason" | "message" | "target">): void;
}

/** What the keeper of the targets works with. */
export interface TargetsPorts {
  readonly applier: Applier;
  readonly following: Following;
  readonly bundles: Bundles;
  readonly memories: Memories;
  readonly sink: TargetSink;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Targets handled at once. */
  readonly concurrency: number;
  /** Told of every fault, for the log. */
  fault(target: string, fault: Fault): void;
}
