import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Digest, Fault, type TargetKey } from "@capstan/proto";
import { type DesiredTarget, DesiredTargetSchema, Mode, TombstoneSchema } from "@capstan/proto/desired";
import { FakeClock, seededChance } from "@capstan/proto/testing";
import type { Action, ApplyInput, ApplyResult } from "../apply/model.ts";
import type { TargetMemory } from "../cache/model.ts";
import type { HealthStatus, TargetHealth } from "../health/model.ts";
import { emptyInventory, type Inventory } from "../inventory/model.ts";
import type { RemovedTarget, TargetStatus } from "../report/model.ts";
import { keyOf } from "./policy.ts";
import { Targets } from "./reconciler.ts";

const shop = "ns/shop" as TargetKey;
const digestOf = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}` as Digest;

/** A world without a cluster: an engine that does as it is told, and remembers what it was asked. */
class World {
  readonly clock = new FakeClock();
  readonly applied: ApplyInput[] = [];
  readonly removed: RemovedTarget[] = [];
  readonly acted: string[] = [];
  /** What a removal leaves standing. */
  leaves: ApplyResult["outcomes"] = [];
  readonly statuses = new Map<TargetKey, TargetStatus>();
  readonly memories = new Map<TargetKey, TargetMemory>();
  readonly inventories = new Map<TargetKey, Inventory>();
  readonly bundles = new Map<Digest, string>();
  readonly events: string[] = [];
  readonly health = new Map<string, HealthStatus>();
  failing: Fault | undefined;
  /** What the next passes end with, beside what they do by themselves. */
  ends: Partial<ApplyResult> = {};
  readonly #life = new AbortController();
  readonly targets = new Targets({
    clock: this.clock,
    chance: seededChance(3),
    concurrency: 2,
    fault: () => undefined,
    applier: {
      apply: async (input) => this.#apply(input),
      inspect: async (input) => this.#apply(input),
      remove: async ({ target }) => {
        const outcomes = this.leaves;
        const done = outcomes.length === 0;
        if (done) this.inventories.delete(target);
        return { target, done, counts: counts({}), outcomes, errors: [] };
      },
      act: async ({ action }) => {
        this.acted.push(`${action.verb} ${action.object}`);
        if (this.failing !== undefined) throw this.failing;
        return `${action.verb} Deployment d/web`;
      },
      inventory: async (target) => this.inventories.get(target) ?? emptyInventory(target),
      owners: async () => [...this.inventories.keys()],
      namespaced: async () => true,
    },
    following: {
      track: () => undefined,
      untrack: () => undefined,
      health: (target) => this.healthOf(target),
      judgeBy: async () => undefined,
    },
    bundles: {
      get: async (target) => this.#bundle(target.bundle?.digest as Digest),
      held: async (digest) => this.#bundle(digest),
      async *lines(bytes) {
        yield* new TextDecoder()
          .decode(bytes)
          .split("\n")
          .filter((line) => line !== "");
      },
    },
    memories: {
      get: (target) => this.memories.get(target) ?? {},
      note: (target, memory) => this.memories.set(target, memory),
      set: async (target, memory) => {
        if (memory === undefined) this.memories.delete(target);
        else this.memories.set(target, memory);
      },
    },
    sink: {
      status: (status) => this.statuses.set(status.target, status),
      removed: (removed) => this.removed.push(removed),
      complete: () => undefined,
      forgotten: (target) => this.statuses.delete(target),
      event: ({ reason }) => this.events.push(reason),
    },
  });
  readonly running = this.targets.run(this.#life.signal);

  /** A target with this content. */
  target(content: string, generation: number, more: MessageInitShape<typeof DesiredTargetSchema> = {}): DesiredTarget {
    const digest = digestOf(content);
    this.bundles.set(digest, content);
    return create(DesiredTargetSchema, {
      namespace: "ns",
      name: "shop",
      generation: BigInt(generation),
      bundle: { digest },
      serviceAccount: "ns/deployer",
      policy: { automated: true, selfHeal: true },
      ...more,
    } as MessageInitShape<typeof DesiredTargetSchema>);
  }

  async want(targets: readonly DesiredTarget[], tombstones: readonly string[] = []): Promise<void> {
    this.#revision++;
    const gone = tombstones.map((name) =>
      create(TombstoneSchema, { namespace: "ns", name, generation: 9n, serviceAccount: "ns/d" }),
    );
    this.targets.want({
      revision: BigInt(this.#revision),
      clusterMode: Mode.UNSPECIFIED,
      targets: new Map(targets.map((one) => [keyOf(one), one])),
      tombstones: new Map(gone.map((one) => [keyOf(one), one])),
    });
    await this.clock.advance(1);
  }
  #revision = 0;

  /** The health of the bundle that is applied, by its content. */
  healthOf(target: TargetKey): TargetHealth {
    const content = this.bundles.get((this.inventories.get(target)?.digest ?? "") as Digest) ?? "";
    const status = this.health.get(content) ?? "Healthy";
    const none = { Healthy: 0, Suspended: 0, Progressing: 0, Missing: 0, Degraded: 0, Unknown: 0 };
    return { status, message: "", cause: undefined, counts: { ...none, [status]: 1 } };
  }

  get phase(): string | undefined {
    return this.statuses.get(shop)?.phase;
  }

  get contents(): readonly (string | undefined)[] {
    return this.applied.map(({ digest }) => this.bundles.get(digest as Digest));
  }

  async stop(): Promise<void> {
    this.#life.abort();
    await this.running;
  }

  #bundle(digest: Digest): Uint8Array {
    const content = this.bundles.get(digest);
    if (content === undefined) throw new Fault("not-found", { message: `no bundle ${digest}` });
    return new TextEncoder().encode(content);
  }

  #apply(input: ApplyInput): ApplyResult {
    if (this.failing !== undefined) throw this.failing;
    this.applied.push(input);
    const { target, generation, digest } = input;
    const before = this.inventories.get(target) ?? emptyInventory(target);
    const entries = new Map([
      ["/ConfigMap/ns/x", { group: "", version: "v1", kind: "ConfigMap", namespace: "ns", name: "x" }],
    ]);
    const inventory = {
      ...before,
      entries,
      ...(input.only === undefined
        ? { generation, digest: String(digest), applied: this.ends.phase !== "Failed" }
        : {}),
    };
    this.inventories.set(target, inventory);
    const at = this.clock.now();
    const result = { target, generation, digest: String(digest), inventory, startedAt: at, endedAt: at };
    return { ...result, phase: "Applied", counts: counts({ configured: 1 }), outcomes: [], errors: [], ...this.ends };
  }
}

function counts(more: Partial<Record<Action, number>>): Record<Action, number> {
  const none = { created: 0, configured: 0, adopted: 0, unchanged: 0, different: 0, skipped: 0, failed: 0 };
  return { ...none, pruned: 0, deleting: 0, released: 0, prunable: 0, held: 0, ...more };
}

const bad = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"bad"}}';

describe("the keeper of targets", () => {
  it("applies each generation once and rests", async () => {
    const world = new World();
    await world.want([world.target("one", 1)]);
    assert.equal(world.phase, "Done");
    await world.want([world.target("one", 1)]);
    await world.want([world.target("two", 2)]);
    assert.deepEqual(world.contents, ["one", "two"]);
    await world.stop();
  });

  it("names what a sync waits for, goes on when health changes, and tells of hooks", async () => {
    const world = new World();
    const ref = { group: "batch", kind: "Job", namespace: "ns", name: "j" };
    const hooks = [{ ref, id: "PreSync batch/Job/ns/j", state: "succeeded" as const, message: "" }];
    world.ends = { phase: "Pending", waits: "wave 0: Deployment ns/web is Progressing", hooks };
    await world.want([world.target("one", 1)]);
    assert.equal(world.phase, "Applying");
    assert.equal(world.statuses.get(shop)?.problem?.code, "not-now");
    assert.match(world.statuses.get(shop)?.problem?.message ?? "", /it waits: wave 0: Deployment ns\/web/);
    assert.deepEqual(world.events, ["HookSucceeded"]);
    assert.equal(world.applied[0]?.run, "1");
    world.ends = {};
    world.inventories.set(shop, { ...emptyInventory(shop), generation: 1 });
    world.targets.health(shop, world.healthOf(shop));
    await world.clock.advance(1);
    assert.equal(world.phase, "Done");
    assert.equal(world.statuses.get(shop)?.problem, undefined);
    await world.want([world.target("one", 1, { operation: { id: "op", sync: true } })]);
    assert.equal(world.applied.at(-1)?.run, "1.op");
    await world.stop();
  });

  it("looks once at everything after a restart, and then at what is suspected", async () => {
    const world = new World();
    const one = world.target("one", 1);
    const inventory = { ...emptyInventory(shop), generation: 1, digest: digestOf("one"), applied: true };
    world.inventories.set(shop, {
      ...inventory,
      entries: new Map([["k", { group: "", version: "v1", kind: "C", namespace: "", name: "k" }]]),
    });
    await world.want([one]);
    assert.equal(world.applied.length, 1);
    assert.equal(world.applied[0]?.again, false);
    world.targets.suspect(shop, new Set(["k"]));
    await world.clock.advance(1);
    assert.deepEqual(world.applied[1]?.only, new Set(["k"]));
    await world.stop();
  });

  it("does an action once, whatever comes of it, and applies nothing by it", async () => {
    const world = new World();
    await world.want([world.target("a", 1)]);
    const act = (id: string) => ({ operation: { id, actor: "ann", action: { verb: "restart", object: "web" } } });
    await world.want([world.target("a", 1, act("op-1"))]);
    await world.want([world.target("a", 1, act("op-1"))]);
    assert.deepEqual(world.acted, ["restart web"]);
    assert.deepEqual(world.contents, ["a"]);
    assert.equal(world.statuses.get(shop)?.operation, "op-1");
    assert.equal(world.statuses.get(shop)?.operationDone, "restart Deployment d/web");
    world.failing = new Fault("object-owned", { message: "Git sets it." });
    await world.want([world.target("a", 1, act("op-2"))]);
    await world.clock.advance(120_000);
    assert.equal(world.acted.length, 2);
    assert.equal(world.statuses.get(shop)?.operationProblem?.message, "Git sets it.");
    assert.equal(world.phase, "Done");
    assert.deepEqual(world.events, ["ActionDone", "ActionFailed"]);
    await world.stop();
  });

  it("does an operation once, and says so", async () => {
    const world = new World();
    const manual = { policy: { automated: false }, operation: { id: "op-1", sync: true } };
    await world.want([world.target("one", 1, { policy: { automated: false } } as never)]);
    assert.equal(world.phase, "Waiting");
    await world.want([world.target("one", 1, manual as never)]);
    assert.equal(world.phase, "Done");
    assert.equal(world.statuses.get(shop)?.operation, "op-1");
    await world.want([world.target("one", 1, manual as never)]);
    assert.equal(world.applied.length, 1);
    await world.stop();
  });

  it("tries again what failed, with growing waits, and the others go on", async () => {
    const world = new World();
    world.failing = new Fault("cluster-unreachable", { message: "no route" });
    await world.want([world.target("one", 1)]);
    assert.equal(world.phase, "Failed");
    assert.equal(world.statuses.get(shop)?.problem?.code, "cluster-unreachable");
    world.failing = undefined;
    await world.clock.advance(10_000);
    assert.equal(world.phase, "Done");
    assert.equal(world.statuses.get(shop)?.problem, undefined);
    await world.stop();
  });

  it("retries as often as the policy says, and then only with something new", async () => {
    const world = new World();
    world.ends = { phase: "Failed", errors: [new Fault("cluster-refused", { message: "no" })] };
    const policy = { automated: true, retry: { limit: 2, duration: { seconds: 10n }, factor: 2 } };
    const one = world.target("one", 1, { policy } as never);
    await world.want([one]);
    await world.want([one]);
    assert.equal(world.applied.length, 1, "another state is no reason to try sooner");
    await world.clock.advance(600_000);
    assert.equal(world.applied.length, 3);
    assert.equal(world.phase, "Failed");
    assert.match(world.statuses.get(shop)?.problem?.message ?? "", /failed 3 times/);
    await world.want([one]);
    assert.equal(world.applied.length, 3);
    world.ends = {};
    await world.want([world.target("one", 2, { policy } as never)]);
    assert.equal(world.phase, "Done");
    assert.equal(world.statuses.get(shop)?.problem, undefined);
    await world.stop();
  });

  it("looks again at what the engine left alone for a while", async () => {
    const world = new World();
    await world.want([world.target("one", 1)]);
    const objects = new Set(["/ConfigMap/ns/x"]);
    world.ends = { phase: "Different", recheck: { objects, afterMs: 60_000 } };
    world.targets.suspect(shop, objects);
    await world.clock.advance(1);
    assert.equal(world.applied.length, 2);
    world.ends = {};
    await world.want([world.target("one", 1)]);
    await world.clock.advance(59_000);
    assert.equal(world.applied.length, 2);
    await world.clock.advance(2_000);
    assert.deepEqual(world.applied[2]?.only, objects);
    await world.clock.advance(600_000);
    assert.equal(world.applied.length, 3);
    await world.stop();
  });

  it("does not heal while a window forbids changes, and does when it has passed", async () => {
    const world = new World();
    // Closed for the first five minutes of each hour; the clock stands at a full hour.
    const windows = [{ allow: false, schedule: "0 * * * *", duration: { seconds: 300n } }];
    world.clock.jump(3_600_000 - (world.clock.now() % 3_600_000) - 10_000);
    await world.want([world.target("one", 1, { windows } as never)]);
    await world.clock.advance(11_000);
    const ref = { group: "", kind: "ConfigMap", namespace: "ns", name: "x" };
    world.ends = { phase: "Different", outcomes: [{ ref, action: "different" }] };
    world.targets.suspect(shop, new Set(["/ConfigMap/ns/x"]));
    await world.clock.advance(1);
    assert.equal(world.applied.at(-1)?.policy.selfHeal, false);
    await world.clock.advance(330_000);
    assert.equal(world.applied.at(-1)?.policy.selfHeal, true);
    await world.stop();
  });

  it("tries again to heal what it could not heal", async () => {
    const world = new World();
    await world.want([world.target("one", 1)]);
    const ref = { group: "", kind: "ConfigMap", namespace: "ns", name: "x" };
    world.ends = {
      phase: "Failed",
      outcomes: [{ ref, action: "failed", fault: new Fault("timeout", { message: "" }) }],
    };
    world.targets.suspect(shop, new Set(["/ConfigMap/ns/x"]));
    await world.clock.advance(1);
    assert.equal(world.phase, "Failed");
    world.ends = {};
    await world.clock.advance(10_000);
    assert.deepEqual(world.applied.at(-1)?.only, new Set(["/ConfigMap/ns/x"]));
    assert.equal(world.phase, "Done");
    const tried = world.applied.length;
    await world.clock.advance(600_000);
    assert.equal(world.applied.length, tried);
    await world.stop();
  });

  it("does not carry out a tombstone that is older than what is applied", async () => {
    const world = new World();
    await world.want([world.target("one", 12)]);
    await world.want([], ["shop"]);
    assert.deepEqual(world.removed, []);
    assert.equal(world.statuses.get(shop)?.problem?.code, "older-revision");
    assert.ok(world.inventories.has(shop));
    await world.stop();
  });

  it("says what a removal that nobody approved leaves standing, until that is gone", async () => {
    const world = new World();
    const reason = "a person must approve the deletion of a PersistentVolumeClaim";
    const ref = { group: "", kind: "PersistentVolumeClaim", namespace: "ns", name: "data" };
    await world.want([world.target("one", 1)]);
    world.leaves = [{ ref, action: "held", reason }];
    await world.want([], ["shop"]);
    assert.equal(world.phase, "Removing");
    assert.deepEqual(world.removed, []);
    const { problem } = world.statuses.get(shop) ?? {};
    assert.equal(problem?.code, "held");
    assert.match(problem?.message ?? "", /data.*a person must approve/);
    world.leaves = [];
    await world.clock.advance(30_000);
    assert.deepEqual(world.removed, [{ target: shop, generation: 9n }]);
    await world.stop();
  });

  it("keeps what is absent, and removes by tombstone", async () => {
    const world = new World();
    await world.want([world.target("one", 1)]);
    await world.want([]);
    assert.equal(world.phase, "Waiting");
    assert.ok(world.inventories.has(shop));
    world.targets.suspect(shop, new Set(["/ConfigMap/ns/x"]));
    await world.clock.advance(1);
    assert.equal(world.applied.length, 1);
    await world.want([], ["shop"]);
    assert.deepEqual(world.removed, [{ target: shop, generation: 9n }]);
    assert.ok(!world.inventories.has(shop));
    await world.stop();
  });

  it("goes back by itself after the health deadline, stays there, and goes forward with a higher generation only", async () => {
    const world = new World();
    world.health.set(bad, "Degraded");
    const may = { mayRollBackLocally: true, healthDeadline: { seconds: 60n } };
    await world.want([world.target("good", 1, may as never)]);
    assert.equal(world.memories.get(shop)?.good, digestOf("good"));
    await world.want([world.target(bad, 2, may as never)]);
    assert.equal(world.phase, "Settling");
    await world.clock.advance(59_000);
    assert.deepEqual(world.contents, ["good", bad]);
    await world.clock.advance(2_000);
    assert.deepEqual(world.contents, ["good", bad, "good"]);
    assert.equal(world.applied[2]?.generation, 2);
    assert.equal(world.phase, "RolledBack");
    assert.equal(world.statuses.get(shop)?.rolledBackFrom, digestOf(bad));
    assert.deepEqual(world.events, ["RolledBack"]);
    await world.want([world.target(bad, 2, may as never)]);
    assert.equal(world.applied.length, 3);
    await world.want([world.target("fixed", 3, may as never)]);
    assert.equal(world.phase, "Done");
    assert.equal(world.memories.get(shop)?.rolledBack, undefined);
    await world.stop();
  });

  it("finishes a way back that failed, then only watches without self-heal, and goes forward for a person", async () => {
    const world = new World();
    world.health.set(bad, "Degraded");
    const may = { mayRollBackLocally: true, healthDeadline: { seconds: 60n }, policy: { automated: true } };
    await world.want([world.target("good", 1, may as never)]);
    await world.want([world.target(bad, 2, may as never)]);
    world.ends = { phase: "Failed" };
    await world.clock.advance(61_000);
    assert.equal(world.memories.get(shop)?.rolledBack?.done, false);
    world.ends = {};
    await world.clock.advance(60_000);
    assert.equal(world.memories.get(shop)?.rolledBack?.done, true);
    assert.equal(world.applied.at(-1)?.again, true);
    world.targets.suspect(shop, new Set(["/ConfigMap/ns/x"]));
    await world.clock.advance(1);
    const { again, policy } = world.applied.at(-1) ?? assert.fail();
    assert.deepEqual([again, policy.mode], [false, "Observe"]);
    const operation = { id: "op-1", sync: true };
    world.health.set(bad, "Healthy");
    await world.want([world.target(bad, 2, { ...may, operation } as never)]);
    assert.equal(world.contents.at(-1), bad);
    const tried = world.applied.length;
    await world.clock.advance(600_000);
    assert.equal(world.applied.length, tried);
    assert.equal(world.memories.get(shop)?.rolledBack, undefined);
    await world.stop();
  });

  it("does not go back where hooks would have run, where it may not, or when it had been healthy", async () => {
    const hook =
      '{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"j","annotations":{"argocd.argoproj.io/hook":"PreSync"}}}';
    const may = { mayRollBackLocally: true, healthDeadline: { seconds: 60n } };
    for (const [content, more] of [
      [hook, may],
      [bad, { healthDeadline: { seconds: 60n } }],
      [bad, { ...may, mode: Mode.OBSERVE }],
    ] as const) {
      const world = new World();
      world.health.set(content, "Degraded");
      await world.want([world.target("good", 1, may as never)]);
      await world.want([world.target(content, 2, more as never)]);
      await world.clock.advance(200_000);
      assert.equal(world.applied.length, 2);
      await world.stop();
    }
    const world = new World();
    await world.want([world.target("good", 1, may as never)]);
    await world.want([world.target("later", 2, may as never)]);
    world.health.set("later", "Degraded");
    world.targets.health(shop, world.healthOf(shop));
    await world.clock.advance(200_000);
    assert.equal(world.applied.length, 2);
    await world.stop();
  });
});
