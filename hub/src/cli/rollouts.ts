import { Fault } from "@capstan/proto";
import {
  RollBackResponseSchema,
  RollbackScope,
  type RolloutView,
  RolloutViewSchema,
  UnpinLaneResponseSchema,
} from "@capstan/proto/rollout";
import { dataOf } from "./answer.ts";
import type { Call } from "./call.ts";
import { exit } from "./exit.ts";
import { explain } from "./explain.ts";
import { counted } from "./look.ts";
import { releaseText } from "./names.ts";
import type { HubClient } from "./port.ts";
import { gateVerbs } from "./rollout-gates.ts";
import { listRollouts } from "./rollout-list.ts";
import { rollbackPreview, rolloutScreen, wholeProgress } from "./screens/rollout.ts";
import { changeFlags, type Flag, flag, listFlags, type Verb } from "./verb.ts";
import { followRollout, follows } from "./watching.ts";

const wait: Flag = { flags: "--wait", help: "follow it to its end, also without a terminal" };
const noWait: Flag = { flags: "--no-wait", help: "do not follow it" };
const scopes: Readonly<Record<string, RollbackScope>> = {
  failed: RollbackScope.FAILED,
  stage: RollbackScope.STAGE,
  touched: RollbackScope.TOUCHED,
  all: RollbackScope.ALL,
};

/** `rollout show`, also as `describe rollout`. */
export async function showRollout(call: Call, id: string): Promise<number> {
  const { rollout } = await (await call.hub()).rollouts.getRollout({ id }, call.signal);
  return showOne(call, known(rollout, id), call.ports.clock.now());
}

const looking: readonly Verb[] = [
  {
    words: "rollout list",
    help: "rollouts that are not done, newest first",
    flags: [
      { flags: "--all", help: "those that have ended too" },
      { flags: "--lane <lane>", help: "only of this lane" },
      ...listFlags,
    ],
    examples: ["rollout list", "rollout list --all --lane team-apps:shop-web"],
    run: (call) => listRollouts(call),
  },
  {
    words: "rollout show",
    args: "<rollout>",
    help: "a rollout (or a lane's latest) with its stages and clusters",
    flags: [flag.output],
    examples: ["rollout show shop-web", "rollout show shop-web -o wide"],
    run: (call) => showRollout(call, call.word(0)),
  },
  {
    words: "rollout watch",
    args: "<rollout>",
    help: "follow a rollout to its end; stops with exit code 3 where a person is needed",
    flags: [{ flags: "--through-holds", help: "go on watching while it is paused or held" }, flag.output],
    examples: ["rollout watch shop-web", "rollout watch shop-web --through-holds"],
    run: (call) => followRollout(call, call.word(0), { throughHolds: call.flag("throughHolds") }),
  },
  {
    words: "rollout why",
    args: "<rollout>",
    help: "why a rollout waits, and what would go on",
    flags: [flag.output],
    examples: ["rollout why shop-web"],
    run: (call) => explain(call, call.word(0)),
  },
];

const steering: readonly Verb[] = [
  {
    words: "rollout rollback",
    args: "<lane>",
    help: "back to an older release, byte for byte, at once; pins the lane until `rollout unpin`",
    flags: [
      { flags: "--to <release>", help: "the release (default: what each cluster held before)" },
      { flags: "--scope <scope>", help: "failed, stage, touched or all (default: touched)" },
      wait,
      noWait,
      ...changeFlags,
    ],
    examples: [
      "rollout rollback shop-web",
      "rollout rollback shop-web --scope all",
      "rollout rollback shop-web --dry-run",
    ],
    run: rollBack,
  },
  steer("pause", "nothing new starts; what is under way goes on", (hub) => hub.rollouts.pauseRollout),
  steer("resume", "it goes on", (hub) => hub.rollouts.resumeRollout),
  {
    ...steer("abort", "end it; what no cluster has taken yet is taken back", (hub) => hub.rollouts.abortRollout),
    run: async (call) => {
      const hub = await call.hub();
      const { rollout } = await hub.rollouts.getRollout({ id: call.word(0) }, call.signal);
      const before = known(rollout, call.word(0));
      await call.confirm(
        [
          `${before.lane} ${releaseText(before.release)} is ${before.state}: it ends, and clusters that have it keep it`,
        ],
        "Abort it?",
      );
      const done = await hub.rollouts.abortRollout({ id: call.word(0), change: call.change() }, call.signal);
      return changed(call, known(done.rollout, call.word(0)));
    },
  },
  {
    words: "rollout retry",
    args: "<rollout>",
    help: "the same content again on failed or deferred clusters",
    flags: [
      { flags: "--failed", help: "failed clusters (the default)" },
      { flags: "--deferred", help: "deferred clusters" },
      ...changeFlags,
    ],
    examples: ["rollout retry shop-web", "rollout retry shop-web --deferred"],
    run: async (call) => {
      const deferred = call.flag("deferred");
      const failed = call.flag("failed") || !deferred;
      const id = call.word(0);
      const done = await (await call.hub()).rollouts.retryRollout(
        { id, failed, deferred, change: call.change() },
        call.signal,
      );
      return changed(call, known(done.rollout, id));
    },
  },
  {
    words: "rollout unpin",
    args: "<lane>",
    help: "let Git lead a lane again after a rollback",
    flags: changeFlags,
    examples: ["rollout unpin shop-web"],
    run: async (call) => {
      const lane = call.word(0);
      const done = await (await call.hub()).rollouts.unpinLane({ lane, change: call.change() }, call.signal);
      return call.show({
        text: () => [
          `${call.flag("dryRun") ? "would follow" : `${lane} follows`} Git again: ${releaseText(done.wanted)}`,
        ],
        data: dataOf(UnpinLaneResponseSchema, done),
        names: [`lane/${lane}`],
      });
    },
  },
];

/** Verbs of rollouts. */
export const rolloutVerbs: readonly Verb[] = [...looking, ...gateVerbs, ...steering];

type Steer =
  | HubClient["rollouts"]["pauseRollout"]
  | HubClient["rollouts"]["resumeRollout"]
  | HubClient["rollouts"]["abortRollout"];

function steer(word: string, help: string, method: (hub: HubClient) => Steer): Verb {
  return {
    words: `rollout ${word}`,
    args: "<rollout>",
    help,
    flags: changeFlags,
    examples: [`rollout ${word} shop-web`, `rollout ${word} shop-web --reason "incident 4711"`],
    run: async (call) => {
      const id = call.word(0);
      const { rollout } = await method(await call.hub())({ id, change: call.change() }, call.signal);
      return changed(call, known(rollout, id));
    },
  };
}

async function rollBack(call: Call): Promise<number> {
  const word = call.text("scope") ?? "touched";
  const scope = scopes[word];
  if (scope === undefined) {
    throw new Fault("bad-input", {
      message: `expected --scope failed, stage, touched or all, found ${JSON.stringify(word)}.`,
    });
  }
  const lane = call.word(0);
  const hub = await call.hub();
  const request = { lane, release: call.text("to") ?? "", scope, change: call.change() };
  const done = await hub.rollouts.rollBack(request, call.signal);
  const rollout = known(done.rollout, lane);
  const would = call.flag("dryRun");
  const { total } = wholeProgress(rollout);
  const back = `${rollout.lane} goes back to ${releaseText(rollout.release)} on ${counted(total, "cluster")}`;
  call.show({
    text: () =>
      would
        ? rollbackPreview(rollout, word, request.release)
        : [
            `${back} (rollout ${rollout.id})`,
            `it is pinned there; let Git lead again: capstan rollout unpin ${rollout.lane}`,
          ],
    data: dataOf(RollBackResponseSchema, done),
    names: [`rollout/${rollout.id}`],
  });
  return would || !follows(call) ? exit.done : followRollout(call, rollout.id, { throughHolds: false });
}

function changed(call: Call, rollout: RolloutView): number {
  if (call.flag("dryRun")) call.say("nothing was changed (--dry-run); it would be:");
  return showOne(call, rollout, undefined);
}

function showOne(call: Call, rollout: RolloutView, at: number | undefined): number {
  return call.show({
    text: (look) => rolloutScreen(rollout, look),
    data: dataOf(RolloutViewSchema, rollout),
    names: [`rollout/${rollout.id}`],
    asOf: at,
  });
}

function known(rollout: RolloutView | undefined, id: string): RolloutView {
  if (rollout !== undefined) return rollout;
  throw new Fault("not-found", {
    message: `no rollout or lane is called ${id}.`,
    next: "See: capstan rollout list --all",
  });
}
