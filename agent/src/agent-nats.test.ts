import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { Phase } from "@capstan/proto/agent";
import { AgentWorld } from "./platform/grpc/testing/agent-world.ts";
import { findNats, NatsServer } from "./platform/nats/testing/server.ts";
import { describeOnKube } from "./testing/kube-suite.ts";
import { configMap } from "./testing/kube-world.ts";

const binary = findNats();

describeOnKube("the agent process with a real nats-server", (suite) => {
  const world = new AgentWorld(suite);
  const { hub } = world;
  const skip = binary === undefined ? "no nats-server" : false;
  let nats: NatsServer;

  before(async () => {
    nats = await NatsServer.prepare(binary ?? "");
    hub.natsUrls = [nats.url];
    await world.prepare("agent-nats", ["--transport", "auto"]);
    world.agent.start();
    await world.waiting(() => hub.enrolled[0]);
  });
  after(async () => {
    await world.remove();
    await nats.remove();
  });

  const version = async (name: string) => (await world.data(name))?.["version"];

  it("gets its state and bundles from NATS by a hint, with nothing to be had over gRPC", { skip }, async () => {
    await nats.start(hub.enrolled[0]?.natsPublicKey ?? "");
    await world.waiting(
      () => world.agent.log.includes('"room":"nats"') && world.agent.log.includes('"msg":"connected"'),
    );
    const target = world.target("one", [configMap("one", { version: "1" })]);
    await nats.store(hub.fleet.chunks);
    hub.serving = false;
    await nats.publish(world.signed(1n, [target]), 1n);
    await world.waiting(async () => (await version("one")) === "1");
  });

  it("waits for a bundle that is not stored yet, and the other targets go on", { skip }, async () => {
    const there = world.target("two", [configMap("two", { version: "2" })], { generation: 2n });
    await nats.store(hub.fleet.chunks);
    const missing = world.target("one", [configMap("one", { version: "2" })], { generation: 2n });
    await nats.publish(world.signed(2n, [missing, there]), 2n);
    await world.waiting(async () => (await version("two")) === "2");
    const report = await world.reported("one", 2n, Phase.FETCHING);
    assert.equal(report.problems[0]?.code, "not-found");
    assert.equal(await version("one"), "1");
    await nats.store(hub.fleet.chunks);
    await world.waiting(async () => (await version("one")) === "2");
  });

  it("reads over gRPC while NATS is gone, and from NATS again when it is back", { skip }, async () => {
    await nats.kill();
    hub.serving = true;
    world.publish(3n, [world.target("one", [configMap("one", { version: "3" })], { generation: 3n })]);
    await world.waiting(async () => (await version("one")) === "3");
    const connects = world.agent.log.split('"msg":"connected"').length;
    await nats.start(hub.enrolled[0]?.natsPublicKey ?? "");
    await world.waiting(() => world.agent.log.split('"msg":"connected"').length > connects);
    hub.serving = false;
    const target = world.target("one", [configMap("one", { version: "4" })], { generation: 4n });
    await nats.store(hub.fleet.chunks);
    await nats.publish(world.signed(4n, [target]), 4n);
    await world.waiting(async () => (await version("one")) === "4");
  });

  it("refuses what a NATS that was set back offers", { skip }, async () => {
    const old = world.target("one", [configMap("one", { version: "1" })], { generation: 1n });
    await nats.publish(world.signed(1n, [old]), 99n);
    await world.waiting(() => hub.batches.some(({ refused }) => refused?.code === "older-revision"));
    assert.equal(await version("one"), "4");
  });
});
