import { type Clock, Fault } from "@capstan/proto";
import { type ChainHead, chain, decodeEntry, emptyChain, encodeEntry, type Hash, untangle } from "./chain.ts";
import type { AuditFact, AuditPhase } from "./model.ts";
import type { AuditStore } from "./port.ts";

/** What the trail stands on. */
export interface AuditTrailOptions {
  readonly store: AuditStore;
  readonly clock: Clock;
  readonly hash: Hash;
  /** A fresh id of 128 random bits. */
  id(): string;
  /** The epoch of the term; undefined where this hub does not lead. */
  epoch(): bigint | undefined;
  /** An outcome could not be stored: its call stands with its intent alone. */
  onLost(call: AuditedCall, fault: Fault): void;
}

/** What a call is. */
export interface AuditedCall {
  readonly actor: string;
  readonly action: string;
  readonly resource: string;
  /** No secret values. */
  readonly detail?: Readonly<Record<string, string>>;
}

/**
 * Writes the audit trail of one term. The intent stands before the call begins, so that no call goes unseen; the outcome after
 * it. One writer at a time: entries are chained in the order of the calls to it.
 */
export class AuditTrail {
  readonly #options: AuditTrailOptions;
  #head: ChainHead = emptyChain;
  #headEpoch: bigint | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: AuditTrailOptions) {
    this.#options = options;
  }

  /**
   * Runs a mutating call under the trail. Without a stored intent the call does not begin; an outcome that cannot be stored
   * does not undo what was done, and its absence tells that the end is unknown. Faults: those of the call, `not-leader`,
   * and those of the store.
   */
  async audited<T>(call: AuditedCall, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const id = this.#options.id();
    await this.#write(id, call, { kind: "intent" }, signal);
    const outcome = new AbortController().signal;
    try {
      const result = await work(signal);
      await this.#tryWrite(id, call, { kind: "done" }, outcome);
      return result;
    } catch (thrown) {
      const { code, message } = Fault.from(thrown);
      await this.#tryWrite(id, call, { kind: "failed", code, message }, outcome);
      throw thrown;
    }
  }

  async #tryWrite(id: string, call: AuditedCall, phase: AuditPhase, signal: AbortSignal): Promise<void> {
    try {
      await this.#write(id, call, phase, signal);
    } catch (thrown) {
      this.#options.onLost(call, Fault.from(thrown));
    }
  }

  #write(id: string, call: AuditedCall, phase: AuditPhase, signal: AbortSignal): Promise<void> {
    const write = this.#last.then(() => this.#append(id, call, phase, signal));
    this.#last = write.catch(() => undefined);
    return write;
  }

  async #append(id: string, call: AuditedCall, phase: AuditPhase, signal: AbortSignal): Promise<void> {
    const { store, clock, hash, epoch } = this.#options;
    const term = epoch();
    if (term === undefined) {
      throw new Fault("not-leader", {
        message: "expected to lead for a change, found that we do not.",
        next: "Ask the leading hub.",
      });
    }
    if (this.#headEpoch !== term) await this.#findHead(term, signal);
    const { actor, action, resource, detail = {} } = call;
    const fact: AuditFact = { id, at: clock.now(), actor, action, resource, detail, epoch: term, phase };
    const entry = chain(this.#head, fact, hash);
    try {
      await store.append(actor, encodeEntry(entry), signal);
    } catch (thrown) {
      // It may stand or not: look before the next one.
      this.#headEpoch = undefined;
      throw thrown;
    }
    this.#head = { index: entry.index, hash: entry.hash };
  }

  /** Where the chain goes on: after the last entry of the branch that counts. */
  async #findHead(term: bigint, signal: AbortSignal): Promise<void> {
    const rows = await this.#options.store.read({ last: 200 }, signal);
    const entries = rows.map((row) => decodeEntry(row.value)).filter((entry) => entry !== undefined);
    const last = untangle(entries).main.at(-1);
    this.#head = last === undefined ? emptyChain : { index: last.index, hash: last.hash };
    this.#headEpoch = term;
  }
}
