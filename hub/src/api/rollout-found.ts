import { Fault } from "@capstan/proto";
import type { Change } from "@capstan/proto/common";
import type { RolloutView } from "@capstan/proto/rollout";
import { type LaneKey, parseRunId, type RunState } from "../rollout/model.ts";
import type { Caller } from "./authorise.ts";
import { checkEtag } from "./call.ts";
import { oneLane } from "./names.ts";
import type { PeopleCalls } from "./people-calls.ts";
import type { LaneStanding, World } from "./port.ts";
import { rolloutEtag, rolloutView } from "./rollout-views.ts";
import type { Seen, Sight } from "./seen.ts";
import type { CallContext } from "./service.ts";

/** A run with its lane. */
export interface Found {
  readonly key: LaneKey;
  readonly standing: LaneStanding;
  readonly run: RunState;
}

/** How a verb on a lane's newest run is called, audited and shown. */
export function actor({ calls, world, sight }: PeopleCalls) {
  return async (
    context: CallContext,
    { id, change, name }: { readonly id: string; readonly change: Change | undefined; readonly name: string },
    verbFor: (caller: Caller) => Parameters<World["rollouts"]["act"]>[1],
  ) => {
    const found = findRun(id, sight.now());
    const mutation = { action: `rollout.${name}`, resource: `rollout/${found.run.plan.run}`, change };
    return calls.change(context, mutation, async (caller, signal) => {
      checkEtag(change, rolloutEtag(found.run), `rollout ${found.run.plan.run}`);
      expectNewest(found);
      const verb = verbFor(caller);
      const intent = { actor: caller.name, reason: change?.reason ?? "" };
      if (change?.dryRun === true) {
        const { state } = verb(found.run, { ...intent, now: world.clock.now() });
        return { rollout: shown({ ...found, run: state }, sight.now()) };
      }
      const run = await world.rollouts.act(found.key, verb, intent, signal);
      return { rollout: shownAfter(found.key, run, sight) };
    });
  };
}

/** A run by its id, or a lane's newest. Throws `not-found`, or `bad-input` where the name may mean several. */
export function findRun(id: string, seen: Seen): Found {
  const ofRun = /^[a-z0-9][a-z0-9-]{0,99}$/.test(id) ? seen.world.rollouts.laneOf(parseRunId(id)) : undefined;
  const key = ofRun ?? oneLane(id, seen);
  const standing = standingOf(key, seen);
  const runs = [standing.run, ...standing.past];
  const run = ofRun === undefined ? standing.run : runs.find((each) => each?.plan.run === id);
  if (run !== undefined) return { key, standing, run };
  throw new Fault("not-found", {
    message: ofRun === undefined ? `${seen.text(key)} has never been rolled out.` : `no rollout ${id} is remembered.`,
    next: "See: capstan rollout list --all",
  });
}

/** The lane as it stands. Throws `not-found` where it never moved. */
export function standingOf(key: LaneKey, seen: Seen): LaneStanding {
  const standing = seen.lane(key);
  if (standing !== undefined) return standing;
  throw new Fault("not-found", { message: `${seen.text(key)} has never been rolled out.` });
}

/** Verbs act on a lane's newest run alone. Throws `not-now`. */
export function expectNewest({ run, standing }: Found): void {
  if (run === standing.run) return;
  throw new Fault("not-now", {
    message: `${run.plan.run} is not the newest rollout of its lane: ${standing.run?.plan.run ?? "none"} is.`,
    next: "Name the newest one, or the lane.",
  });
}

/** The run as people see it. */
export function shown({ run, standing }: Found, seen: Seen): RolloutView {
  return rolloutView(run, standing, seen);
}

/** The run as it is after a verb. */
export function shownAfter(key: LaneKey, run: RunState, sight: Sight): RolloutView {
  const seen = sight.now();
  const standing = standingOf(key, seen);
  const now = [standing.run, ...standing.past].find((each) => each?.plan.run === run.plan.run) ?? run;
  return rolloutView(now, standing, seen);
}
