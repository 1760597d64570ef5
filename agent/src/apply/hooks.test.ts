import assert from "node:assert/strict";
import { it } from "node:test";
import type { KubeObject } from "../inventory/object.ts";
import { type Kill, killAfter, killUnanswered } from "../testing/kills.ts";
import { describeOnKube, show } from "../testing/kube-suite.ts";
import { configMap, deployment, KubeWorld, plainPolicy } from "../testing/kube-world.ts";
import type { ApplyInput, ApplyPolicy } from "./model.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const jobs = "/apis/batch/v1/namespaces/default/jobs";
const deployments = "/apis/apps/v1/namespaces/default/deployments";
const hookIs = "argocd.argoproj.io/hook";
const waveIs = "argocd.argoproj.io/sync-wave";
const deletesWhen = "argocd.argoproj.io/hook-delete-policy";

describeOnKube("waves and hooks", (suite) => {
  /** A pass of the sync of one generation. */
  function sync(name: string, objects: readonly unknown[], more: Partial<ApplyInput> & { policy?: ApplyPolicy } = {}) {
    const generation = more.generation ?? 1;
    return suite.world.apply(name, objects, { run: `${generation}`, digest: `${name}${generation}`, ...more });
  }

  it("a wave begins when the one before it is healthy, and waits name it", async () => {
    const { world } = suite;
    const bundle = [
      annotated(configMap("w-last"), { [waveIs]: "2" }),
      annotated(deployment("w-web"), { [waveIs]: "1" }),
      annotated(configMap("w-first"), { [waveIs]: "-1" }),
    ];
    const first = await sync("w", bundle);
    assert.equal(first.phase, "Pending", show(first));
    assert.equal(first.counts.created, 2);
    assert.match(first.waits ?? "", /^wave 1: Deployment default\/w-web is Progressing/);
    assert.equal(first.inventory.applied, false);
    assert.equal(await world.get(`${maps}/w-last`), undefined);
    const still = await sync("w", bundle);
    assert.equal(still.phase, "Pending");
    await becomesReady(world, "w-web");
    const last = await sync("w", bundle);
    assert.equal(last.phase, "Applied", show(last));
    assert.equal(last.counts.created, 1);
    assert.equal(last.inventory.applied, true);
  });

  it("a degraded object fails its wave: what comes after it is not applied", async () => {
    const { world } = suite;
    const bundle = [deployment("d-web"), annotated(configMap("d-last"), { [waveIs]: "1" })];
    await sync("d", bundle);
    const reason = { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message: "too slow" };
    await status(world, `${deployments}/d-web`, { observedGeneration: 1, conditions: [reason] });
    const result = await sync("d", bundle);
    assert.equal(result.phase, "Failed", show(result));
    assert.match(result.errors[0]?.message ?? "", /d-web is Degraded.*waves after it were not applied/);
    assert.equal(await world.get(`${maps}/d-last`), undefined);
  });

  it("a Namespace and a CRD go before what needs them, whatever wave they name", async () => {
    const { world } = suite;
    const space = { apiVersion: "v1", kind: "Namespace", metadata: { name: "late-space" } };
    const bundle = [
      annotated(configMap("n-1", {}, "late-space"), { [waveIs]: "-3" }),
      annotated(configMap("n-hook", {}, "late-space"), { [hookIs]: "PreSync" }),
      annotated(space, { [waveIs]: "5" }),
    ];
    const result = await sync("n", bundle);
    assert.equal(result.phase, "Applied", show(result));
    assert.ok(await world.get("/api/v1/namespaces/late-space/configmaps/n-hook"));
  });

  it("hooks run in their phases, once a generation, and the next one runs them anew", async () => {
    const { world } = suite;
    const bundle = (data: string) => [
      job("p-before", "PreSync"),
      configMap("p-config", { data }),
      deployment("p-web"),
      job("p-after", "PostSync", { [deletesWhen]: "HookSucceeded" }),
    ];
    const begun = await sync("p", bundle("1"));
    assert.equal(begun.phase, "Pending", show(begun));
    assert.match(begun.waits ?? "", /PreSync wave 0: PreSync hook Job default\/p-before runs/);
    assert.equal(await world.get(`${maps}/p-config`), undefined);
    assert.equal(begun.inventory.entries.size, 0);
    const uid = (await world.get(`${jobs}/p-before`))?.metadata.uid;
    await ends(world, "p-before", "Complete");
    const applied = await sync("p", bundle("1"));
    assert.match(applied.waits ?? "", /wave 0: Deployment default\/p-web/, show(applied));
    assert.deepEqual((await world.get(`${jobs}/p-before`))?.metadata.finalizers ?? [], []);
    assert.equal(await world.get(`${jobs}/p-after`), undefined);
    await becomesReady(world, "p-web");
    assert.match((await sync("p", bundle("1"))).waits ?? "", /PostSync hook Job default\/p-after/);
    await ends(world, "p-after", "Complete");
    const done = await sync("p", bundle("1"));
    assert.equal(done.phase, "Applied", show(done));
    assert.equal(await world.get(`${jobs}/p-after`), undefined, "deleted, as it succeeded");
    world.forgetRequests();
    const policyOnly = await sync("p", bundle("1"), { generation: 2, digest: "p1" });
    assert.equal(policyOnly.phase, "Applied", "the same content is no sync");
    assert.deepEqual(
      world.writes.filter(({ path }) => path.includes("jobs")),
      [],
    );
    const next = await sync("p", bundle("2"), { generation: 3 });
    assert.match(next.waits ?? "", /PreSync hook Job default\/p-before/, show(next));
    assert.notEqual((await world.get(`${jobs}/p-before`))?.metadata.uid, uid);
  });

  it("a failed hook stops its sync, runs the SyncFail hooks once, and is tried again when that is due", async () => {
    const { world } = suite;
    const policy = { ...plainPolicy, hookRetry: { limit: 1, firstMs: 0, factor: 1, longestMs: 0 } };
    const late = { ...plainPolicy, hookRetry: { limit: 1, firstMs: 3_600_000, factor: 1, longestMs: 3_600_000 } };
    const bundle = [
      job("f-before", "PreSync"),
      configMap("f-config"),
      annotated(configMap("f-alarm"), { [hookIs]: "SyncFail" }),
    ];
    await sync("f", bundle, { policy: late });
    const first = (await world.get(`${jobs}/f-before`))?.metadata.uid;
    await ends(world, "f-before", "Failed");
    const failed = await sync("f", bundle, { policy: late });
    assert.equal(failed.phase, "Failed", show(failed));
    assert.equal(failed.errors[0]?.code, "hook-failed");
    assert.match(failed.errors[0]?.message ?? "", /PreSync hook Job default\/f-before failed: .*BackoffLimitExceeded/);
    assert.ok(await world.get(`${maps}/f-alarm`));
    assert.equal(await world.get(`${maps}/f-config`), undefined);
    const alarm = (await world.get(`${maps}/f-alarm`))?.metadata.uid;
    assert.equal((await sync("f", bundle, { policy: late })).phase, "Failed", "not due yet");
    assert.equal((await world.get(`${jobs}/f-before`))?.metadata.uid, first);
    const again = await sync("f", bundle, { policy });
    assert.equal(again.phase, "Pending", show(again));
    assert.notEqual((await world.get(`${jobs}/f-before`))?.metadata.uid, first);
    await ends(world, "f-before", "Failed");
    await sync("f", bundle, { policy });
    assert.equal((await sync("f", bundle, { policy })).phase, "Failed", "given up");
    assert.equal((await world.get(`${maps}/f-alarm`))?.metadata.uid, alarm);
    const asked = await sync("f", bundle, { policy, run: "1.op", again: true });
    assert.equal(asked.phase, "Pending", show(asked));
  });

  it("a generated name is the same for the same run, and the older object goes", async () => {
    const { world } = suite;
    const generated = { ...(job("x", "PreSync") as KubeObject) };
    const hook = { ...generated, metadata: { generateName: "g-run-", annotations: generated.metadata.annotations } };
    const bundle = (value: string) => [hook, configMap("g-config", { value })];
    await sync("g", bundle("1"));
    const [name = ""] = await named("g-run-");
    assert.match(name, /^g-run-[a-z0-9]{10}$/);
    await sync("g", bundle("1"));
    assert.deepEqual(await named("g-run-"), [name]);
    await ends(world, name, "Complete");
    assert.equal((await sync("g", bundle("1"))).phase, "Applied");
    await sync("g", bundle("2"), { generation: 2 });
    const [next = "", ...more] = await named("g-run-");
    assert.notEqual(next, name);
    assert.deepEqual(more, []);
  });

  it("Helm's hooks are mapped, and its tests never run", async () => {
    const { world } = suite;
    const bundle = [
      annotated(configMap("h-before"), { "helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-weight": "-5" }),
      annotated(job("h-job", undefined) as KubeObject, { "helm.sh/hook": "pre-upgrade" }),
      annotated(configMap("h-test"), { "helm.sh/hook": "test" }),
      configMap("h-config"),
    ];
    const first = await sync("h", bundle);
    assert.match(first.waits ?? "", /Job default\/h-job/, show(first));
    assert.ok(await world.get(`${maps}/h-before`));
    await ends(world, "h-job", "Complete");
    const done = await sync("h", bundle);
    assert.equal(done.phase, "Applied", show(done));
    assert.equal(await world.get(`${maps}/h-test`), undefined);
    assert.equal(done.inventory.entries.size, 1);
  });

  it("an object of a hook's name that nobody made as a hook is left alone", async () => {
    const { world } = suite;
    await world.send("POST", maps, configMap("o-1", { theirs: "1" }));
    const result = await sync("o", [annotated(configMap("o-1"), { [hookIs]: "PreSync" }), configMap("o-2")]);
    assert.equal(result.phase, "Failed", show(result));
    assert.equal(result.errors[0]?.code, "object-owned");
    assert.deepEqual((await world.get(`${maps}/o-1`))?.["data"], { theirs: "1" });
  });

  it("a check of what is applied runs no hook and waits for no wave", async () => {
    const { world } = suite;
    const bundle = [annotated(configMap("c-hook"), { [hookIs]: "PostSync" }), deployment("c-web"), configMap("c-1")];
    await sync("c", bundle);
    const looked = await suite.world.apply("c", bundle, { only: new Set(["/ConfigMap/default/c-1"]) });
    assert.equal(looked.phase, "Applied", show(looked));
    const observed = await sync("c", bundle, { policy: { ...plainPolicy, mode: "Observe" } });
    assert.equal(observed.phase, "Applied", show(observed));
    assert.equal(await world.get(`${maps}/c-hook`), undefined);
  });

  it("taking over what stands as it should runs no hook; the next content does", async () => {
    const { world } = suite;
    await world.send("POST", `${maps}?fieldManager=argocd-controller`, configMap("a-1"));
    const hook = annotated(configMap("a-hook"), { [hookIs]: "PreSync" });
    const taken = await sync("a", [configMap("a-1"), hook]);
    assert.equal(taken.phase, "Applied", show(taken));
    assert.equal(taken.counts.adopted, 1);
    assert.equal(await world.get(`${maps}/a-hook`), undefined);
    await sync("a", [configMap("a-1", { key: "2" }), hook], { generation: 2 });
    assert.ok(await world.get(`${maps}/a-hook`));
  });

  it("PreDelete hooks hold a removal until they succeed, PostDelete hooks run after it, and nothing is left", async () => {
    const { world } = suite;
    const bundle = [configMap("r-1"), job("r-backup", "PreDelete"), job("r-bye", "PostDelete")];
    const applied = await sync("r", bundle);
    assert.equal(applied.phase, "Applied", show(applied));
    assert.equal(await world.get(`${jobs}/r-backup`), undefined);
    // Another process, that knows no bundle.
    const after = new KubeWorld(suite.server);
    try {
      const waiting = await after.remove("r", "prune");
      assert.equal(waiting.done, false);
      assert.match(waiting.waits ?? "", /PreDelete hook Job default\/r-backup runs/);
      assert.ok(await world.get(`${maps}/r-1`));
      await ends(world, "r-backup", "Complete");
      const second = await after.remove("r", "prune");
      assert.match(second.waits ?? "", /PostDelete hook Job default\/r-bye/, show(second));
      assert.equal(await world.get(`${maps}/r-1`), undefined);
      await ends(world, "r-bye", "Complete");
      assert.equal((await after.remove("r", "prune")).done, true);
      assert.deepEqual(await named("r-"), []);
    } finally {
      after.stop();
    }
  });

  it("a target that leaves but keeps its objects runs none, and leaves no finalizer", async () => {
    const { world } = suite;
    await sync("k", [configMap("k-1"), job("k-before", "PreSync"), job("k-bye", "PreDelete")]);
    assert.equal((await world.remove("k", "keep")).done, true);
    assert.deepEqual((await world.get(`${jobs}/k-before`))?.metadata.finalizers ?? [], []);
    assert.equal(await world.get(`${jobs}/k-bye`), undefined);
    await world.send("DELETE", `${jobs}/k-before`);
  });

  it("a hook that was deleted before it ended has failed; one that deletes itself at its end has not", async () => {
    const { world } = suite;
    const bundle = [job("t-a", "PreSync"), job("t-b", "PreSync"), configMap("t-1")];
    await sync("t", bundle);
    await ends(world, "t-a", "Complete");
    for (const name of ["t-a", "t-b"]) await world.send("DELETE", `${jobs}/${name}?propagationPolicy=Background`);
    const result = await sync("t", bundle);
    assert.equal(result.phase, "Failed", show(result));
    assert.match(result.errors[0]?.message ?? "", /t-b failed: it was deleted before it ended/);
    assert.equal(result.errors.length, 1);
    assert.deepEqual(await named("t-"), []);
  });

  it("a kill between any two requests makes no hook run twice", () => rounds("z", killAfter));

  it("a kill before an answer is heard makes no hook run twice", () => rounds("y", killUnanswered));

  async function rounds(prefix: string, kill: Kill): Promise<void> {
    let count = 0;
    while (!(await killedOnce(`${prefix}${count}`, (agent) => kill(agent, count)))) count++;
    assert.ok(count >= 15, `only ${count} kills: the sync has too few requests for this to say anything`);
  }

  /** A sync whose first process dies; another one goes on. True: nothing was killed. */
  async function killedOnce(name: string, kill: (agent: KubeWorld) => void): Promise<boolean> {
    const { world } = suite;
    const before = `${jobs}/${name}-before`;
    const bundle = [
      job(`${name}-before`, "PreSync", { [deletesWhen]: "HookSucceeded" }),
      configMap(`${name}-1`),
      annotated(configMap(`${name}-after`), { [hookIs]: "PostSync" }),
    ];
    const seen = new Set<string | undefined>();
    const pass = async (agent: KubeWorld) => {
      const result = await agent.apply(name, bundle, { run: "1", digest: name }).catch(() => undefined);
      const live = await world.get(before);
      if (live !== undefined) seen.add(live.metadata.uid);
      if (live !== undefined) await ends(world, `${name}-before`, "Complete");
      return result?.phase;
    };
    const mortal = new KubeWorld(suite.server);
    kill(mortal);
    let phase = await pass(mortal);
    while (phase === "Pending") phase = await pass(mortal);
    mortal.stop();
    const survived = phase === "Applied";
    const next = new KubeWorld(suite.server);
    for (let passes = 0; phase !== "Applied"; passes++) {
      assert.ok(passes < 10, `${name} does not come to an end`);
      phase = await pass(next);
    }
    next.stop();
    assert.equal(seen.size, 1, `${name} ran ${seen.size} times`);
    assert.equal(await world.get(before), undefined);
    assert.ok(await world.get(`${maps}/${name}-after`));
    return survived;
  }

  async function named(prefix: string): Promise<readonly string[]> {
    const list = (await suite.world.get(jobs)) as unknown as { items: readonly { metadata: { name: string } }[] };
    return list.items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith(prefix));
  }
});

function annotated(manifest: unknown, annotations: Record<string, string>): unknown {
  const { metadata, ...rest } = manifest as KubeObject;
  return { ...rest, metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } } };
}

function job(name: string, phase: string | undefined, more: Record<string, string> = {}): unknown {
  const annotations = { ...(phase === undefined ? {} : { [hookIs]: phase }), ...more };
  const spec = { restartPolicy: "Never", containers: [{ name: "main", image: "busybox" }] };
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name, annotations }, spec: { template: { spec } } };
}

/** The part of the Job controller. */
async function ends(world: KubeWorld, name: string, how: "Complete" | "Failed"): Promise<void> {
  const live = await world.get(`${jobs}/${name}`);
  const conditions = live?.["status"] as { conditions?: readonly { type: string }[] } | undefined;
  if (live === undefined || conditions?.conditions?.some(({ type }) => type === how)) return;
  const at = "2026-01-01T00:00:00Z";
  const first = how === "Complete" ? "SuccessCriteriaMet" : "FailureTarget";
  const reason = how === "Complete" ? "CompletionsReached" : "BackoffLimitExceeded";
  const condition = (type: string) => ({ type, status: "True", reason, message: reason, lastTransitionTime: at });
  await status(world, `${jobs}/${name}`, {
    startTime: at,
    ...(how === "Complete" ? { completionTime: at, succeeded: 1 } : {}),
    conditions: [condition(first), condition(how)],
  });
}

/** The part of the Deployment controller. */
function becomesReady(world: KubeWorld, name: string) {
  const replicas = { replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
  return status(world, `${deployments}/${name}`, { observedGeneration: 1, ...replicas });
}

function status(world: KubeWorld, path: string, value: unknown) {
  return world.patch(`${path}/status`, { status: value });
}
