import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@capstan/proto";
import { isOver } from "../rollout/fold.ts";
import { laneKey } from "../rollout/model.ts";
import { fleetOf, manifest, setDocument, type World } from "./world.ts";

// The hub dies right after every single write of a run over three stages with gates between them, and starts again.
const lane = laneKey("argocd/web", "web");
const clusters = 7;
const spec =
  '{stages: [{name: first, select: {clusters: [a]}, soak: 20s}, {name: some, select: {clusters: [b, c]}, before: [{name: pause, wait: {for: 15s}}], after: [{name: errors, metric: {url: "http://p", query: q, compare: "< 1", window: 30s}}]}, {name: rest, canary: 1, maxConcurrency: 2}]}';

/** A store whose hub dies once it has written so often. */
class Deadly {
  writes = 0;
  readonly #world: World;
  #left = Number.POSITIVE_INFINITY;
  #dead = false;

  constructor(world: World) {
    this.#world = world;
    const { state, records } = world.store;
    const { put, putMany } = state;
    const { append } = records;
    state.put = (...given) => this.#write(() => put(...given));
    state.putMany = (...given) => this.#write(() => putMany(...given));
    records.append = (...given) => this.#write(() => append(...given));
  }

  /** True once it died. */
  get dead(): boolean {
    return this.#dead;
  }

  dieAfter(writes: number): void {
    this.#left = writes;
  }

  async revive(): Promise<void> {
    this.#left = Number.POSITIVE_INFINITY;
    this.#dead = false;
    await this.#world.restart();
    await this.#world.reconnect();
  }

  async #write<T>(work: () => Promise<T>): Promise<T> {
    if (this.#dead) throw new Fault("store-unavailable", { message: "this hub is dead." });
    const done = await work();
    this.writes += 1;
    this.#left -= 1;
    if (this.#left <= 0) this.#dead = true;
    return done;
  }
}

/** What came of a run: how it ended, how often each agent was sent something new, and how its gates ended. */
async function played(dieAfter: number | undefined) {
  const world = await fleetOf(clusters);
  world.answers.set("errors", { verdict: "good", text: "0 is < 1" });
  world.commit({
    "documents/web.yaml": setDocument("web").replace(
      "  name: web\n",
      "  name: web\n  annotations: {capstan.dev/strategy: prod}\n",
    ),
    "documents/strategy.yaml": `apiVersion: capstan.dev/v1\nkind: RolloutStrategy\nmetadata: {name: prod}\nspec: ${spec}\n`,
  });
  await world.settle(60_000);
  const generations = () =>
    new Map(
      [...world.agents].map(([id, { taken }]) => [
        id,
        new Set(taken.flatMap((one) => one.targets.map((t) => t.generation))),
      ]),
    );
  const before = generations();
  const deadly = new Deadly(world);
  if (dieAfter !== undefined) deadly.dieAfter(dieAfter);
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  let died = false;
  const over = () => {
    const run = world.hub.rollouts.lane(lane)?.run;
    return run?.plan.reason === "change" && isOver(run.status) && run.plan.strategy.name.startsWith("prod");
  };
  for (let round = 0; round < 120 && !(over() && (died || dieAfter === undefined)); round += 1) {
    await world.settle(5_000);
    if (!deadly.dead) continue;
    died = true;
    await deadly.revive();
  }
  const run = world.hub.rollouts.lane(lane)?.run;
  const after = generations();
  const result = {
    phase: run?.status.phase,
    stages: run?.stages.map(({ status, tasks }) => [status.phase, ...tasks.map(({ is }) => is)]),
    clusters: run?.clusters.map(({ status, attempt }) => [status.is, attempt]),
    sent: [...after].map(([id, all]) => [id, all.size - (before.get(id)?.size ?? 0)]),
  };
  await world.end();
  return { result, writes: deadly.writes, died };
}

test("a hub that dies after any write of a run comes to the same end; nobody is sent out twice, no gate is forgotten", async () => {
  const calm = await played(undefined);
  assert.equal(calm.result.phase, "Succeeded");
  assert.deepEqual(
    calm.result.sent,
    [...calm.result.sent].map(([id]) => [id, 1]),
  );
  const every = process.env["CAPSTAN_FULL"] === "1" ? 1 : Math.ceil(calm.writes / 12);
  for (let kill = 2; kill <= calm.writes; kill += every) {
    const { result, died } = await played(kill);
    assert.ok(died, `it died after write ${kill} of ${calm.writes}`);
    assert.deepEqual(result, calm.result, `killed after write ${kill} of ${calm.writes}`);
  }
});
