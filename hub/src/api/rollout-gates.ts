import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ClusterId, Fault } from "@capstan/proto";
import { type RolloutService, SimulatedRunSchema } from "@capstan/proto/rollout";
import { approve, promote, reject, skipGate } from "../rollout/gate-verbs.ts";
import type { Intent, LaneKey, RunState, VerbResult } from "../rollout/model.ts";
import { type Played, simulate } from "../rollout/simulate.ts";
import { skip, skipStage, unlock } from "../rollout/verbs.ts";
import { oneLane } from "./names.ts";
import type { PeopleCalls } from "./people-calls.ts";
import { actor, shown, standingOf } from "./rollout-found.ts";
import type { Sight } from "./seen.ts";
import type { Implementation } from "./service.ts";

type Methods = Implementation<typeof RolloutService>;

/** What may be asked before anything moves. */
export function planCalls({
  calls,
  world,
  sight,
}: PeopleCalls): Pick<Methods, "planRollout" | "simulateRollout" | "startEmergency"> {
  return {
    async planRollout({ lane, strategy }, context) {
      calls.look(context, "rollout.plan", `lane/${lane}`);
      const seen = sight.now();
      const key = oneLane(lane, seen);
      const run = world.rollouts.planWanted(key, strategy);
      const rollout = planned(key, run, sight);
      const { state, tookMs } = simulate(run.plan, { failureRate: 0, offlineRate: 0, applyMs: 20_000, chance: half });
      const ends = run.members.length > 0 && state.endedAt !== null;
      return { rollout: ends ? { ...rollout, expectedEnd: timestampFromMs(run.plan.plannedAt + tookMs) } : rollout };
    },
    async simulateRollout(asked, context) {
      calls.look(context, "rollout.simulate", `lane/${asked.lane}`);
      const { failureRate, offlineRate, applySeconds, seed, runs } = asked;
      for (const [name, rate] of Object.entries({ failureRate, offlineRate })) {
        if (rate >= 0 && rate <= 1) continue;
        throw new Fault("bad-input", {
          message: `${name} is a share from 0 to 1, found ${rate}.`,
          next: "Write 0.05 for 5 %.",
        });
      }
      const { plan } = world.rollouts.planWanted(oneLane(asked.lane, sight.now()), asked.strategy);
      const applyMs = 1_000 * (applySeconds || 20);
      const plays = Array.from({ length: Math.min(100, Math.max(1, runs)) }, (_, n) =>
        simulate(plan, { failureRate, offlineRate, applyMs, chance: chanceOf(seed + n) }),
      );
      return { runs: plays.map(simulatedRun) };
    },
    async startEmergency({ lane, change }, context) {
      const seen = sight.now();
      const key = oneLane(lane, seen);
      const mutation = { action: "rollout.emergency", resource: `lane/${key}`, change };
      return calls.change(context, mutation, async (caller, signal) => {
        const reason = change?.reason ?? "";
        if (reason === "") {
          throw new Fault("bad-input", {
            message: "expected a reason for passing every gate, found none.",
            next: "Say --reason TEXT: it stands in the record.",
          });
        }
        if (change?.dryRun === true) return { rollout: planned(key, world.rollouts.planWanted(key, ""), sight) };
        const run = await world.rollouts.startEmergency(key, { by: caller.name, reason }, signal);
        return { rollout: planned(key, run, sight) };
      });
    },
  };
}

/** People's words for gates, and what leaves something out. */
export function gateCalls(
  people: PeopleCalls,
): Pick<Methods, "approveRollout" | "rejectRollout" | "unlockRollout" | "skipRollout" | "promoteRollout"> {
  const act = actor(people);
  return {
    async approveRollout({ id, stage, gate, planHash, change }, context) {
      return act(context, { id, change, name: "approve" }, ({ roles }) => (state, intent) => {
        return approve(state, intent, { groups: roles, plan: planHash, stage, gate });
      });
    },
    async rejectRollout({ id, stage, gate, change }, context) {
      return act(context, { id, change, name: "reject" }, ({ roles }) => (state, intent) => {
        return reject(state, intent, { groups: roles, plan: "", stage, gate });
      });
    },
    async unlockRollout({ id, stage, change }, context) {
      return act(context, { id, change, name: "unlock" }, () => (state, intent) => unlock(state, intent, stage));
    },
    async skipRollout({ id, clusters, stage, gate, change }, context) {
      const asked = { clusters: clusters as ClusterId[], stage, gate };
      return act(context, { id, change, name: "skip" }, () => (state, intent) => skipOf(state, intent, asked));
    },
    async promoteRollout({ id, change }, context) {
      return act(context, { id, change, name: "promote" }, () => promote);
    },
  };
}

function skipOf(
  state: RunState,
  intent: Intent,
  { clusters, stage, gate }: { readonly clusters: readonly ClusterId[]; readonly stage: string; readonly gate: string },
): VerbResult {
  if (gate !== "") return skipGate(state, intent, { stage, gate });
  if (clusters.length > 0) return skip(state, intent, clusters);
  if (stage !== "") return skipStage(state, intent, stage);
  throw new Fault("bad-input", {
    message: "expected clusters, a stage or a gate to skip, found none.",
    next: "Use -c CLUSTER, --stage STAGE or --gate GATE.",
  });
}

/** A run that has not begun has no standing of its own. */
function planned(key: LaneKey, run: RunState, sight: Sight) {
  const seen = sight.now();
  return shown({ key, run, standing: standingOf(key, seen) }, seen);
}

function simulatedRun({ state, tookMs, reason }: Played) {
  const count = (is: string) => state.clusters.filter(({ status }) => status.is === is).length;
  return create(SimulatedRunSchema, {
    state: state.status.phase,
    seconds: BigInt(Math.round(tookMs / 1000)),
    touched: state.clusters.filter(({ attempt }) => attempt > 0).length,
    clusters: state.members.length,
    failed: count("Failed"),
    deferred: count("Deferred"),
    reason,
  });
}

const half = () => 0.5;

/** Mulberry32: small, pure, and good enough to draw clusters. */
function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
