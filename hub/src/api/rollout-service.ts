import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Fault } from "@capstan/proto";
import { ListResultSchema } from "@capstan/proto/common";
import { RollbackScope, RolloutService, type RolloutView, RolloutViewSchema } from "@capstan/proto/rollout";
import { isOver } from "../rollout/fold.ts";
import type { RollbackScope as Scope } from "../rollout/model.ts";
import { expectedEnd } from "../rollout/simulate.ts";
import { abort, pause, resume, retry } from "../rollout/verbs.ts";
import { checkEtag } from "./call.ts";
import { expectClusters, expectWatched } from "./clusters-asked.ts";
import { oneLane } from "./names.ts";
import { page } from "./page.ts";
import type { PeopleCalls } from "./people-calls.ts";
import { masked } from "./read-mask.ts";
import { actor, expectNewest, type Found, findRun, shown, shownAfter, standingOf } from "./rollout-found.ts";
import { gateCalls, planCalls } from "./rollout-gates.ts";
import { pinView, rolloutEtag } from "./rollout-views.ts";
import type { Seen } from "./seen.ts";
import { type Implementation, type Served, serve } from "./service.ts";
import { watch } from "./watch.ts";

const scopes: Record<number, Scope> = {
  [RollbackScope.FAILED]: "failed",
  [RollbackScope.STAGE]: "stage",
  [RollbackScope.TOUCHED]: "touched",
  [RollbackScope.ALL]: "all",
};

/** `RolloutService`. */
export function rolloutService(options: PeopleCalls): Served {
  return serve(RolloutService, rolloutCalls(options));
}

/** Its calls. */
export function rolloutCalls(people: PeopleCalls): Implementation<typeof RolloutService> {
  return {
    ...lookCalls(people),
    ...verbCalls(people),
    ...laneCalls(people),
    ...planCalls(people),
    ...gateCalls(people),
  };
}

type Methods = Implementation<typeof RolloutService>;

function lookCalls({
  calls,
  world,
  sight,
}: PeopleCalls): Pick<Methods, "listRollouts" | "getRollout" | "watchRollouts"> {
  return {
    async listRollouts({ options, lane, all }, context) {
      calls.look(context, "rollout.list", "rollout");
      const seen = sight.now();
      expectClusters(options?.clusters, { clusters: world.clusters, rows: seen.rows });
      const { items, nextPageToken, total } = page(runsOf(seen, { lane, all }), listable, options, {
        orders: { started: ({ run }) => run.plan.plannedAt, lane: ({ run }) => seen.text(run.plan.lane) },
        fallback: "-started",
      });
      const views = items.map((each) => shown(each, seen));
      const result = create(ListResultSchema, { nextPageToken, total, asOf: timestampFromMs(world.clock.now()) });
      return { rollouts: masked(RolloutViewSchema, views, options), result };
    },
    async getRollout({ id }, context) {
      calls.look(context, "rollout.get", `rollout/${id}`);
      const seen = sight.now();
      const found = findRun(id, seen);
      const end = expectedEnd(found.run, world.clock.now());
      const rollout = shown(found, seen);
      return { rollout: end === undefined ? rollout : { ...rollout, expectedEnd: timestampFromMs(end) } };
    },
    async *watchRollouts({ options, id }, context) {
      calls.look(context, "rollout.watch", id === "" ? "rollout" : `rollout/${id}`);
      if (id !== "") findRun(id, sight.now());
      expectWatched(options, { clusters: world.clusters, rows: sight.now().rows });
      const list = () => {
        const seen = sight.now();
        const found = id === "" ? runsOf(seen, { lane: "", all: false }) : watchedRuns(id, seen);
        return found.map((each) => shown(each, seen));
      };
      const view = (rollout: RolloutView) => ({ id: rollout.id });
      for await (const { type, item, id: gone, token } of watch(world.changes, list, view, options, context.signal)) {
        const rollout = item ?? (gone === undefined ? undefined : { id: gone });
        yield { type, token, ...(rollout === undefined ? {} : { rollout }) };
      }
    },
  };
}

function verbCalls({
  calls,
  world,
  sight,
}: PeopleCalls): Pick<Methods, "pauseRollout" | "resumeRollout" | "abortRollout" | "retryRollout"> {
  const act = actor({ calls, world, sight });
  return {
    pauseRollout: async ({ id, change }, context) => act(context, { id, change, name: "pause" }, () => pause),
    resumeRollout: async ({ id, change }, context) => act(context, { id, change, name: "resume" }, () => resume),
    abortRollout: async ({ id, change }, context) => act(context, { id, change, name: "abort" }, () => abort),
    async retryRollout({ id, failed, deferred, change }, context) {
      const which = deferred && !failed ? ("deferred" as const) : ("failed" as const);
      return act(context, { id, change, name: "retry" }, () => (state, intent) => {
        const first = retry(state, intent, which);
        if (!failed || !deferred) return first;
        const second = retry(first.state, intent, "deferred");
        return { state: second.state, transitions: [...first.transitions, ...second.transitions] };
      });
    },
  };
}

function laneCalls({ calls, world, sight }: PeopleCalls): Pick<Methods, "rollBack" | "unpinLane"> {
  return {
    async rollBack({ lane, release, scope, change }, context) {
      const found = findRun(lane, sight.now());
      const mutation = { action: "rollout.rollback", resource: `rollout/${found.run.plan.run}`, change };
      return calls.change(context, mutation, async (caller, signal) => {
        checkEtag(change, rolloutEtag(found.run), `rollout ${found.run.plan.run}`);
        expectNewest(found);
        const request = { scope: scopes[scope] ?? "touched", to: release === "" ? undefined : release };
        const intent = { actor: caller.name, reason: change?.reason ?? "" };
        if (change?.dryRun === true) {
          const planned = world.rollouts.planRollBack(found.key, request, intent);
          return { rollout: shown({ ...found, run: planned }, sight.now()) };
        }
        const { run, pin } = await world.rollouts.rollBack(found.key, request, intent, signal);
        return { rollout: shownAfter(found.key, run, sight), pin: pinView(pin, standingOf(found.key, sight.now())) };
      });
    },
    async unpinLane({ lane, change }, context) {
      const seen = sight.now();
      const key = oneLane(lane, seen);
      const mutation = { action: "lane.unpin", resource: `lane/${key}`, change };
      return calls.change(context, mutation, async (_caller, signal) => {
        if (seen.lane(key)?.pin === undefined) {
          throw new Fault("not-now", { message: `${seen.text(key)} is not pinned.`, next: "Nothing is to be done." });
        }
        const wanted = change?.dryRun === true ? seen.lane(key)?.wanted : await world.rollouts.unpin(key, signal);
        if (wanted === undefined) return {};
        const { id, cause } = wanted.release;
        const { repository: source, commit, author, subject } = cause;
        return { wanted: { id, source, commit, author, subject } };
      });
    },
  };
}

function listable({ run }: Found) {
  const { namespace = "" } = /^(?<namespace>[^/]*)\//.exec(run.plan.lane)?.groups ?? {};
  return { id: run.plan.run, namespace };
}

/** Runs of all lanes, or of one: those that go, or all that are remembered. */
function runsOf(seen: Seen, { lane, all }: { readonly lane: string; readonly all: boolean }): readonly Found[] {
  const keys = lane === "" ? [...seen.lanes, ...seen.past] : [oneLane(lane, seen)];
  return keys.flatMap((key) => {
    const standing = seen.lane(key);
    if (standing === undefined) return [];
    const runs = [standing.run, ...standing.past].filter((run) => run !== undefined);
    return runs.filter((run) => all || !isOver(run.status)).map((run) => ({ key, standing, run }));
  });
}

/** Of a run: it alone; of a lane: its newest run, whichever that is by then. */
function watchedRuns(id: string, seen: Seen): readonly Found[] {
  try {
    return [findRun(id, seen)];
  } catch {
    return [];
  }
}
