import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type ClusterId, Fault, parseDigest, systemClock } from "@capstan/proto";
import { seededChance } from "@capstan/proto/testing";
import type { Identity } from "../../identity/model.ts";
import { until } from "../../testing/until.ts";
import { agentCrypto } from "../crypto/keys.ts";
import { TestFleet } from "../grpc/testing/fleet.ts";
import { NatsLink } from "./connection.ts";
import { findNats, NatsServer } from "./testing/server.ts";

const binary = findNats();

describe("hints and reads over a real nats-server", { skip: binary === undefined ? "no nats-server" : false }, () => {
  const keys = agentCrypto.makeKeys();
  const fleet = new TestFleet();
  const life = new AbortController();
  const { signal } = life;
  const hints: bigint[] = [];
  let connects = 0;
  let losses = 0;
  let server: NatsServer;
  let link: NatsLink;
  let running: Promise<void>;

  before(async () => {
    server = await NatsServer.prepare(binary ?? "");
    const natsKey = agentCrypto.natsPublic(keys.nats);
    await server.start(natsKey);
    const credential = { keys, natsUrls: [server.url], natsJwt: "jwt", ca: [] };
    const identity = { cluster: "a" as ClusterId, credential } as unknown as Identity;
    link = new NatsLink(() => identity, systemClock, seededChance(5));
    const sink = {
      hint: (revision: bigint) => hints.push(revision),
      connected: () => connects++,
      disconnected: () => losses++,
    };
    running = link.run(sink, signal);
    await until(() => connects > 0);
  });

  after(async () => {
    life.abort();
    await running;
    await server.remove();
  });

  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => "no fault",
      (thrown: unknown) => Fault.from(thrown).code,
    );

  it("says that there is no state yet, reads the one that is stored, and none once it is deleted", async () => {
    assert.equal(await link.read(signal), undefined);
    const signed = fleet.sign({ revision: 3n });
    await server.publish(signed, 3n);
    const read = await link.read(signal);
    assert.equal(Buffer.compare(read?.payload ?? new Uint8Array(), signed.payload), 0);
    await until(() => hints.includes(3n));
    await server.forget();
    assert.equal(await link.read(signal), undefined);
  });

  it("does not heed hints that are no numbers", async () => {
    server.hint("; drop");
    server.hint("7");
    await until(() => hints.includes(7n));
    assert.ok(hints.every((hint) => typeof hint === "bigint"));
  });

  it("reads chunks, and tells when one is not stored", async () => {
    const ref = fleet.store(new Uint8Array(10), agentCrypto.sealingPublic(keys.sealing));
    await server.store(fleet.chunks);
    const chunk = await link.chunk(parseDigest(ref.digest), 0, signal);
    assert.equal(Buffer.compare(chunk, fleet.chunks.get(`${ref.digest}/0`) ?? new Uint8Array()), 0);
    assert.equal(await code(link.chunk(parseDigest(ref.digest), 1, signal)), "not-found");
  });

  it("comes back by itself after the server was killed, and reads fail meanwhile", async () => {
    await server.kill();
    await until(() => losses > 0);
    assert.equal(await code(link.read(AbortSignal.timeout(10_000))), "hub-unreachable");
    const before = connects;
    await server.start(agentCrypto.natsPublic(keys.nats));
    await until(() => connects > before, 20_000);
    await server.publish(fleet.sign({ revision: 9n }), 9n);
    await until(() => hints.includes(9n));
    assert.ok((await link.read(signal)) !== undefined);
  });
});
