import { Fault } from "@capstan/proto";
import type { Change } from "@capstan/proto/common";
import type { Authorise, Caller } from "./authorise.ts";
import type { Audited } from "./port.ts";
import type { CallContext } from "./service.ts";

/** What a mutating method says of itself. */
export interface Mutation {
  readonly action: string;
  readonly resource: string;
  readonly project?: string;
  readonly change: Change | undefined;
}

/** What a revealing look says of itself. */
export interface Revealed {
  readonly action: string;
  readonly resource: string;
  readonly project?: string;
  /** No secret values. */
  readonly detail: Readonly<Record<string, string>>;
}

/** What every service is given to take calls with. */
export interface Gate {
  readonly authorise: Authorise;
  readonly audited: Audited;
  /** Throws `not-leader` on a hub that stands by. */
  assertLeading(): void;
}

/** Answers of mutating calls by request id, so that a repeated call is answered as the first was; the oldest go first. */
const keptAnswers = 1000;

/** Takes calls: authorisation, leadership, audit and request ids at one place. */
export class Calls {
  readonly #gate: Gate;
  readonly #answers = new Map<string, Promise<unknown>>();

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  /** A call that only looks. */
  look(context: CallContext, action: string, resource: string, project = ""): Caller {
    this.#gate.assertLeading();
    return this.#gate.authorise(context, { action, resource, project, mutates: false });
  }

  /** A call that only looks, but at what may hold anything (pod logs): who looked at what is recorded before it is shown. */
  async reveal(context: CallContext, looked: Revealed): Promise<Caller> {
    const { action, resource, project = "", detail } = looked;
    const caller = this.look(context, action, resource, project);
    const call = { actor: caller.name, action, resource, detail };
    return await this.#gate.audited(call, async () => caller, context.signal);
  }

  /** A call that changes something; a dry run is authorised alike, but not recorded. */
  change<T>(
    context: CallContext,
    mutation: Mutation,
    work: (caller: Caller, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#gate.assertLeading();
    const { action, resource, project = "", change } = mutation;
    const caller = this.#gate.authorise(context, { action, resource, project, mutates: true });
    if (change?.dryRun === true) return work(caller, context.signal);
    const id = change?.requestId ?? "";
    const key = `${caller.name} ${context.method} ${id}`;
    const before = id === "" ? undefined : this.#answers.get(key);
    if (before !== undefined) return before as Promise<T>;
    const detail = { ...(change?.reason ? { reason: change.reason } : {}), ...(id === "" ? {} : { requestId: id }) };
    const call = { actor: caller.name, action, resource, detail };
    const answer = this.#gate.audited(call, (signal) => work(caller, signal), context.signal);
    if (id !== "") this.#remember(key, answer);
    return answer;
  }

  /** A failed call may be tried again with the same id. */
  #remember(key: string, answer: Promise<unknown>): void {
    this.#answers.set(key, answer);
    answer.catch(() => this.#answers.delete(key));
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= keptAnswers) break;
      this.#answers.delete(oldest);
    }
  }
}

/** Throws `etag-mismatch` where the caller saw another state. */
export function checkEtag(change: Change | undefined, now: string, what: string): void {
  if (change === undefined || change.etag === "" || change.etag === now) return;
  throw new Fault("etag-mismatch", {
    message: `${what} changed since it was read.`,
    next: "Read it again, look at the difference, and repeat the call.",
  });
}
