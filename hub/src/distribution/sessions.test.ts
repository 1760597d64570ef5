import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ClusterId, type Digest, Fault } from "@capstan/proto";
import { type ConnectRequest, ConnectRequestSchema, type ReportBatch, VersionsSchema } from "@capstan/proto/agent";
import { FakeClock } from "@capstan/proto/testing";
import { Outbox } from "./outbox.ts";
import { Sessions, type SessionsOptions, type ToAgent } from "./sessions.ts";

const a = "a" as ClusterId;
const hello = (over: object = {}): ConnectRequest =>
  create(ConnectRequestSchema, {
    message: { case: "hello", value: { bootId: "b", versions: { protocol: 1, protocolMin: 1 }, ...over } },
  });
const reports = (sequence: bigint): ConnectRequest =>
  create(ConnectRequestSchema, { message: { case: "reports", value: { sequence } } });

function world(over: Partial<SessionsOptions> = {}) {
  const seen: { connections: boolean[]; faults: Fault[]; batches: ReportBatch[] } = {
    connections: [],
    faults: [],
    batches: [],
  };
  const sessions = new Sessions({
    clock: new FakeClock(),
    version: "1",
    leadership: () => ({ leading: true, endpoint: "" }),
    greet: async () => 5n,
    listWanted: async () => undefined,
    listBrought: async () => undefined,
    report: async (_cluster, _boot, batch) => void seen.batches.push(batch),
    heartbeat: () => undefined,
    renewal: () => undefined,
    event: () => undefined,
    onConnection: (_cluster, connected) => void seen.connections.push(connected),
    heartbeatMs: () => 10_000,
    acked: () => 0n,
    onFault: (_cluster, fault) => void seen.faults.push(fault),
    ...over,
  });
  return { sessions, seen };
}

/** A session whose agent side the test holds. */
function open(sessions: Sessions) {
  const inbox = new Outbox<ConnectRequest>();
  const stop = new AbortController();
  const answers = sessions.serve(a, inbox, stop.signal)[Symbol.asyncIterator]();
  const next = async () => ((await answers.next()).value as ToAgent | undefined)?.message;
  return { say: (message: ConnectRequest) => void inbox.push(message), next, end: () => stop.abort(), answers };
}

test("a hello is welcomed with the revision in force; reports are acknowledged when durable", async () => {
  const { sessions, seen } = world();
  const agent = open(sessions);
  agent.say(hello());
  const welcome = await agent.next();
  assert.equal(welcome?.case, "welcome");
  assert.equal(welcome?.case === "welcome" ? welcome.value.revision : undefined, 5n);
  assert.equal(sessions.isConnected(a), true);
  agent.say(reports(1n));
  const ack = await agent.next();
  assert.equal(ack?.case === "ack" ? ack.value.sequence : undefined, 1n);
  agent.end();
  assert.equal((await agent.answers.next()).done, true);
  assert.deepEqual(seen.connections, [true, false]);
});

test("anything before the hello ends the session with its reason", async () => {
  const { sessions } = world();
  const agent = open(sessions);
  agent.say(reports(1n));
  const goodbye = await agent.next();
  assert.equal(goodbye?.case === "goodbye" ? goodbye.value.code : undefined, "bad-input");
});

test("a hub that stands by says where to go instead", async () => {
  const { sessions } = world({ leadership: () => ({ leading: false, endpoint: "other:1" }) });
  const goodbye = await open(sessions).next();
  assert.equal(goodbye?.case, "goodbye");
  assert.deepEqual(goodbye?.case === "goodbye" && [goodbye.value.code, goodbye.value.endpoint], [
    "not-leader",
    "other:1",
  ]);
});

test("a newer session takes the place of an older one, which does not take the cluster down with it", async () => {
  const { sessions, seen } = world();
  const first = open(sessions);
  first.say(hello());
  await first.next();
  const second = open(sessions);
  second.say(hello({ bootId: "c" }));
  await second.next();
  const goodbye = await first.next();
  assert.equal(goodbye?.case === "goodbye" ? goodbye.value.code : undefined, "conflict");
  assert.equal((await first.answers.next()).done, true);
  assert.equal(sessions.isConnected(a), true);
  assert.deepEqual(seen.connections, [true, true]);
});

test("a refused hello is told with its code, and a version that nobody shares", async () => {
  const { sessions } = world({
    greet: () => Promise.reject(new Fault("wrong-incarnation", { message: "another cluster" })),
  });
  const agent = open(sessions);
  agent.say(hello());
  const goodbye = await agent.next();
  assert.equal(goodbye?.case === "goodbye" ? goodbye.value.code : undefined, "wrong-incarnation");
  const old = open(world().sessions);
  old.say(hello({ versions: { protocol: 9, protocolMin: 9 } }));
  const refused = await old.next();
  assert.equal(refused?.case === "goodbye" ? refused.value.code : undefined, "version-unsupported");
});

test("a clock ten minutes off is told, and told no more when it is right", async () => {
  const { sessions } = world();
  const now = new FakeClock().now();
  const agent = open(sessions);
  agent.say(hello({ now: timestampFromMs(now + 600_000) }));
  await agent.next();
  assert.equal(sessions.skew(a)?.code, "clock-skew");
  const again = open(sessions);
  again.say(hello({ now: timestampFromMs(now) }));
  await again.next();
  assert.equal(sessions.skew(a), undefined);
});

test("hints are coalesced, so that an agent that does not read costs one message", async () => {
  const { sessions } = world();
  const agent = open(sessions);
  agent.say(hello());
  await agent.next();
  for (let revision = 1n; revision <= 1000n; revision++) sessions.hint(a, revision);
  const hint = await agent.next();
  assert.equal(hint?.case === "hint" ? hint.value.revision : undefined, 1000n);
});

test("a question without a session is refused at once; with one, its answers come through", async () => {
  const { sessions } = world();
  const question = { target: "argocd/web", ask: { case: "events", value: {} } } as never;
  const stop = new AbortController();
  await assert.rejects(
    async () => {
      for await (const _ of sessions.ask(a, question, stop.signal));
    },
    (thrown: unknown) => thrown instanceof Fault && thrown.code === "cluster-unreachable",
  );
  const agent = open(sessions);
  agent.say(hello());
  await agent.next();
  const answers = sessions.ask(a, question, stop.signal)[Symbol.asyncIterator]();
  const first = answers.next();
  const asked = await agent.next();
  const id = asked?.case === "question" ? (asked.value.id ?? "") : "";
  agent.say(create(ConnectRequestSchema, { message: { case: "answer", value: { id, more: false } } }));
  assert.equal((await first).value?.id, id);
});

test("a question whose reader goes is stopped at the agent; one whose agent goes ends with a fault", async () => {
  const { sessions } = world();
  const question = { target: "argocd/web", ask: { case: "logs", value: { follow: true } } } as never;
  const agent = open(sessions);
  agent.say(hello());
  await agent.next();
  const reader = new AbortController();
  const first = sessions.ask(a, question, reader.signal)[Symbol.asyncIterator]();
  const part = first.next();
  const asked = await agent.next();
  const id = asked?.case === "question" ? (asked.value.id ?? "") : "";
  agent.say(create(ConnectRequestSchema, { message: { case: "answer", value: { id, more: true } } }));
  await part;
  reader.abort();
  assert.equal((await first.next()).done, true);
  const told = await agent.next();
  assert.equal(told?.case === "question" ? `${told.value.id} ${told.value.ask?.case}` : "", `${id} stop`);

  const second = sessions.ask(a, question, new AbortController().signal)[Symbol.asyncIterator]();
  const waiting = second.next();
  await agent.next();
  agent.end();
  await agent.next();
  await assert.rejects(waiting, (thrown: unknown) => thrown instanceof Fault && thrown.code === "cluster-unreachable");
});

test("a hub that has lost the list of a held state asks for it before the welcome", async () => {
  const digest = `sha256:${"a".repeat(64)}` as Digest;
  const brought: string[] = [];
  const { sessions } = world({
    listWanted: async () => (brought.length === 0 ? digest : undefined),
    listBrought: async ({ gzip }) => void brought.push(new TextDecoder().decode(gzip)),
  });
  const agent = open(sessions);
  const versions = create(VersionsSchema, { protocol: 1, protocolMin: 1, features: ["held-list"] });
  agent.say(hello({ versions }));
  const asked = await agent.next();
  assert.equal(asked?.case === "listWanted" ? asked.value.digest : undefined, digest);
  assert.equal(sessions.isConnected(a), false);
  for (const [text, more] of [
    ["one ", true],
    ["two", false],
  ] as const) {
    const value = { digest, data: new TextEncoder().encode(text), more };
    agent.say(create(ConnectRequestSchema, { message: { case: "heldList", value } }));
  }
  assert.equal((await agent.next())?.case, "welcome");
  assert.deepEqual(brought, ["one two"]);
  agent.end();
});

test("two agents that live under one identity are noticed, however often each takes over", async () => {
  const { sessions, seen } = world();
  for (const bootId of ["one", "two"]) {
    const agent = open(sessions);
    agent.say(hello({ bootId }));
    await agent.next();
  }
  assert.equal(sessions.clones(a), undefined, "a restart looks the same");
  for (const bootId of ["one", "two", "one"]) {
    const agent = open(sessions);
    agent.say(hello({ bootId }));
    await agent.next();
  }
  assert.equal(sessions.clones(a)?.code, "conflict");
  assert.equal(seen.faults.filter(({ message }) => message.includes("two agents")).length, 1, "said once");
});
