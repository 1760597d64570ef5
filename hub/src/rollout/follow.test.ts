import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, parseClusterId, targetKey } from "@capstan/proto";
import fc from "fast-check";
import { begin } from "./fold.ts";
import { isRefused, mayMove } from "./follow.ts";
import { type Lane, newLane, type Wanted } from "./lane-run.ts";
import { laneKey, parseRunId, type ReleaseTarget, type RunPhase } from "./model.ts";
import { plan, releaseId } from "./plan.ts";
import { careful } from "./strategy.ts";
import { testHash } from "./testing/fleet.ts";

const key = laneKey("apps", "web");
const cause = { commit: "9c1f2e0", author: "mira", subject: "raise cart limit", repository: "fleet" };
const paused: RunPhase = { phase: "Paused", by: "capstan", reason: "failures", failure: true };
const aborted: RunPhase = { phase: "Aborted", by: "ann", reason: "" };

function place(n: number, content: string): ReleaseTarget {
  return {
    target: targetKey("argocd", `web-${n}`),
    cluster: parseClusterId(`c${n}`),
    content: testHash(`${content} ${n}`),
  };
}

function wanted(targets: readonly ReleaseTarget[], automated = true): Wanted {
  const release = { id: releaseId(key, targets, testHash), lane: key, cause, targets };
  return { release, contents: new Map(), strategy: careful(), automated };
}

/** A lane whose run to these targets stands in this phase; before it, each of its clusters held "old". */
function stopped(numbers: readonly number[], status: RunPhase): Lane {
  const { release, strategy } = wanted(numbers.map((n) => place(n, "bad")));
  const made = plan(
    {
      run: parseRunId("web-1"),
      origin: { kind: "release" },
      now: 0,
      actor: "capstan",
      reason: "",
      release,
      previous: null,
      current: numbers.map((n) => place(n, "old")),
      clusters: numbers.map((n) => ({ id: place(n, "").cluster, connected: true })),
      strategy,
    },
    testHash,
  );
  return { ...newLane(key), run: { state: { ...begin(made), status }, contents: new Map(), last: 1n } };
}

const fleet = [0, 1, 2, 3];
const clusters = fc.uniqueArray(fc.nat(9), { minLength: 1 });
const phases = fc.constantFrom(paused, aborted, { phase: "Failed" } as const);

test("clusters that join or leave make no second try of what was stopped", () => {
  fc.assert(
    fc.property(clusters, clusters, phases, (before, after, phase) => {
      const lane = stopped(before, phase);
      const again = wanted(after.map((n) => place(n, "bad")));
      const shares = after.some((n) => before.includes(n));
      assert.equal(mayMove(lane, again), !shares);
    }),
  );
});

test("another content in one of the places is something new", () => {
  fc.assert(
    fc.property(clusters, phases, fc.nat(), (before, phase, pick) => {
      const changed = before[pick % before.length];
      const next = wanted(before.map((n) => place(n, n === changed ? "good" : "bad")));
      assert.equal(mayMove(stopped(before, phase), next), true);
    }),
  );
});

test("a person lets it go all the same", () => {
  const next = wanted([0, 1, 2, 3, 4].map((n) => place(n, "bad")));
  const lane = stopped(fleet, aborted);
  assert.equal(mayMove(lane, next), false);
  lane.released = { lane: lane.key, release: next.release.id, by: "ann", at: 0 };
  assert.equal(mayMove(lane, next), true);
});

test("a set that is taken away goes, and a run that goes on refuses nothing", () => {
  assert.equal(isRefused(stopped(fleet, aborted), wanted([])), false);
  const next = wanted([0, 1, 2].map((n) => place(n, "bad")));
  for (const phase of ["Running", "Succeeded", "SucceededWithDeferred"] as const) {
    assert.equal(isRefused(stopped(fleet, { phase }), next), false);
  }
});

test("runs to the same release count together, and what no step selects counts for nothing", () => {
  const lane = stopped(fleet, aborted);
  const part = stopped([0], { phase: "Failed" }).run;
  assert.ok(part !== undefined && lane.run !== undefined);
  const { release } = lane.run.state.plan;
  const state = { ...part.state, plan: { ...part.state.plan, release, run: parseRunId("web-2"), partial: true } };
  const child: Lane = { ...lane, past: [lane.run], run: { ...part, state } };
  assert.equal(mayMove(child, wanted([0, 1, 7].map((n) => place(n, "bad")))), false);
  assert.equal(mayMove(child, wanted([place(0, "bad"), place(1, "good")])), true);

  const aside = { ...place(8, "old"), content: "sha256:old" as Digest };
  const kept = { ...lane.run.state.plan, kept: [aside], unmatched: [aside.target] };
  const rolling: Lane = { ...lane, run: { ...lane.run, state: { ...lane.run.state, plan: kept } } };
  assert.equal(mayMove(rolling, wanted([0, 8].map((n) => place(n, "bad")))), false);
});
