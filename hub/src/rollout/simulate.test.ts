import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClusterId, type Digest, targetKey } from "@capstan/proto";
import { seededChance } from "@capstan/proto/testing";
import { parseStrategySpec } from "../documents/strategy-parse.ts";
import { begin } from "./fold.ts";
import { laneKey, type PlanInput, parseRunId, type Strategy } from "./model.ts";
import { plan } from "./plan.ts";
import { expectedEnd, simulate } from "./simulate.ts";
import { careful, stagedStrategy } from "./strategy.ts";
import { testHash } from "./testing/fleet.ts";
import { start } from "./verbs.ts";

const minute = 60_000;

function planned(clusters: number, strategy: Strategy) {
  const ids = Array.from({ length: clusters }, (_, n) => `c${String(n).padStart(4, "0")}` as ClusterId);
  const lane = laneKey("apps", "web");
  const targets = ids.map((cluster) => ({
    target: targetKey("argocd", cluster),
    cluster,
    content: testHash(`2 ${cluster}`),
  }));
  const input: PlanInput = {
    run: parseRunId("web-1"),
    origin: { kind: "release" },
    now: 1_000_000,
    actor: "capstan",
    reason: "",
    release: {
      id: "sha256:2" as Digest,
      lane,
      cause: { commit: "", author: "", subject: "", repository: "" },
      targets,
    },
    previous: null,
    current: targets.map((one) => ({ ...one, content: testHash(`1 ${one.cluster}`) })),
    clusters: ids.map((id) => ({ id, connected: true })),
    strategy,
  };
  return plan(input, testHash);
}

const calm = { failureRate: 0, offlineRate: 0, applyMs: 30_000, chance: seededChance(1) };

test("a calm fleet takes as long as its steps, one after the other", () => {
  const { state, tookMs } = simulate(planned(41, careful()), calm);
  assert.equal(state.status.phase, "Succeeded");
  // A canary and four steps, each 30 s of applying and 30 s of being stable.
  assert.equal(tookMs, 5 * minute);
});

test("a bad release is seen by few", () => {
  const { state, reason } = simulate(planned(100, careful()), { ...calm, failureRate: 1 });
  assert.equal(state.status.phase, "Paused");
  assert.equal(state.clusters.filter(({ attempt }) => attempt > 0).length, 1);
  assert.match(reason, /canary .* failed/);
});

test("offline clusters are deferred, and the same seed plays the same", () => {
  const once = () => simulate(planned(60, careful()), { ...calm, offlineRate: 0.3, chance: seededChance(7) });
  assert.equal(once().state.status.phase, "SucceededWithDeferred");
  assert.deepEqual(
    once().state.clusters.map(({ status }) => status.is),
    once().state.clusters.map(({ status }) => status.is),
  );
});

test("gates, soaks and rates count", () => {
  const spec = parseStrategySpec({
    rateLimit: { perMinute: 10 },
    stages: [
      {
        name: "all",
        soak: "1h",
        before: [{ approval: { quorum: 2 } }, { wait: { for: "10m" } }],
        after: [{ metric: metric() }],
      },
    ],
  });
  const { state, tookMs } = simulate(planned(35, stagedStrategy("prod", spec, careful())), calm);
  assert.equal(state.status.phase, "Succeeded");
  // 10 min of waiting, three more minutes of rate, 1 min for the last, 1 h of soak, four readings each 15 s.
  assert.ok(Math.abs(tookMs - (10 + 3 + 1 + 60 + 0.75) * minute) < 2_000, `${tookMs / minute} min`);
});

test("the expected end of a run under way is that of the plan", () => {
  const made = planned(41, careful());
  const running = start(begin(made), { now: made.plannedAt, actor: "mira", reason: "" }).state;
  const end = expectedEnd(running, made.plannedAt);
  // Nobody was timed yet: 20 s are guessed for an apply, 30 s to be stable.
  assert.equal((end ?? 0) - made.plannedAt, 5 * 50_000);
});

function metric() {
  return { url: "http://prometheus", query: "up", compare: "> 0", window: "1m", every: "15s" };
}
