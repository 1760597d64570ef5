import { create } from "@bufbuild/protobuf";
import { type ReportBatch, ReportBatchSchema, type TargetReport } from "@capstan/proto/agent";

/** A target that is gone as its tombstone asked. */
export interface Gone {
  readonly namespace: string;
  readonly name: string;
  readonly generation: bigint;
}

/** How an outbox sends. */
export interface OutboxInit {
  /** Milliseconds between two batches in the long run; a real agent's are 1,000. */
  readonly paceMs: number;
  /** False: no session stands. */
  send(batch: ReportBatch): boolean;
}

const patienceMs = 10_000;
/** After a pause so many batches do not wait for the pace, as of a real agent. */
const quickBatches = 3;
/** Two batches are so far apart at least, where the pace is not even quicker. */
const quickMs = 100;

/** Reports as a real agent sends them: the latest of each target, one batch under way, again until acknowledged. */
export class ReportOutbox {
  readonly #init: OutboxInit;
  readonly #latest = new Map<string, TargetReport>();
  readonly #dirty = new Set<string>();
  readonly #gone = new Map<string, Gone>();
  #full = false;
  #speak = false;
  #sequence = 0n;
  #underWay: { readonly sequence: bigint; readonly keys: readonly string[] } | undefined;
  #lastSent = Number.NEGATIVE_INFINITY;
  #restedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  revision = 0n;
  /** Batches that the hub acknowledged. */
  acknowledgedBatches = 0;

  constructor(init: OutboxInit) {
    this.#init = init;
  }

  /** Whether nothing waits to be sent or acknowledged. */
  get quiet(): boolean {
    return this.#underWay === undefined && this.#dirty.size === 0 && this.#gone.size === 0 && !this.#speak;
  }

  /** What was said last of each target. */
  get reports(): Iterable<TargetReport> {
    return this.#latest.values();
  }

  report(report: TargetReport): void {
    const key = `${report.namespace}/${report.name}`;
    this.#latest.set(key, report);
    this.#dirty.add(key);
    this.#flush();
  }

  removed(gone: Gone): void {
    const key = `${gone.namespace}/${gone.name}`;
    this.#latest.delete(key);
    this.#dirty.delete(key);
    this.#gone.set(key, gone);
    this.#flush();
  }

  holds(revision: bigint): void {
    this.revision = revision;
    this.#speak = true;
    this.#flush();
  }

  /** A session stands: the hub is told everything. */
  connected(): void {
    this.#giveBack();
    this.#full = true;
    this.#flush();
  }

  acknowledged(sequence: bigint): void {
    if (this.#underWay === undefined || sequence < this.#underWay.sequence) return;
    this.acknowledgedBatches += 1;
    this.#underWay = undefined;
    this.#flush();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#giveBack();
  }

  #flush(): void {
    if (this.#timer !== undefined || this.#underWay !== undefined || (this.quiet && !this.#full)) return;
    const { paceMs } = this.#init;
    const quick = this.#lastSent + Math.min(quickMs, paceMs);
    const rest = Math.max(quick, this.#restedAt - (quickBatches - 1) * paceMs) - performance.now();
    if (rest > 0) this.#later(rest);
    else this.#send();
  }

  #send(): void {
    const keys = this.#full ? [...this.#latest.keys()] : [...this.#dirty];
    const batch = create(ReportBatchSchema, {
      sequence: this.#sequence + 1n,
      full: this.#full,
      revision: this.revision,
    });
    batch.reports = keys.flatMap((key) => this.#latest.get(key) ?? []);
    batch.removed = [...this.#gone.values()].map((gone) => ({ $typeName: "capstan.v1.Removed", ...gone }));
    if (!this.#init.send(batch)) return;
    this.#sequence = batch.sequence;
    this.#underWay = { sequence: batch.sequence, keys };
    for (const key of keys) this.#dirty.delete(key);
    this.#gone.clear();
    this.#full = false;
    this.#speak = false;
    this.#lastSent = performance.now();
    this.#restedAt = Math.max(this.#restedAt, this.#lastSent) + this.#init.paceMs;
    this.#watch(batch.sequence);
  }

  /** Sends again what nobody acknowledges. */
  #watch(sequence: bigint): void {
    setTimeout(() => {
      if (this.#underWay?.sequence !== sequence) return;
      this.#giveBack();
      this.#flush();
    }, patienceMs).unref();
  }

  #giveBack(): void {
    for (const key of this.#underWay?.keys ?? []) if (this.#latest.has(key)) this.#dirty.add(key);
    if (this.#underWay !== undefined) this.#speak = true;
    this.#underWay = undefined;
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, ms);
  }
}
