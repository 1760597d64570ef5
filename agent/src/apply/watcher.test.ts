import assert from "node:assert/strict";
import { it } from "node:test";
import { type TargetKey, targetKey } from "@capstan/proto";
import { describeOnKube, type KubeSuite, show } from "../testing/kube-suite.ts";
import { configMap, deployment, KubeWorld, plainPolicy } from "../testing/kube-world.ts";
import { until } from "../testing/until.ts";
import type { ApplyPolicy, ApplyResult } from "./model.ts";
import { type TargetEvent, TargetWatcher } from "./watcher.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const deployments = "/apis/apps/v1/namespaces/default/deployments";

/** What an agent does with the watcher: every suspicion becomes a pass over these objects. */
class Keeper {
  readonly world: KubeWorld;
  readonly watcher: TargetWatcher;
  readonly events: TargetEvent[] = [];
  readonly checks: ApplyResult[] = [];
  readonly #bundles = new Map<TargetKey, Bundle>();
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(suite: KubeSuite) {
    this.world = new KubeWorld(suite.server);
    // One agent has one set of books; the suites' worlds share theirs.
    Object.assign(this.world.ports, { inventory: suite.world.ports.inventory });
    const { memory, clock } = this.world.ports;
    this.watcher = new TargetWatcher({ watches: this.world.reflector, memory, clock });
    this.#done = this.watcher.run((event) => {
      this.events.push(event);
      if (event.kind === "suspect") void this.check(event.target, event.objects);
    }, this.#stop.signal);
  }

  async apply(name: string, objects: readonly unknown[], policy = plainPolicy, generation = 1): Promise<ApplyResult> {
    this.#bundles.set(targetKey("argocd", name), { name, objects, policy, generation });
    const result = await this.world.apply(name, objects, { policy, generation });
    this.watcher.track(result.inventory);
    return result;
  }

  async check(target: TargetKey, only: ReadonlySet<string>): Promise<void> {
    const bundle = this.#bundles.get(target);
    if (bundle === undefined) return;
    const { name, objects, policy, generation } = bundle;
    const check = await this.world.apply(name, objects, { policy, generation, only });
    this.watcher.track(check.inventory);
    this.checks.push(check);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    this.world.stop();
  }
}

interface Bundle {
  readonly name: string;
  readonly objects: readonly unknown[];
  readonly policy: ApplyPolicy;
  readonly generation: number;
}

describeOnKube("watching", (suite) => {
  it("notices a changed field, says who changed it, and puts it right", async () => {
    await using keeper = disposable(new Keeper(suite));
    const { world } = keeper;
    await keeper.apply("a", [configMap("a-1"), configMap("a-2")]);
    await untilKnown(keeper, "a");
    const start = performance.now();
    await world.patch(`${maps}/a-1?fieldManager=kubectl-edit`, { data: { key: "changed" } });
    await until(
      async () => (await world.get(`${maps}/a-1`))?.["data"] && dataOf(await world.get(`${maps}/a-1`)) === "value",
    );
    assert.ok(performance.now() - start < 5000);
    const check = await until(() => keeper.checks.at(-1));
    assert.equal(check.counts.configured, 1, show(check));
    const difference = check.outcomes[0]?.differences?.[0];
    assert.equal(difference?.path, "data.key");
    assert.equal(difference.live, '"changed"');
    assert.equal(difference.wanted, '"value"');
    assert.equal(difference.manager, "kubectl-edit");
    assert.match(difference.time ?? "", /^\d{4}-/);
    const asked = world.requests.filter((request) => request.path.includes("dryRun") && request.path.includes("a-2"));
    assert.equal(asked.length, 1, "the other object was asked about only when it was made");
  });

  it("makes a deleted object again", async () => {
    await using keeper = disposable(new Keeper(suite));
    const { world } = keeper;
    await keeper.apply("b", [configMap("b-1")]);
    await untilKnown(keeper, "b");
    const first = (await world.get(`${maps}/b-1`))?.metadata.uid;
    await world.send("DELETE", `${maps}/b-1`);
    await until(async () => {
      const uid = (await world.get(`${maps}/b-1`))?.metadata.uid;
      return uid !== undefined && uid !== first;
    });
    await until(() => keeper.watcher.health(targetKey("argocd", "b")).status === "Healthy");
  });

  it("only reports where self-heal is off, also after a restart", async () => {
    const policy = { ...plainPolicy, selfHeal: false };
    const keeper = new Keeper(suite);
    const { world } = keeper;
    await keeper.apply("c", [configMap("c-1")], policy);
    await untilKnown(keeper, "c");
    await world.patch(`${maps}/c-1?fieldManager=kubectl-edit`, { data: { key: "changed" } });
    const check = await until(() => keeper.checks.at(-1));
    assert.equal(check.counts.different, 1, show(check));
    assert.equal(check.outcomes[0]?.differences?.[0]?.path, "data.key");
    await keeper.stop();
    await using next = disposable(new Keeper(suite));
    const again = await next.apply("c", [configMap("c-1")], policy);
    assert.equal(again.counts.different, 1, show(again));
    assert.equal(dataOf(await suite.world.get(`${maps}/c-1`)), "changed");
    const newer = await next.apply("c", [configMap("c-1")], policy, 2);
    assert.equal(newer.counts.configured, 1, show(newer));
  });

  it("asks nothing about an object that it sees unchanged", async () => {
    await using keeper = disposable(new Keeper(suite));
    const { world } = keeper;
    const bundle = [configMap("d-1"), configMap("d-2"), deployment("d-web")];
    await keeper.apply("d", bundle);
    await untilKnown(keeper, "d");
    world.forgetRequests();
    const result = await keeper.apply("d", bundle, plainPolicy, 2);
    assert.equal(result.counts.unchanged, 3, show(result));
    const asked = world.requests.filter((request) => !request.path.includes("capstan-inventory"));
    assert.deepEqual(asked, []);
  });

  it("follows health, and asks nothing when only a status changes", async () => {
    await using keeper = disposable(new Keeper(suite));
    const { world } = keeper;
    const target = targetKey("argocd", "e");
    await keeper.apply("e", [deployment("e-web")]);
    await untilKnown(keeper, "e");
    assert.equal(keeper.watcher.health(target).status, "Progressing");
    world.forgetRequests();
    const status = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1, readyReplicas: 1 };
    await world.patch(`${deployments}/e-web/status`, { status });
    await until(() => keeper.watcher.health(target).status === "Healthy");
    await until(() => keeper.events.some((event) => event.kind === "health" && event.health.status === "Healthy"));
    const condition = { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" };
    await world.patch(`${deployments}/e-web/status`, { status: { conditions: [condition] } });
    await until(() => keeper.watcher.health(target).status === "Degraded");
    assert.match(keeper.watcher.health(target).message, /^Deployment default\/e-web: .*progress deadline/);
    assert.deepEqual(keeper.checks, []);
  });

  it("stops correcting for a while when somebody changes it back each time", async () => {
    await using keeper = disposable(new Keeper(suite));
    const { world } = keeper;
    await keeper.apply("f", [configMap("f-1")]);
    await untilKnown(keeper, "f");
    for (let round = 0; round < 5; round++) {
      await world.patch(`${maps}/f-1?fieldManager=fighter`, { data: { key: "theirs" } });
      await until(async () => dataOf(await world.get(`${maps}/f-1`)) === "value");
      await untilKnown(keeper, "f");
    }
    await world.patch(`${maps}/f-1?fieldManager=fighter`, { data: { key: "theirs" } });
    const damped = await until(() => keeper.checks.find((check) => check.recheck !== undefined));
    assert.equal(damped.counts.different, 1, show(damped));
    assert.match(damped.outcomes[0]?.reason ?? "", /changes it back each time/);
    assert.equal(damped.outcomes[0]?.differences?.[0]?.manager, "fighter");
    assert.equal(dataOf(await world.get(`${maps}/f-1`)), "theirs");
  });

  it("lets go of an object when its finalizers end, and does not count it as ill meanwhile", async () => {
    await using keeper = disposable(new Keeper(suite));
    const { world } = keeper;
    const target = targetKey("argocd", "h");
    const held = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "h-1", finalizers: ["example.com/wait"] } };
    await keeper.apply("h", [held, configMap("h-2")]);
    const pending = await keeper.apply("h", [configMap("h-2")], plainPolicy, 2);
    assert.equal(pending.phase, "Pending", show(pending));
    await until(() => keeper.watcher.health(target).status === "Healthy");
    await world.patch(`${maps}/h-1`, { metadata: { finalizers: null } });
    const check = await until(() => keeper.checks.at(-1));
    assert.equal(check.counts.pruned, 1, show(check));
    assert.equal(check.inventory.entries.size, 1);
    assert.equal(keeper.watcher.health(target).status, "Healthy");
  });

  it("follows objects of a kind whose CRD comes later", async () => {
    await using keeper = disposable(new Keeper(suite));
    const { world } = keeper;
    const gadget = { apiVersion: "example.com/v1", kind: "Gadget", metadata: { name: "g" }, spec: { size: 1 } };
    const result = await keeper.apply("g", [gadgetDefinition(), gadget]);
    assert.equal(result.phase, "Applied", show(result));
    await untilKnown(keeper, "g");
    const path = "/apis/example.com/v1/namespaces/default/gadgets/g";
    await world.patch(path, { spec: { size: 2 } });
    await until(async () => ((await world.get(path))?.["spec"] as { size?: number } | undefined)?.size === 1);
  });
});

/** Waits until the watch has shown all objects of a target as its passes left them. */
async function untilKnown(keeper: Keeper, name: string): Promise<void> {
  const target = targetKey("argocd", name);
  const inventory = await keeper.world.ports.inventory.read(target, keeper.world.signal);
  await until(() => [...inventory.entries.keys()].every((key) => keeper.world.ports.memory.vouched(key)));
}

function disposable(keeper: Keeper): Keeper & AsyncDisposable {
  return Object.assign(keeper, { [Symbol.asyncDispose]: () => keeper.stop() });
}

function dataOf(object: unknown): unknown {
  return (object as { data?: { key?: string } } | undefined)?.data?.key;
}

function gadgetDefinition(): unknown {
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "gadgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "gadgets", singular: "gadget", kind: "Gadget", listKind: "GadgetList" },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  };
}
