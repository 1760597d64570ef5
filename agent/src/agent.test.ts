import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { targetKey } from "@capstan/proto";
import { Health, LiveDiffQuestionSchema, Phase, QuestionSchema, Sync } from "@capstan/proto/agent";
import { Removal } from "@capstan/proto/desired";
import { AgentWorld } from "./platform/grpc/testing/agent-world.ts";
import { KubeInventoryStore } from "./platform/kube/inventory-store.ts";
import { describeOnKube } from "./testing/kube-suite.ts";
import { adminAccount, configMap } from "./testing/kube-world.ts";

describeOnKube("the agent process beside a real API server and a hub that speaks the schema", (suite) => {
  const world = new AgentWorld(suite);
  const { hub } = world;

  before(() => world.prepare("agent-grpc", ["--transport", "grpc"]));
  after(() => world.remove());

  it("joins with a token, connects over mTLS and says what the cluster is", async () => {
    world.agent.start();
    const hello = await world.waiting(() => hub.hellos[0]);
    assert.equal(hub.enrolled[0]?.incarnation, world.incarnation);
    assert.equal(hub.peers[0], `URI:spiffe://${hub.fleet.id}/cluster/a`);
    assert.deepEqual(hello.sealingPublicKey, hub.enrolled[0]?.sealingPublicKey);
    assert.match(hello.facts?.kubernetesVersion ?? "", /^v1\./);
    assert.ok(hello.facts?.apiVersions.includes("apps/v1/Deployment"));
    assert.deepEqual(hello.facts?.writableNamespaces, ["*"]);
    assert.deepEqual(hello.facts?.otherManagers, []);
  });

  it("applies what the desired state names and reports it", async () => {
    world.publish(5n, [world.target("shop", [configMap("shop", { color: "red" })])]);
    const report = await world.reported("shop", 1n, Phase.DONE);
    assert.deepEqual(await world.data("shop"), { color: "red" });
    assert.equal(report.health, Health.HEALTHY);
    assert.equal(report.sync, Sync.SYNCED);
    assert.equal(report.counts?.objects, 1);
  });

  it("refuses an older revision and says why", async () => {
    const old = world.target("shop", [configMap("shop", { color: "old" })], { generation: 9n });
    world.publish(4n, [old]);
    hub.hint(100n);
    await world.waiting(() => hub.batches.some(({ refused }) => refused?.code === "older-revision"));
    assert.deepEqual(await world.data("shop"), { color: "red" });
  });

  it("answers what a bundle would change, and changes nothing", async () => {
    const { bundle } = world.target("shop", [configMap("shop", { color: "blue" }), configMap("shelf")]);
    const ask = {
      case: "liveDiff" as const,
      value: create(LiveDiffQuestionSchema, { ...(bundle === undefined ? {} : { bundle }) }),
    };
    hub.tell({ case: "question", value: create(QuestionSchema, { id: "q1", target: "argocd/shop", ask }) });
    const answer = await world.waiting(() =>
      hub.others
        .flatMap(({ message }) => (message.case === "answer" && message.value.id === "q1" ? [message.value] : []))
        .at(0),
    );
    assert.equal(answer.problem, undefined);
    const { objects } = JSON.parse(new TextDecoder().decode(answer.body)) as {
      objects: { object: string; action: string; differences: { path: string; live: string }[] }[];
    };
    const changed = objects.find(({ object }) => object === "/ConfigMap/default/shop");
    assert.deepEqual(
      changed?.differences.map(({ path, live }) => [path, live]),
      [["data.color", '"red"']],
    );
    assert.ok(objects.some(({ object, action }) => object === "/ConfigMap/default/shelf" && action === "different"));
    assert.deepEqual(await world.data("shop"), { color: "red" });
    hub.tell({ case: "question", value: create(QuestionSchema, { id: "q2", target: "argocd/none", ask }) });
    await world.waiting(() =>
      hub.others.some(({ message }) => message.case === "answer" && message.value.problem?.code === "not-found"),
    );
  });

  it("keeps a target that is absent without a tombstone, and removes one by its tombstone", async () => {
    const mail = world.target("mail", [configMap("mail")], { generation: 6n });
    world.publish(6n, [mail]);
    await world.reported("mail", 6n, Phase.DONE);
    await world.reported("shop", 1n, Phase.WAITING);
    assert.deepEqual(await world.data("shop"), { color: "red" });
    const serviceAccount = `${adminAccount.namespace}/${adminAccount.name}`;
    const tombstone = { namespace: "argocd", name: "shop", removal: Removal.PRUNE, generation: 7n, serviceAccount };
    world.publish(7n, [mail], { tombstones: [tombstone] });
    await world.waiting(() =>
      hub.batches.some(({ removed }) => removed.some((one) => one.name === "shop" && one.generation === 7n)),
    );
    assert.equal(await world.data("shop"), undefined);
  });

  it("has stored what it owns when it ends in order", async () => {
    const mail = world.target("mail", [configMap("mail")], { generation: 7n });
    world.publish(8n, [mail]);
    await world.reported("mail", 7n, Phase.DONE);
    assert.equal(await world.agent.end(), 0);
    const store = new KubeInventoryStore(suite.world.client, "agent-grpc");
    assert.equal((await store.read(targetKey("argocd", "mail"), suite.world.signal)).generation, 7);
    const heard = hub.hellos.length;
    world.agent.start();
    await world.waiting(() => hub.hellos[heard]);
  });

  it("restarts and heals drift with the hub gone, from its cache in the cluster", async () => {
    assert.equal(await world.agent.end(), 0);
    hub.stop();
    const mail = "/api/v1/namespaces/default/configmaps/mail";
    await suite.world.patch(mail, { data: { key: "drifted" } });
    world.agent.start();
    await world.waiting(async () => (await world.data("mail"))?.["key"] === "value");
    await suite.world.patch(mail, { data: { key: "again" } });
    await world.waiting(async () => (await world.data("mail"))?.["key"] === "value");
  });

  it("comes back to the hub and brings the state that it holds", async () => {
    const heard = hub.hellos.length;
    await hub.start();
    const hello = await world.waiting(() => hub.hellos[heard]);
    assert.equal(hello.highWater, 8n);
    assert.ok(hello.held !== undefined);
    const settled = () => hub.batches.at(-1)?.full === true && hub.latest.get("argocd/mail")?.phase === Phase.DONE;
    await world.waiting(settled);
  });

  it("survives being killed at any moment: every generation arrives, and no revision goes back", async () => {
    const names = Array.from({ length: 12 }, (_, n) => `app-${n}`);
    for (let round = 0; round < 4; round++) {
      const revision = BigInt(20 + round);
      const text = `round-${round}`;
      const of = (name: string) => world.target(name, [configMap(name, { text })], { generation: revision });
      world.publish(revision, names.map(of));
      const halfway = names[round * 3] ?? "app-0";
      if (round < 3) await world.waiting(async () => (await world.data(halfway))?.["text"] === text);
      await world.agent.end("SIGKILL");
      world.agent.start();
    }
    for (const name of names) {
      await world.waiting(async () => (await world.data(name))?.["text"] === "round-3");
      await world.reported(name, 23n, Phase.DONE);
    }
    const revisions = hub.hellos.map(({ highWater }) => highWater);
    assert.deepEqual(
      revisions,
      [...revisions].sort((a, b) => Number(a - b)),
    );
  });

  it("does not leave secrets of its bundles in log or reports", async () => {
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s" },
      stringData: { password: "hunter2hunter2" },
    };
    world.publish(30n, [
      world.target(
        "vault",
        [
          secret,
          {
            apiVersion: "v1",
            kind: "Secret",
            metadata: { name: "NOT VALID" },
            stringData: { password: "hunter2hunter2" },
          },
        ],
        { generation: 30n },
      ),
    ]);
    await world.reported("vault", 30n, Phase.FAILED);
    const said = JSON.stringify([hub.batches, hub.others], (_, value) =>
      typeof value === "bigint" ? String(value) : value,
    );
    for (const text of [said, world.agent.log]) {
      assert.ok(!text.includes("hunter2"));
      assert.ok(!text.includes(Buffer.from("hunter2hunter2").toString("base64")));
    }
  });

  it("ends where another agent writes its cache, as two would undo each other's work", async () => {
    const head = "/api/v1/namespaces/agent-grpc/secrets/capstan-cache-head";
    await suite.world.patch(head, { metadata: { annotations: { "example.com/other": "was here" } } });
    world.publish(31n, [world.target("late", [configMap("late")], { generation: 31n })]);
    assert.equal(await world.agent.ended, 70);
    await world.waiting(() => world.agent.log.includes("capstan-agent: "));
    assert.equal(await world.data("late"), undefined);
  });
});
