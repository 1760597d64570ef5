import assert from "node:assert/strict";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Fault, parseClusterId, systemClock } from "@capstan/proto";
import { fmtCreds } from "@nats-io/jwt";
import { createUser } from "@nats-io/nkeys";
import { ownCredentials } from "./accounts.ts";
import { connectNats } from "./connection.ts";
import { type ExternalOptions, openExternal } from "./external.ts";
import { loadAccountKeys } from "./keys.ts";
import { endServer, spawnServer } from "./server-process.ts";
import { freePort, NatsWorld, reached } from "./testing/world.ts";

const never = new AbortController().signal;

describe("an external NATS", () => {
  let world: NatsWorld;
  let options: ExternalOptions;
  let full: ExternalOptions;

  before(async () => {
    world = await NatsWorld.start();
    const keys = await loadAccountKeys(`${world.options.folder}/keys`);
    const seed = (pair: { getSeed(): Uint8Array }) => new TextDecoder().decode(pair.getSeed());
    options = {
      servers: [`127.0.0.1:${world.options.port}`],
      tls: false,
      hubCredentials: await ownCredentials("hub", keys.hubUser, keys.hub),
      agents: { account: keys.agents.getPublicKey(), signingSeed: seed(keys.agents) },
      urls: ["nats://nats.example.com:4222"],
      now: () => Date.now(),
    };
    const systemCredentials = await ownCredentials("admin", keys.systemUser, keys.system);
    full = { ...options, systemCredentials, operatorSeed: seed(keys.operator) };
  });
  after(() => world.end());

  it("warns of what it cannot verify or do, and then issues short JWTs", async () => {
    const external = await openExternal(options, never);
    world.keep(external.connection);
    assert.equal(external.warnings.length, 2);
    const user = createUser();
    const expiresAt = Date.now() + 24 * 3_600_000;
    const jwt = await external.users.issue({ cluster: parseClusterId("a"), natsKey: user.getPublicKey(), expiresAt });
    const { exp } = JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString()) as { exp: number };
    assert.ok(Math.abs(exp * 1000 - Date.now() - 15 * 60_000) < 5_000);
    await (await world.agentAs("a", fmtCreds(jwt, user))).flush();
  });

  it("finds fsync always set, and cuts a revoked agent at once", async () => {
    const external = await openExternal(full, never);
    world.keep(external.connection);
    assert.deepEqual(external.warnings, []);
    const user = createUser();
    const natsKey = user.getPublicKey();
    const jwt = await external.users.issue({
      cluster: parseClusterId("b"),
      natsKey,
      expiresAt: Date.now() + 3_600_000,
    });
    const agent = await world.agentAs("b", fmtCreds(jwt, user), { reconnect: false });
    const closed = agent.closed();
    const started = performance.now();
    await external.users.revoke([{ natsKey, at: Date.now() }], never);
    await closed;
    assert.ok(performance.now() - started < 5_000);
    // The account's imports are as they were.
    const other = await world.agent("c");
    await other.connection.flush();
  });

  it("says that servers with a resolver in memory take no revocations, and issues short JWTs", async () => {
    const folder = mkdtempSync(join(tmpdir(), "capstan-memory-"));
    const port = await freePort();
    const own = world.options.folder;
    const jwts = globSync("jwt/*.jwt", { cwd: own }).map((file) => {
      return `${basename(file, ".jwt")}: ${readFileSync(join(own, file), "utf8")}`;
    });
    const config = readFileSync(join(own, "server.conf"), "utf8")
      .replace(/^resolver: .*$/m, "resolver: MEMORY")
      .replace(/^resolver_preload: .*$/m, `resolver_preload: {\n${jwts.join("\n")}\n}`)
      .replace(/^port: .*$/m, `port: ${port}`)
      .replaceAll(own, folder);
    writeFileSync(join(folder, "server.conf"), config);
    const server = await spawnServer(world.options.binary, folder);
    try {
      const servers = [`127.0.0.1:${port}`];
      const hub = { servers, credentials: full.hubCredentials, tls: false, name: "test" };
      await reached("the server", () =>
        connectNats(hub).then(
          (made) => made.close().then(() => true),
          () => false,
        ),
      );
      const external = await openExternal({ ...full, servers }, never);
      assert.match(external.warnings.join(), /MEMORY/);
      const natsKey = createUser().getPublicKey();
      const expiresAt = Date.now() + 24 * 3_600_000;
      const jwt = await external.users.issue({ cluster: parseClusterId("a"), natsKey, expiresAt });
      const { exp } = JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString()) as { exp: number };
      assert.ok(exp * 1000 < Date.now() + 16 * 60_000);
      await external.users.revoke([{ natsKey, at: Date.now() }], never);
      await external.connection.close();
    } finally {
      await endServer(server, systemClock);
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("names a key of another kind", async () => {
    const swapped = { ...options, agents: { ...options.agents, signingSeed: full.operatorSeed ?? "" } };
    await assert.rejects(
      openExternal(swapped, never),
      (thrown: unknown) => thrown instanceof Fault && thrown.code === "bad-config",
    );
  });

  it("is refused below version 2.11, by name", async () => {
    const info = { server_id: "old", version: "2.10.27", proto: 1, max_payload: 1_048_576, headers: true, nonce: "x" };
    const server = createServer((socket) => {
      socket.write(`INFO ${JSON.stringify(info)}\r\n`);
      socket.on("data", (data) => data.includes("PING") && socket.write("PONG\r\n"));
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const old = openExternal({ ...options, servers: [`127.0.0.1:${port}`] }, never);
    await assert.rejects(old, (thrown: unknown) => thrown instanceof Fault && thrown.code === "nats-too-old");
    server.close();
  });
});
