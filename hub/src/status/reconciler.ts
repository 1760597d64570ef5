import { type Clock, type ClusterId, Fault, type TargetKey } from "@capstan/proto";
import type { ReportBatch } from "@capstan/proto/agent";
import { decodeStatus, encodeStatus } from "./codec.ts";
import { foldReports } from "./fold.ts";
import { type ClusterStatus, type TargetStatus, unseen } from "./model.ts";
import type { StatusStore } from "./port.ts";

/** What the status room needs. */
export interface StatusOptions {
  readonly store: StatusStore;
  readonly clock: Clock;
  /** Writes of many clusters are gathered for so long, in milliseconds. */
  readonly gatherMs: number;
  onFault(fault: Fault): void;
}

/** Told after a fold: which of a cluster's targets say something new. */
export type StatusListener = (cluster: ClusterId, change: StatusChange) => void;
export interface StatusChange {
  readonly targets: readonly TargetKey[];
  readonly removed: readonly { readonly target: TargetKey; readonly generation: bigint }[];
}

/**
 * The folded status of the fleet: one entry a cluster, bounded by its targets. A batch is acknowledged once it is
 * durable; writes of many clusters go out together, so that thousands of reports a second cost few writes.
 */
export class StatusReconciler {
  readonly #options: StatusOptions;
  readonly #statuses = new Map<ClusterId, ClusterStatus>();
  readonly #listeners = new Set<StatusListener>();
  #dirty = new Map<ClusterId, (() => void)[]>();
  #wake: (() => void) | undefined;

  constructor(options: StatusOptions) {
    this.#options = options;
  }

  /** Reads what was stored; call at the start of a term. */
  async load(signal: AbortSignal): Promise<void> {
    this.#statuses.clear();
    for (const [cluster, bytes] of await this.#options.store.load(signal)) {
      try {
        this.#statuses.set(cluster, decodeStatus(cluster, bytes));
      } catch (thrown) {
        // Its agent says everything anew in its next batch.
        this.#options.onFault(Fault.from(thrown).at({ cluster }));
      }
    }
  }

  of(cluster: ClusterId): ClusterStatus {
    return this.#statuses.get(cluster) ?? unseen(cluster);
  }

  target(cluster: ClusterId, target: TargetKey): TargetStatus | undefined {
    return this.#statuses.get(cluster)?.targets.get(target);
  }

  /** Returns how to stop. */
  onChange(listener: StatusListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A sign of life without content. */
  heard(cluster: ClusterId, revision: bigint): void {
    const before = this.of(cluster);
    this.#statuses.set(cluster, { ...before, lastSeen: this.#options.clock.now(), heldRevision: revision });
  }

  /** The agent's connection ended or began: what was last heard stays. */
  touch(cluster: ClusterId): void {
    const before = this.#statuses.get(cluster);
    if (before !== undefined) this.#statuses.set(cluster, { ...before, lastSeen: this.#options.clock.now() });
  }

  /** Folds a batch at once; resolves when it is durable, so that it may be acknowledged. */
  fold(cluster: ClusterId, bootId: string, batch: ReportBatch): Promise<void> {
    const folded = foldReports(this.of(cluster), batch, { bootId, now: this.#options.clock.now() });
    this.#statuses.set(cluster, folded.status);
    if (!folded.fresh) return Promise.resolve();
    for (const listener of this.#listeners) listener(cluster, { targets: folded.changed, removed: folded.removed });
    return new Promise((resolve) => {
      const waiting = this.#dirty.get(cluster);
      if (waiting === undefined) this.#dirty.set(cluster, [resolve]);
      else waiting.push(resolve);
      this.#wake?.();
    });
  }

  /** The cluster is no longer in the fleet. What waits to be acknowledged never is: its session has ended. */
  async forget(cluster: ClusterId, signal: AbortSignal): Promise<void> {
    this.#statuses.delete(cluster);
    this.#dirty.delete(cluster);
    await this.#options.store.delete(cluster, signal);
  }

  /** Writes what is dirty until the signal aborts. A write that fails is tried again; nothing is acknowledged before. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#dirty.size === 0) await this.#awaken(signal);
      try {
        await this.#options.clock.sleep(this.#options.gatherMs, signal);
        await this.#flush(signal);
      } catch (thrown) {
        if (signal.aborted) return;
        this.#options.onFault(Fault.from(thrown, "store-unavailable"));
      }
    }
  }

  async #flush(signal: AbortSignal): Promise<void> {
    const flushing = this.#dirty;
    this.#dirty = new Map();
    const writes = new Map<ClusterId, Uint8Array>();
    for (const cluster of flushing.keys()) {
      const status = this.#statuses.get(cluster);
      if (status !== undefined) writes.set(cluster, encodeStatus(status));
    }
    try {
      await this.#options.store.saveAll(writes, signal);
    } catch (thrown) {
      for (const [cluster, waiting] of flushing) {
        this.#dirty.set(cluster, [...waiting, ...(this.#dirty.get(cluster) ?? [])]);
      }
      throw thrown;
    }
    for (const waiting of flushing.values()) for (const resolve of waiting) resolve();
  }

  #awaken(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener("abort", wake);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener("abort", wake, { once: true });
      if (signal.aborted || this.#dirty.size > 0) wake();
    });
  }
}
