import { Fault } from "@capstan/proto";
import { scopeOf } from "./ending.ts";
import { runIdOf, sameRelease } from "./follow.ts";
import { type KeptRun, type Lane, olderRelease, requireRun } from "./lane-run.ts";
import type { Intent, Pin, RollbackScope, RunState } from "./model.ts";
import type { OpeningOptions } from "./openings.ts";
import { plan } from "./plan.ts";
import { rollback } from "./rollback.ts";
import type { RunLog } from "./run-log.ts";

/** Takes lanes back to older bytes: by a person's word, or by the strategy's own. */
export class TakingBack {
  readonly #options: OpeningOptions;
  readonly #log: RunLog;

  constructor(options: OpeningOptions, log: RunLog) {
    this.#options = options;
    this.#log = log;
  }

  /** A new run to older bytes, and a pin. */
  async take(
    lane: Lane,
    request: { readonly scope: RollbackScope; readonly to: string | undefined; readonly untilOther?: boolean },
    intent: Omit<Intent, "now">,
    signal: AbortSignal,
  ): Promise<{ readonly run: RunState; readonly pin: Pin }> {
    const made = this.plan(lane, request, intent);
    const { kept } = made;
    const back =
      request.untilOther === true ? { ...made.back, pin: { ...made.back.pin, untilOther: true } } : made.back;
    // The run that takes back is there before the other one waits for it: a hub that dies in between mends the rest.
    await this.#options.store.savePin(back.pin, signal);
    lane.pin = back.pin;
    const run = await this.#log.open(lane, back.input, signal);
    if (run === undefined) throw new Fault("internal", { message: `the rollback of ${lane.key} planned nothing.` });
    await this.#log.record(lane, kept, back.old, signal);
    return { run: run.state, pin: back.pin };
  }

  /** What taking back would do. Throws `not-now` where that is nothing. */
  plan(
    lane: Lane,
    { scope, to }: { readonly scope: RollbackScope; readonly to: string | undefined },
    intent: Omit<Intent, "now">,
  ) {
    const kept = requireRun(lane);
    const now = this.#options.clock.now();
    const back = rollback(
      kept.state,
      { ...intent, now },
      {
        run: runIdOf(lane.key, { now: now, chance: this.#options.chance }),
        scope,
        current: this.#options.assignments.ofLane(lane.key),
        clusters: this.#options.clusters.all(),
        hash: this.#options.hash,
        earlier: sameRelease(lane, kept),
        ...(to === undefined ? {} : { to: olderRelease(lane, to) }),
      },
    );
    const planned = plan(back.input, this.#options.hash);
    if (planned.clusters.length > 0) return { kept, back, planned };
    throw new Fault("not-now", {
      message: `${lane.key} holds that release already on every cluster of the scope.`,
      next: `Nothing is to be taken back; to end the run: capstan rollout abort ${lane.key}`,
    });
  }

  /** A run that its failures paused, and whose strategy says so, is taken back; the pin ends with the next content. */
  async takeByItself(lane: Lane, kept: KeptRun, signal: AbortSignal): Promise<boolean> {
    const { status, plan: made } = kept.state;
    const { onFailure, rollbackScope = "touched" } = made.strategy;
    if (status.phase !== "Paused" || !status.failure || onFailure !== "rollback") return false;
    const covered = scopeOf(kept.state, rollbackScope);
    if (covered.size === 0) return false;
    const intent = { actor: "capstan", reason: `by itself: ${status.reason}` };
    try {
      await this.take(lane, { scope: rollbackScope, to: undefined, untilOther: true }, intent, signal);
      return true;
    } catch (thrown) {
      // Nothing is to be taken back: it stays paused, for a person.
      if (Fault.from(thrown).code !== "not-now") throw thrown;
      return false;
    }
  }
}
