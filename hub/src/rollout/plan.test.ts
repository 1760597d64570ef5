import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type ClusterId, type Digest, Fault, parseClusterId, type TargetKey, targetKey } from "@capstan/proto";
import { checkPlan } from "./check.ts";
import { begin } from "./fold.ts";
import { type Facts, laneKey, type PlanInput, parseRunId, type ReleaseTarget } from "./model.ts";
import { plan, releaseId } from "./plan.ts";
import { step } from "./step.ts";
import { allAtOnce, careful, fleetStrategy, parseStrategy } from "./strategy.ts";
import { start } from "./verbs.ts";

const hash = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}` as Digest;
const lane = laneKey("apps", "web");
const now = Date.UTC(2026, 0, 1);
const cause = { commit: "9c1f2e0", author: "mira", subject: "raise cart limit", repository: "fleet" };

function wanted(name: string, cluster: string, content: string, labels: Record<string, string> = {}): ReleaseTarget {
  return { target: targetKey("argocd", name), cluster: parseClusterId(cluster), content: hash(content), labels };
}

function input(targets: readonly ReleaseTarget[], more: Partial<PlanInput> = {}): PlanInput {
  const ids = new Set([...targets, ...(more.current ?? [])].map(({ cluster }) => cluster));
  const release = { id: releaseId(lane, targets, hash), lane, cause, targets };
  const clusters = [...ids].map((id) => ({ id, connected: true }));
  const head = { run: parseRunId("web-1"), origin: { kind: "release" }, now, actor: "capstan", reason: "" } as const;
  return { ...head, release, previous: null, current: [], clusters, strategy: careful(), ...more };
}

const many = (count: number, content: string) =>
  Array.from({ length: count }, (_, n) => wanted(`web-${n}`, `c${`${n}`.padStart(4, "0")}`, `${content} ${n}`));
const shape = (made: ReturnType<typeof plan>) => made.stages.map(({ name, size }) => `${name} ${size}`);

test("careful: one canary, then four quarters, the remainder in the later ones", () => {
  const made = plan(input(many(12, "new"), { current: many(12, "old") }), hash);
  assert.deepEqual(shape(made), ["new 0", "canary 1", "step 1/4 2", "step 2/4 3", "step 3/4 3", "step 4/4 3"]);
  assert.deepEqual(checkPlan(made, hash), []);
});

test("what is at the release already does not move", () => {
  const current = [...many(6, "new").slice(0, 4), ...many(6, "old").slice(4)];
  const made = plan(input(many(6, "new"), { current }), hash);
  assert.deepEqual([made.unchanged, made.clusters.map(({ cluster }) => cluster)], [4, ["c0004", "c0005"]]);
});

test("new targets go at once, and a cluster that has other targets of the lane takes additions at once, too", () => {
  const current = [wanted("a", "ams", "old"), wanted("b", "ber", "same")];
  const made = plan(
    input([wanted("a", "ams", "new"), wanted("b", "ber", "same"), wanted("b2", "ber", "x"), wanted("c", "cdg", "x")], {
      current,
    }),
    hash,
  );
  assert.deepEqual(
    made.clusters.map(({ cluster, stage }) => [cluster, stage]),
    [
      ["ber", 0],
      ["cdg", 0],
      ["ams", 1],
    ],
  );
});

test("the canary is one that a person prefers, else one that is connected", () => {
  const clusters = ["c0000", "c0001", "c0002"].map((id, n) => ({ id: id as ClusterId, connected: n > 0 }));
  const canaryOf = (list: PlanInput["clusters"]) => {
    const made = plan(input(many(3, "new"), { current: many(3, "old"), clusters: list }), hash);
    return made.clusters.find(({ stage }) => made.stages[stage]?.kind === "canary")?.cluster;
  };
  assert.equal(canaryOf(clusters), "c0001");
  assert.equal(canaryOf(clusters.map((one) => ({ ...one, canary: one.id === "c0002" }))), "c0002");
  assert.equal(canaryOf(clusters.map((one) => ({ ...one, canary: one.id === "c0000" }))), "c0001");
});

test("a moved target names its successor, and goes in the last stage", () => {
  const made = plan(input([wanted("a", "ber", "x")], { current: [wanted("a", "ams", "x")] }), hash);
  assert.deepEqual(shape(made), ["new 1", "removals 1"]);
  assert.equal(made.clusters[1]?.moves[0]?.successor, "ber");
});

test("a target of a cluster that the fleet does not know is named and left out", () => {
  const made = plan(input(many(2, "new"), { clusters: [{ id: "c0000" as ClusterId, connected: true }] }), hash);
  assert.deepEqual([made.unknown, made.clusters.length], [["c0001"], 1]);
});

test("one name on two clusters is refused", () => {
  assert.throws(
    () => plan(input([wanted("a", "ams", "x"), wanted("a", "ber", "x")]), hash),
    (fault) => fault instanceof Fault && fault.message.includes("argocd/a on ams and on ber"),
  );
});

test("the hash says what is done, not when or in which order it was told", () => {
  const one = plan(input(many(9, "new"), { current: many(9, "old") }), hash);
  const other = plan(input(many(9, "new").reverse(), { current: many(9, "old").reverse(), now: now + 1 }), hash);
  assert.equal(other.hash, one.hash);
  assert.notEqual(plan(input(many(9, "new"), { current: many(9, "older") }), hash).hash, one.hash);
  assert.ok(checkPlan({ ...one, release: hash("x") }, hash).includes("the plan's hash is not that of its content"));
});

test("RollingSync selects by the labels of Applications; the first step wins", () => {
  const { strategy } = parseStrategy({
    type: "RollingSync",
    rollingSync: {
      steps: [
        { matchExpressions: [{ key: "env", operator: "In", values: ["dev"] }], maxUpdate: "30%" },
        { matchExpressions: [{ key: "env", operator: "NotIn", values: ["lab"] }], maxUpdate: 2 },
      ],
    },
  });
  const targets = [
    wanted("a", "ams", "x", { env: "dev" }),
    wanted("b", "ber", "x"),
    wanted("c", "cdg", "x", { env: "lab" }),
  ];
  const made = plan(input(targets, { strategy }), hash);
  assert.deepEqual(shape(made), ["step 1 1", "step 2 1"]);
  assert.deepEqual(made.unmatched, ["argocd/c"]);
  assert.deepEqual(
    made.stages.map(({ maxConcurrency }) => maxConcurrency),
    [{ percent: 30 }, { count: 2 }],
  );
});

test("strategies that Argo CD calls invalid are refused with what to write; bad maxUpdate acts as 1", () => {
  const refused = (spec: Parameters<typeof parseStrategy>[0], text: string) =>
    assert.throws(
      () => parseStrategy(spec),
      (fault) => fault instanceof Fault && fault.message.includes(text),
    );
  refused({ type: "Canary" }, 'found "Canary"');
  refused({ type: "RollingSync", rollingSync: { steps: [] } }, "at least one step");
  const step = (more: Record<string, string | number>) => ({
    type: "RollingSync",
    rollingSync: { steps: [{ ...more }] },
  });
  refused(
    { type: "RollingSync", rollingSync: { steps: [{ matchExpressions: [{ key: "a", operator: "Exists" }] }] } },
    "In or NotIn",
  );
  const { strategy, warnings } = parseStrategy(step({ maxUpdate: "many" }));
  assert.deepEqual(strategy.shape, { kind: "rolling", steps: [{ match: [], maxUpdate: { count: 1 } }] });
  assert.equal(warnings.length, 1);
  assert.equal(parseStrategy(undefined).strategy.name, "careful");
  assert.equal(parseStrategy({ type: "AllAtOnce" }).strategy.name, "AllAtOnce");
});

test("the fleet's own default and its times hold for every set that says nothing else", () => {
  const fleet = fleetStrategy({ strategy: "AllAtOnce", stableForMs: 100, healthDeadlineMs: 5_000 });
  assert.equal(parseStrategy(undefined, fleet).strategy, fleet);
  assert.equal(fleet.name, "AllAtOnce");
  const { strategy } = parseStrategy({ type: "RollingSync", rollingSync: { steps: [{}] } }, fleet);
  assert.equal(strategy.name, "RollingSync");
  assert.deepEqual([strategy.stableForMs, strategy.progressDeadlineMs], [100, 5_000]);
});

test("ten times as many targets take about ten times as long to plan", () => {
  const list = (length: number, content: string) =>
    Array.from({ length }, (_, n): ReleaseTarget => {
      const cluster = `c${n % 1000}` as ClusterId;
      return { target: `argocd/t${n}` as TargetKey, cluster, content: `sha256:${content.repeat(64)}` as Digest };
    });
  const took = (length: number) => {
    const given = input(list(length, "a"), { current: list(length, "b"), strategy: careful() });
    const times = [0, 1, 2].map(() => {
      const before = performance.now();
      assert.equal(plan(given, hash).clusters.length, 1000);
      return performance.now() - before;
    });
    return Math.min(...times);
  };
  // Quadratic work would take a hundred times as long; the bench `plan` measures the time itself.
  const ratio = took(200_000) / took(20_000);
  assert.ok(ratio < 50, `${ratio.toFixed(1)} times as long`);
});

test("a step over 10,000 clusters in which nothing changed is quick, and gives the same state", () => {
  const made = plan(input(many(10_000, "new"), { strategy: allAtOnce() }), hash);
  const facts: Facts = {
    now,
    listeningSince: now,
    of: () => ({ connected: true, lastSeen: now, revision: 1, target: () => ({ desired: null, reported: null }) }),
  };
  const first = step(start(begin(made), { now, actor: "mira", reason: "" }).state, facts);
  assert.equal(first.dispatch.length, 10_000);
  const settled: Facts = {
    ...facts,
    of: () => ({
      connected: true,
      lastSeen: now,
      revision: 2,
      target: (target) => ({
        desired: { generation: 2, content: hash(`new ${target.split("-")[1]}`) },
        reported: null,
      }),
    }),
  };
  const before = performance.now();
  const next = step(first.state, settled);
  assert.equal(next.state, first.state);
  assert.equal(next.dispatch.length, 0);
  assert.ok(performance.now() - before < 1_000);
});

test("a plan's hash is over the same text for ever: approvals and runs under way are bound to it", () => {
  const texts: string[] = [];
  const keeping = (text: string) => hash(texts[texts.push(text) - 1] ?? "");
  const release = [
    wanted("a", "ams", "new"),
    wanted("b", "ams", "new"),
    wanted("c", "ams", "other"),
    wanted("m", "ber", "x"),
  ];
  const current = [
    wanted("a", "ams", "old"),
    wanted("b", "ams", "old"),
    wanted("gone", "ams", "y"),
    wanted("m", "ams", "x"),
  ];
  const made = plan(input(release, { current, strategy: allAtOnce() }), keeping);
  const [old, fresh, other, x, y] = ["old", "new", "other", "x", "y"].map(hash);
  const lines = [
    `ams 0 600000\nargocd/a ${old} ${fresh} \nargocd/b ${old} ${fresh} \nargocd/c null ${other} `,
    `ber 0 600000\nargocd/m null ${x} `,
    `ams 1 600000\nargocd/gone ${y} null \nargocd/m ${x} null ber`,
  ];
  const { lane: of, release: id, previous, strategy, stages, unmatched, unknown } = made;
  const head = JSON.stringify({ lane: of, release: id, previous, strategy, stages, unmatched, unknown });
  assert.deepEqual(texts, [...lines, [head, ...lines.map(hash)].join("\n")]);
});

test("the order in which what runs is listed decides nothing", () => {
  const current = many(9, "old").flatMap((one, n) =>
    n % 3 === 0 ? [one, wanted(`left-${n}`, one.cluster, "x")] : [one],
  );
  const made = plan(input(many(9, "new"), { current }), hash);
  const shuffled = [...current.slice(5), ...current.slice(0, 5).reverse()];
  assert.deepEqual(plan(input(many(9, "new"), { current: shuffled }), hash), made);
});
