import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, seededChance } from "@capstan/proto/testing";
import { type Answer, json, startScripted } from "../../testing/scripted-server.ts";
import { until } from "../../testing/until.ts";
import { KubeClient } from "./client.ts";

async function withClient(
  answer: Answer,
  use: (client: KubeClient, clock: FakeClock) => Promise<void>,
  timeoutMs = 5000,
) {
  const server = await startScripted(answer);
  const clock = new FakeClock();
  const client = new KubeClient({ access: server.access, clock, chance: seededChance(1), inFlight: 2, timeoutMs });
  try {
    await use(client, clock);
  } finally {
    client.close();
    await server.stop();
  }
}

const signal = new AbortController().signal;

test("waits as long as a busy server asks, then sends again", async () => {
  const answer: Answer = (_, response, count) => {
    if (count === 1) json(response, 429, { message: "busy" }, { "retry-after": "7" });
    else json(response, 200, { ok: true });
  };
  await withClient(answer, async (client, clock) => {
    const sent = client.send({ method: "GET", path: "/x" }, signal);
    await until(() => clock.sleeping === 1);
    await clock.advance(6999);
    assert.equal(clock.sleeping, 1);
    await clock.advance(8000);
    assert.deepEqual(await sent, { status: 200, body: { ok: true } });
  });
});

test("gives up on a server that stays busy", async () => {
  const answer: Answer = (_, response) => json(response, 429, { message: "busy" });
  await withClient(answer, async (client, clock) => {
    const sent = client.send({ method: "GET", path: "/x" }, signal);
    for (let wait = 1; wait < 6; wait++) {
      await until(() => clock.sleeping === 1);
      await clock.advance(60_000);
    }
    assert.equal((await sent).status, 429);
  });
});

test("sends again once where a kept-alive connection was closed under it", async () => {
  const answer: Answer = (request, response, count) => {
    if (count === 2) request.socket.destroy();
    else json(response, 200, { count });
  };
  await withClient(answer, async (client) => {
    await client.send({ method: "GET", path: "/x" }, signal);
    assert.deepEqual((await client.send({ method: "GET", path: "/x" }, signal)).body, { count: 3 });
  });
});

test("says that the server cannot be reached, is silent, or that the caller gave up", async () => {
  await withClient(
    (request) => request.socket.destroy(),
    async (client) => {
      await assert.rejects(client.send({ method: "GET", path: "/x" }, signal), { code: "cluster-unreachable" });
    },
  );
  const silent: Answer = () => undefined;
  await withClient(
    silent,
    (client) => assert.rejects(client.send({ method: "GET", path: "/x" }, signal), { code: "timeout" }),
    50,
  );
  await withClient(silent, async (client) => {
    const stop = new AbortController();
    const sent = client.send({ method: "GET", path: "/x" }, stop.signal);
    stop.abort();
    await assert.rejects(sent, { code: "cancelled" });
  });
});

test("never has more requests in flight than allowed", async () => {
  const held: (() => void)[] = [];
  let most = 0;
  const answer: Answer = (_, response) => {
    held.push(() => json(response, 200, {}));
    most = Math.max(most, held.length);
    // Let go in pairs: a third request would be seen by then.
    if (held.length >= 2) setImmediate(() => held.splice(0).forEach((go) => go()));
  };
  await withClient(answer, async (client) => {
    await Promise.all(Array.from({ length: 20 }, () => client.send({ method: "GET", path: "/x" }, signal)));
    assert.equal(most, 2);
  });
});

test("carries token, account and body", async () => {
  let seen: unknown;
  const answer: Answer = (request, response) => {
    seen = [request.headers.authorization, request.headers["impersonate-user"], request.headers["content-type"]];
    json(response, 200, {});
  };
  await withClient(answer, async (client) => {
    await client.send({ method: "PATCH", path: "/x", body: {}, contentType: "application/y", as: "someone" }, signal);
    assert.deepEqual(seen, ["Bearer secret-token", "someone", "application/y"]);
  });
});
