import { Fault } from "@capstan/proto";
import {
  PlanRolloutResponseSchema,
  type RolloutView,
  RolloutViewSchema,
  type SimulateRolloutResponse,
  SimulateRolloutResponseSchema,
} from "@capstan/proto/rollout";
import { span as ageText } from "./age.ts";
import { dataOf } from "./answer.ts";
import type { Call } from "./call.ts";
import { exit } from "./exit.ts";
import { counted } from "./look.ts";
import { listRollouts } from "./rollout-list.ts";
import { planScreen, rolloutScreen } from "./screens/rollout.ts";
import { changeFlags, type Flag, flag, listFlags, type Verb } from "./verb.ts";
import { followRollout, follows } from "./watching.ts";

const strategy: Flag = {
  flags: "--strategy <name>",
  help: "as this RolloutStrategy, careful or AllAtOnce would do it",
};
const stage: Flag = { flags: "--stage <name>", help: "the stage, where several wait" };
const gate: Flag = { flags: "--gate <name>", help: "the gate, where several wait" };
const wait: Flag = { flags: "--wait", help: "follow it to its end, also without a terminal" };
const noWait: Flag = { flags: "--no-wait", help: "do not follow it" };

/** Verbs that look ahead, and people's words for gates. */
export const gateVerbs: readonly Verb[] = [
  {
    words: "rollout plan",
    args: "<lane>",
    help: "what the lane's release would do now: stages, clusters, gates, warnings; changes nothing",
    flags: [strategy, flag.output],
    examples: ["rollout plan shop-web", "rollout plan shop-web --strategy prod"],
    run: plan,
  },
  {
    words: "rollout simulate",
    args: "<lane>",
    help: "play the plan in virtual time: how long it takes, and how many clusters a bad release touches before it stops",
    flags: [
      strategy,
      { flags: "--fail <share>", help: "share of clusters on which it fails, for example 5% (default: 0)" },
      { flags: "--offline <share>", help: "share of clusters that are offline (default: 0)" },
      { flags: "--apply <seconds>", help: "seconds from dispatch to healthy (default: 20)" },
      { flags: "--runs <count>", help: "how often it is played (default: 10)" },
      flag.output,
    ],
    examples: ["rollout simulate shop-web --fail 5%", "rollout simulate shop-web --offline 10% --strategy prod"],
    run: simulate,
  },
  {
    words: "rollout start",
    args: "<lane>",
    help: "start the lane's release past every gate, soak, window and rate, with a reason for the record (else: sync)",
    flags: [{ flags: "--emergency", help: "say that this is meant" }, wait, noWait, ...changeFlags],
    examples: ['rollout start shop-web --emergency --reason "incident 4711"'],
    run: startEmergency,
  },
  {
    words: "rollout approve",
    args: "<rollout>",
    help: "say yes to a gate that waits; holds for this plan alone",
    flags: [stage, gate, { flags: "--plan <hash>", help: "only if this is the plan that runs" }, ...changeFlags],
    examples: ["rollout approve shop-web", "rollout approve shop-web --plan 1a2b3c4d"],
    run: async (call) => {
      const request = { ...named(call), planHash: call.text("plan") ?? "", change: call.change() };
      return changed(call, (await (await call.hub()).rollouts.approveRollout(request, call.signal)).rollout);
    },
  },
  {
    words: "rollout reject",
    args: "<rollout>",
    help: "say no to a gate that waits: the run stops",
    flags: [stage, gate, ...changeFlags],
    examples: ['rollout reject shop-web --reason "not on a Friday"'],
    run: async (call) => {
      const request = { ...named(call), change: call.change() };
      return changed(call, (await (await call.hub()).rollouts.rejectRollout(request, call.signal)).rollout);
    },
  },
  {
    words: "rollout unlock",
    args: "<rollout>",
    help: "let a stage go that waits for a person (maxUpdate: 0)",
    flags: [stage, ...changeFlags],
    examples: ["rollout unlock shop-web", 'rollout unlock shop-web --stage "step 3"'],
    run: async (call) => {
      const request = { id: call.word(0), stage: call.text("stage") ?? "", change: call.change() };
      return changed(call, (await (await call.hub()).rollouts.unlockRollout(request, call.signal)).rollout);
    },
  },
  {
    words: "rollout skip",
    args: "<rollout>",
    help: "leave clusters or a stage out, or pass a gate without what it asks (with a reason)",
    flags: [flag.cluster, stage, gate, ...changeFlags],
    examples: [
      "rollout skip shop-web -c edge-3",
      'rollout skip shop-web --gate error-rate --reason "metrics are down"',
    ],
    run: skip,
  },
  {
    words: "rollout promote",
    args: "<rollout>",
    help: "end the soak of the stage that soaks now",
    flags: changeFlags,
    examples: ["rollout promote shop-web"],
    run: async (call) => {
      const request = { id: call.word(0), change: call.change() };
      return changed(call, (await (await call.hub()).rollouts.promoteRollout(request, call.signal)).rollout);
    },
  },
  {
    words: "rollout history",
    args: "<lane>",
    help: "a lane's rollouts, newest first, those that have ended too",
    flags: listFlags,
    examples: ["rollout history shop-web"],
    run: (call) => listRollouts(call, { lane: call.word(0), all: true }),
  },
];

function named(call: Call) {
  return { id: call.word(0), stage: call.text("stage") ?? "", gate: call.text("gate") ?? "" };
}

async function plan(call: Call): Promise<number> {
  const request = { lane: call.word(0), strategy: call.text("strategy") ?? "" };
  const answer = await (await call.hub()).rollouts.planRollout(request, call.signal);
  const { rollout } = answer;
  return call.show({
    text: (look) =>
      rollout === undefined || rollout.stages.length === 0
        ? [`${call.word(0)} is as it should be: nothing would move`]
        : planScreen(rollout, look),
    data: dataOf(PlanRolloutResponseSchema, answer),
    names: (rollout?.stages ?? []).flatMap(({ clusters }) => clusters.map(({ cluster }) => `cluster/${cluster}`)),
  });
}

async function simulate(call: Call): Promise<number> {
  const request = {
    lane: call.word(0),
    strategy: call.text("strategy") ?? "",
    failureRate: share(call, "fail"),
    offlineRate: share(call, "offline"),
    applySeconds: count(call, "apply", 20),
    runs: count(call, "runs", 10),
    seed: 1,
  };
  const answer = await (await call.hub()).rollouts.simulateRollout(request, call.signal);
  return call.show({
    text: () => simulated(answer),
    data: dataOf(SimulateRolloutResponseSchema, answer),
    names: answer.runs.map(({ state }) => state),
  });
}

function simulated({ runs }: SimulateRolloutResponse): string[] {
  const [first] = runs;
  if (first === undefined || first.clusters === 0) return ["nothing would move"];
  const byState = Map.groupBy(runs, ({ state }) => state);
  const lines = [...byState].map(([state, some]) => {
    const took = spanOf(
      some.map(({ seconds }) => Number(seconds)),
      (seconds) => ageText(seconds * 1000),
    );
    const touched = spanOf(
      some.map((one) => one.touched),
      String,
    );
    const failed = spanOf(
      some.map((one) => one.failed),
      String,
    );
    const deferred = spanOf(
      some.map((one) => one.deferred),
      String,
    );
    const [one] = some;
    const why = one === undefined || one.reason === "" ? "" : `\n    for example: ${one.reason}`;
    return `  ${state}: ${some.length} of ${runs.length}, after ${took}; ${touched} of ${first.clusters} clusters touched, ${failed} failed, ${deferred} deferred${why}`;
  });
  return [`${counted(runs.length, "run")} played; people are assumed to approve at once:`, ...lines];
}

function spanOf(values: readonly number[], text: (value: number) => string): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least === most ? text(least) : `${text(least)} to ${text(most)}`;
}

async function startEmergency(call: Call): Promise<number> {
  const lane = call.word(0);
  if (!call.flag("emergency")) {
    throw new Fault("bad-input", {
      message: "rollout start passes every gate, so it wants --emergency and --reason.",
      next: `To start a release in its usual way: capstan sync ${lane}`,
    });
  }
  await call.confirm([`${lane} goes out past every gate, soak, window and rate; failures still stop it`], "Start it?");
  const { rollout } = await (await call.hub()).rollouts.startEmergency({ lane, change: call.change() }, call.signal);
  const code = changed(call, rollout);
  return rollout === undefined || call.flag("dryRun") || !follows(call)
    ? code
    : followRollout(call, rollout.id, { throughHolds: false });
}

async function skip(call: Call): Promise<number> {
  const asked = { ...named(call), clusters: [...call.list("cluster")] };
  if (asked.gate !== "" && asked.clusters.length > 0) {
    throw new Fault("bad-input", {
      message: "expected clusters or a gate to skip, found both.",
      next: "Say it twice.",
    });
  }
  if (asked.gate !== "") {
    await call.confirm(
      [`gate ${asked.gate} of ${asked.id} passes without what it asks; the record says who and why`],
      "Pass it?",
    );
  }
  const { rollout } = await (await call.hub()).rollouts.skipRollout({ ...asked, change: call.change() }, call.signal);
  return changed(call, rollout);
}

function changed(call: Call, rollout: RolloutView | undefined): number {
  if (rollout === undefined) return exit.failed;
  if (call.flag("dryRun")) call.say("nothing was changed (--dry-run); it would be:");
  return call.show({
    text: (look) => rolloutScreen(rollout, look),
    data: dataOf(RolloutViewSchema, rollout),
    names: [`rollout/${rollout.id}`],
  });
}

/** `5%` or `0.05`. */
function share(call: Call, name: string): number {
  const text = call.text(name);
  if (text === undefined) return 0;
  const found = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  const value = found === null ? Number.NaN : Number(found[1]) / (found[2] === "%" ? 100 : 1);
  if (value >= 0 && value <= 1) return value;
  throw new Fault("bad-input", { message: `expected --${name} as a share such as 5% or 0.05, found ${text}.` });
}

function count(call: Call, name: string, fallback: number): number {
  const text = call.text(name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Fault("bad-input", { message: `expected --${name} as a whole number above 0, found ${text}.` });
}
