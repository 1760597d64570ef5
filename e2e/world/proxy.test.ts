import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { freePorts } from "./ports.ts";
import { Child } from "./process.ts";
import { TcpProxy } from "./proxy.ts";
import { until } from "./wait.ts";

async function echo() {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return { server, endpoint: { host: "127.0.0.1", port: address.port }, [Symbol.dispose]: () => server.close() };
}

class Caller implements Disposable {
  readonly socket: Socket;
  received = "";
  closed = false;

  constructor(proxy: TcpProxy) {
    this.socket = connect(proxy.port, "127.0.0.1");
    this.socket.on("data", (chunk) => {
      this.received += chunk.toString();
    });
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.closed = true;
    });
  }

  async says(text: string): Promise<void> {
    const before = this.received.length;
    this.socket.write(text);
    await until(`echo of ${text}`, () => this.received.slice(before) === text, 2_000);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

test("a proxy forwards and counts; a cut resets, refuses, and is over after restore", async () => {
  using target = await echo();
  await using proxy = await TcpProxy.start(target.endpoint);
  using first = new Caller(proxy);
  await first.says("hello");
  assert.equal(proxy.counters.bytesUp, 5);
  assert.equal(proxy.counters.bytesDown, 5);
  proxy.cut();
  await until("the reset", () => first.closed, 2_000);
  using second = new Caller(proxy);
  await until("the refusal", () => second.closed, 2_000);
  assert.equal(proxy.counters.refused, 1);
  proxy.restore();
  using third = new Caller(proxy);
  await third.says("again");
  assert.equal(proxy.counters.open, 1);
});

test("a paused link stays open in silence, and delivers in order when restored", async () => {
  using target = await echo();
  await using proxy = await TcpProxy.start(target.endpoint);
  using caller = new Caller(proxy);
  await caller.says("a");
  proxy.pause();
  caller.socket.write("b");
  using newcomer = new Caller(proxy);
  newcomer.socket.write("x");
  await until("the newcomer's connection", () => proxy.counters.open === 2, 2_000);
  assert.equal(caller.received, "a");
  assert.equal(caller.closed, false);
  proxy.restore();
  caller.socket.write("c");
  await until("what was held", () => caller.received === "abc" && newcomer.received === "x", 2_000);
});

test("a delay holds every chunk in both directions", async () => {
  using target = await echo();
  await using proxy = await TcpProxy.start(target.endpoint);
  using caller = new Caller(proxy);
  await caller.says("warm");
  proxy.delay(60);
  const started = performance.now();
  await caller.says("slow");
  assert.ok(performance.now() - started >= 115);
});

test("four megabytes pass through a delayed link unharmed", async () => {
  using target = await echo();
  await using proxy = await TcpProxy.start(target.endpoint);
  using caller = new Caller(proxy);
  proxy.delay(5);
  await caller.says("0123456789abcdef".repeat(256 * 1024));
});

test("free ports differ", async () => {
  assert.equal(new Set(await freePorts(20)).size, 20);
});

test("a client that reconnects as fast as it can does not stall the process while the link is cut", async () => {
  using target = await echo();
  await using proxy = await TcpProxy.start(target.endpoint);
  proxy.cut();
  const { port } = proxy;
  const script = `const { connect } = require("node:net");
    const go = () => connect(${port}, "127.0.0.1").on("error", () => undefined).on("close", go);
    for (let i = 0; i < 50; i += 1) go();`;
  await using _eager = await Child.start({ name: "eager", binary: process.execPath, args: ["-e", script] });
  await until("many refusals", () => proxy.counters.refused > 200, 10_000);
  const started = performance.now();
  await new Promise(setImmediate);
  assert.ok(performance.now() - started < 1_000);
});
