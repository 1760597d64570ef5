import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { headers, type NatsConnection } from "nats";
import { stateKey } from "../../store/keys.ts";
import { storedChunks } from "./bundles.ts";
import type { NatsStores } from "./stores.ts";
import { HandFence, NatsWorld, reached, takeLease } from "./testing/world.ts";

const text = (value: string) => new TextEncoder().encode(value);
const never = new AbortController().signal;

/** What an agent gets for a request: the text, or `refused`. */
async function ask(agent: NatsConnection, subject: string, body = ""): Promise<string> {
  try {
    const message = await agent.request(subject, text(body), { timeout: 400 });
    const code = message.headers?.code ?? 0;
    return code === 0 ? new TextDecoder().decode(message.data) : `refused ${code}`;
  } catch {
    return "refused";
  }
}

describe("an agent that was taken over (the attack table of isolation)", () => {
  let world: NatsWorld;
  let stores: NatsStores;
  let hub: NatsConnection;
  let a: NatsConnection;
  let b: NatsConnection;
  const fence = new HandFence();
  const hintsOfB: string[] = [];

  before(async () => {
    world = await NatsWorld.start();
    stores = await world.stores(fence);
    await takeLease(stores, fence);
    await stores.state.put(stateKey("desired", "a"), text("state of a"), never);
    await stores.state.put(stateKey("desired", "b"), text("state of b"), never);
    await stores.bundles.put("aa", [text("chunk 0"), text("chunk 1")], never);
    hub = await world.connectHub();
    a = (await world.agent("a")).connection;
    b = (await world.agent("b")).connection;
    b.subscribe("hint.b", { callback: (_, message) => void hintsOfB.push(message.string()) });
    await b.flush();
  });
  after(() => world.end());

  it("reads its own state and chunks, and hears its own hints", async () => {
    assert.equal(await ask(a, "get.desired.a"), "state of a");
    assert.equal(await ask(a, "$JS.API.DIRECT.GET.bundles.bundle.aa.1"), "chunk 1");
    stores.hints.publish("b", 7n);
    await reached("the hint", () => hintsOfB.includes("7"));
  });

  for (const [what, subject, body] of [
    ["another's state", "get.desired.b", ""],
    ["any state by a wildcard", "get.desired.*", ""],
    ["another's state by the store's own subject", "$JS.API.DIRECT.GET.KV_state.$KV.state.desired.b", ""],
    ["its own state by the store's own subject", "$JS.API.DIRECT.GET.KV_state.$KV.state.desired.a", ""],
    ["another's state by a body", "$JS.API.DIRECT.GET.KV_state", '{"last_by_subj":"$KV.state.desired.b"}'],
    ["any message by its sequence", "$JS.API.STREAM.MSG.GET.KV_state", '{"seq":2}'],
    ["the list of streams", "$JS.API.STREAM.NAMES", ""],
    ["a stream's subjects", "$JS.API.STREAM.INFO.KV_state", '{"subjects_filter":">"}'],
    ["another's state behind its own subject, by a body", "get.desired.a", '{"last_by_subj":"$KV.state.desired.b"}'],
    ["all states behind its own subject, by a batch", "get.desired.a", '{"multi_last":["$KV.state.desired.>"]}'],
    [
      "next states behind its own subject, by a batch",
      "get.desired.a",
      '{"seq":1,"batch":9,"next_by_subj":"$KV.state.>"}',
    ],
    [
      "a consumer",
      "$JS.API.CONSUMER.CREATE.KV_state.x.$KV.state.desired.a",
      '{"stream_name":"KV_state","config":{"deliver_subject":"hint.b"}}',
    ],
    ["the system's accounts", "$SYS.REQ.ACCOUNT.PING.CONNZ", ""],
    ["new claims", "$SYS.REQ.CLAIMS.UPDATE", "x"],
  ] as const) {
    it(`is refused ${what}`, async () => {
      const answer = await ask(a, subject, body);
      assert.ok(answer.startsWith("refused") || answer === "state of a", answer);
      assert.doesNotMatch(answer, /state of b/);
    });
  }

  it("writes nothing: neither its own key, nor a lease, nor a hint, nor a chunk", async () => {
    for (const subject of [
      "$KV.state.desired.a",
      "$KV.state.lease.0",
      "hint.b",
      "bundle.aa.0",
      "record.x",
      "audit.x",
    ]) {
      a.publish(subject, text("forged"));
    }
    await a.flush();
    await unharmed();
    assert.ok(!hintsOfB.includes("forged"));
  });

  it("changes nothing by choosing where the server answers", async () => {
    const targets = [
      "$KV.state.desired.b",
      "$KV.state.lease.0",
      "bundle.aa.0",
      "$JS.API.STREAM.PURGE.bundles",
      "$JS.API.STREAM.DELETE.bundles",
      "$JS.API.STREAM.DELETE.KV_state",
      "$JS.API.CONSUMER.CREATE.KV_state",
      "$SYS.REQ.CLAIMS.UPDATE",
      "_INBOX_b.x",
      "hint.b",
    ];
    const fenceHeaders = headers();
    fenceHeaders.set("Nats-Expected-Last-Subject-Sequence", "0");
    for (const reply of targets) {
      a.publish("get.desired.a", undefined, { reply });
      a.publish("$JS.API.DIRECT.GET.bundles.bundle.aa.0", undefined, { reply });
      a.publish("$JS.API.DIRECT.GET.bundles.bundle.*.0", undefined, { reply, headers: fenceHeaders });
    }
    await a.flush();
    await ask(a, "get.desired.a");
    await unharmed();
  });

  it("hears nothing that is another's", async () => {
    const heard: string[] = [];
    for (const subject of ["_INBOX.>", "_INBOX_b.>", "hint.b", "hint.>", ">", "$KV.>", "$SYS.>", "get.desired.>"]) {
      a.subscribe(subject, { callback: (error, message) => void (error === null && heard.push(message.subject)) });
    }
    await a.flush();
    stores.hints.publish("b", 8n);
    await stores.state.put(stateKey("desired", "b"), text("state of b"), never);
    assert.equal(await ask(b, "get.desired.b"), "state of b");
    await reached("the hint at b", () => hintsOfB.includes("8"));
    await a.flush();
    assert.deepEqual(heard, []);
  });

  /** Keys, chunks and streams are as they were, by the hub's own eyes. */
  async function unharmed(): Promise<void> {
    const read = async (cluster: string) => {
      const entry = await stores.state.get(stateKey("desired", cluster), never);
      return new TextDecoder().decode(entry?.value);
    };
    assert.equal(await read("a"), "state of a");
    assert.equal(await read("b"), "state of b");
    assert.equal((await stores.lease.read("0", never))?.sequence, fence.sequence);
    assert.equal(await storedChunks(hub, "aa", never), 2);
    assert.equal(new TextDecoder().decode((await stores.bundles.get("aa", never))?.[0]), "chunk 0");
    assert.equal((await stores.records.read("x", never)).length, 0);
    const manager = await hub.jetstreamManager();
    assert.equal((await manager.consumers.list("KV_state").next()).length, 0);
  }
});

describe("revocation", () => {
  it("cuts a live agent within 5 s, refuses it afterwards, leaves others, and outlives a restart of the server", async () => {
    const world = await NatsWorld.start();
    try {
      const bad = await world.agent("bad", { reconnect: false });
      const good = await world.agent("good");
      const closed = bad.connection.closed();
      const started = performance.now();
      await world.nats.users().revoke([{ natsKey: bad.key, at: Date.now() }], world.signal);
      await closed;
      const took = performance.now() - started;
      assert.ok(took < 5_000, `took ${took} ms`);
      assert.equal(good.connection.isClosed(), false);
      await good.connection.flush();

      world.supervise();
      const before = world.nats.process?.pid ?? 0;
      process.kill(before, "SIGKILL");
      await reached("a new server", () => (world.nats.process?.pid ?? before) !== before);
      const again = await world.agent("good", { maxReconnectAttempts: 50, waitOnFirstConnect: true });
      await again.connection.flush();
      await assert.rejects(world.agentAs("bad", bad.credentials, { maxReconnectAttempts: 0 }));
    } finally {
      await world.end();
    }
  });
});
