import type { Approval, PastRemoval } from "./model.ts";

/** What the guard remembers over restarts. */
export interface GuardMemory {
  readonly history: readonly PastRemoval[];
  readonly approvals: readonly Approval[];
}

/** Where it is kept: key `fleet.guard`. */
export interface GuardStore {
  load(signal: AbortSignal): Promise<GuardMemory>;
  save(memory: GuardMemory, signal: AbortSignal): Promise<void>;
}
