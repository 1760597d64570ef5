import { create, equals } from "@bufbuild/protobuf";
import { type Fault, type Instant, parseTargetKey, type TargetKey, targetKey } from "@capstan/proto";
import { type ReportBatch, ReportBatchSchema, type TargetReport, TargetReportSchema } from "@capstan/proto/agent";
import { problemOf } from "./fold.ts";
import type { RemovedTarget } from "./model.ts";

/** A batch at most so often in the long run, ms; the first change after a pause goes out at once. */
export const paceMs = 1_000;
/** After a pause so many batches need not wait for the pace: a rollout waits for what comes right after a new state. */
export const quickBatches = 3;
/** Two batches are so far apart at least, ms. */
export const quickMs = 100;
/** All targets again, ms. */
export const fullEveryMs = 300_000;
/** Without an acknowledgement for so long, ms, a batch is sent again. */
export const patienceMs = 10_000;
/** Most reports of a batch that is not full. */
const batchReports = 500;
/** From so many targets on a full batch names fewer problems of each, so that it fits into one message. */
const manyTargets = 1_000;

interface UnderWay {
  readonly sequence: bigint;
  readonly at: number;
  readonly targets: readonly TargetKey[];
  readonly removed: readonly RemovedTarget[];
}

/** What there is to send: a batch now, or a time (ms) to ask again; neither when nothing is to be said. */
export type Due =
  | { readonly kind: "batch"; readonly batch: ReportBatch }
  | { readonly kind: "later"; readonly afterMs: number }
  | { readonly kind: "nothing" };

/**
 * The latest report of each target, and which of them the hub has not acknowledged. State, not history: what changes while
 * a batch is under way is coalesced into the next one. One batch is under way at a time. It holds one report a target,
 * so its size is bounded by targets. Times come in as arguments, in milliseconds of a monotonic clock.
 */
export class Outbox {
  readonly #latest = new Map<TargetKey, TargetReport>();
  readonly #dirty = new Set<TargetKey>();
  readonly #removed = new Map<string, RemovedTarget>();
  #refused: Fault | undefined;
  #since: Instant | undefined;
  #revision = 0n;
  #speak = false;
  #full = true;
  #complete = true;
  #sequence = 0n;
  #underWay: UnderWay | undefined;
  #lastSent = Number.NEGATIVE_INFINITY;
  /** From when on all quick batches may be sent again; each batch takes one pace of it. */
  #restedAt = Number.NEGATIVE_INFINITY;
  #lastFull = Number.NEGATIVE_INFINITY;

  /** The target's state now. Nothing is sent where nothing changed. */
  report(report: TargetReport): void {
    const target = targetKey(report.namespace, report.name);
    const last = this.#latest.get(target);
    if (last !== undefined && equals(TargetReportSchema, last, report)) return;
    this.#latest.set(target, report);
    this.#dirty.add(target);
  }

  /** The target is gone as its tombstone asked. */
  removed(removed: RemovedTarget): void {
    this.#latest.delete(removed.target);
    this.#dirty.delete(removed.target);
    this.#removed.set(`${removed.target}@${removed.generation}`, removed);
  }

  /** The target is not here. */
  forget(target: TargetKey): void {
    this.#latest.delete(target);
    this.#dirty.delete(target);
  }

  /** Why a newer state is not taken, and when (wall clock) that was seen; undefined: none is refused. */
  refused(fault: Fault | undefined, at?: Instant): void {
    if (fault?.code === this.#refused?.code && fault?.message === this.#refused?.message) return;
    this.#since = fault?.code === this.#refused?.code ? this.#since : at;
    this.#refused = fault;
    this.#speak = true;
  }

  /** The revision that is held. */
  holds(revision: bigint): void {
    if (revision !== this.#revision) this.#speak = true;
    this.#revision = revision;
  }

  /** Whether every target has been looked at since the start: until then no batch claims to name them all. */
  complete(complete: boolean): void {
    this.#complete = complete;
  }

  /** A session stands: the hub is told everything. */
  connected(): void {
    if (this.#underWay !== undefined) this.#giveBack(this.#underWay);
    this.#speak = true;
    this.#full = true;
  }

  /** Reports up to this sequence are folded. */
  acknowledged(sequence: bigint): void {
    const batch = this.#underWay;
    if (batch === undefined || sequence < batch.sequence) return;
    for (const one of batch.removed) this.#removed.delete(`${one.target}@${one.generation}`);
    this.#underWay = undefined;
  }

  /** The next batch, if one is due now; it counts as sent. */
  next(now: number): Due {
    if (this.#underWay !== undefined) {
      const rest = this.#underWay.at + patienceMs - now;
      if (rest > 0) return { kind: "later", afterMs: rest };
      this.#giveBack(this.#underWay);
    }
    const full = this.#complete && (this.#full || now - this.#lastFull >= fullEveryMs);
    if (!full && this.#dirty.size === 0 && this.#removed.size === 0 && !this.#speak) {
      return this.#complete ? { kind: "later", afterMs: this.#lastFull + fullEveryMs - now } : { kind: "nothing" };
    }
    const rest = Math.max(this.#lastSent + quickMs, this.#restedAt - (quickBatches - 1) * paceMs) - now;
    if (rest > 0) return { kind: "later", afterMs: rest };
    return { kind: "batch", batch: this.#send(full, now) };
  }

  #send(full: boolean, now: number): ReportBatch {
    const targets = full ? [...this.#latest.keys()] : [...this.#dirty].slice(0, batchReports);
    const removed = [...this.#removed.values()];
    const sequence = ++this.#sequence;
    this.#underWay = { sequence, at: now, targets, removed };
    for (const target of targets) this.#dirty.delete(target);
    if (full) {
      this.#full = false;
      this.#lastFull = now;
    }
    this.#speak = false;
    this.#lastSent = now;
    this.#restedAt = Math.max(this.#restedAt, now) + paceMs;
    const reports = targets.flatMap((target) => this.#latest.get(target) ?? []);
    return create(ReportBatchSchema, {
      sequence,
      reports: full && reports.length > manyTargets ? reports.map(shortened) : reports,
      full,
      revision: this.#revision,
      removed: removed.map(({ target, generation }) => ({ ...parseTargetKey(target), generation })),
      ...(this.#refused === undefined ? {} : { refused: problemOf(this.#refused, { since: this.#since }) }),
    });
  }

  #giveBack({ targets }: UnderWay): void {
    for (const target of targets) if (this.#latest.has(target)) this.#dirty.add(target);
    this.#speak = true;
    this.#underWay = undefined;
  }
}

function shortened(report: TargetReport): TargetReport {
  const problems = report.problems.slice(0, 1).map((one) => ({ ...one, message: one.message.slice(0, 200) }));
  return { ...report, problems, drift: report.drift.slice(0, 1) };
}
