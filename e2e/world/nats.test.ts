import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "nats";
import { ensureTools } from "../toolchain/tools.ts";
import { NatsServer } from "./nats.ts";

const tools = await ensureTools(["natsServer"]);

async function put(server: NatsServer, value: string): Promise<void> {
  const connection = await connect({ servers: server.url });
  const bucket = await connection.jetstream().views.kv("state");
  await bucket.put("key", value);
  await connection.close();
}

async function get(server: NatsServer): Promise<string | undefined> {
  const connection = await connect({ servers: server.url });
  const bucket = await connection.jetstream().views.kv("state");
  const entry = await bucket.get("key");
  await connection.close();
  return entry?.string();
}

test("a nats-server is killed, set back to an older copy of its store, and loses it whole", async () => {
  await using server = await NatsServer.start({ tools });
  await put(server, "old");
  await server.kill();
  await assert.rejects(connect({ servers: server.url, reconnect: false }));
  const copy = await server.copyStore();
  await server.restart();
  await put(server, "new");
  assert.equal(await get(server), "new");
  await server.kill();
  await server.restart();
  assert.equal(await get(server), "new");
  await assert.rejects(server.wipe(), /kill the nats-server/);
  await server.kill();
  await server.restoreStore(copy);
  await server.restart();
  assert.equal(await get(server), "old");
  await server.kill();
  await server.wipe();
  await server.restart();
  assert.equal(await get(server), undefined);
});

test("extra configuration lines are the server's", async () => {
  await using server = await NatsServer.start({ tools, config: "authorization { user: a, password: b }" });
  await assert.rejects(connect({ servers: server.url, reconnect: false }), /Authorization/i);
  const connection = await connect({ servers: server.url, user: "a", pass: "b" });
  await connection.close();
});
