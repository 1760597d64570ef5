import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Fault, systemClock } from "@capstan/proto";
import { createAccount, createUser } from "@nats-io/nkeys";
import type { NatsConnection } from "nats";
import { stateKey, statePrefix } from "../../store/keys.ts";
import { ownCredentials } from "./accounts.ts";
import { connectNats } from "./connection.ts";
import { nativeKeyPair } from "./keypair.ts";
import { type NatsStores, openNatsStores } from "./stores.ts";
import { defaultKeepFor } from "./streams.ts";
import { freePort, HandFence, natsServerBinary, reached, takeLease } from "./testing/world.ts";

const text = (value: string) => new TextEncoder().encode(value);
const never = new AbortController().signal;

/** Three servers without accounts: what is tested here is replication. */
describe("stores on three servers", () => {
  const folder = mkdtempSync(join(tmpdir(), "capstan-nats-"));
  const servers: ChildProcess[] = [];
  const addresses: string[] = [];
  let connection: NatsConnection;
  let stores: NatsStores;
  const fence = new HandFence();

  before(async () => {
    const routes = await Promise.all([freePort(), freePort(), freePort()]);
    for (const [i, route] of routes.entries()) {
      const port = await freePort();
      const home = join(folder, String(i));
      mkdirSync(home);
      writeFileSync(
        join(home, "server.conf"),
        `server_name: n${i}\nhost: 127.0.0.1\nport: ${port}\njetstream { store_dir: "${home}", sync_interval: always }
cluster { name: c, host: 127.0.0.1, port: ${route}, routes: [${routes.map((r) => `"nats://127.0.0.1:${r}"`).join(", ")}] }\n`,
      );
      servers.push(spawn(natsServerBinary(), ["-c", join(home, "server.conf")], { stdio: "ignore" }));
      addresses.push(`127.0.0.1:${port}`);
    }
    const user = nativeKeyPair(new TextDecoder().decode(createUser().getSeed()));
    const account = nativeKeyPair(new TextDecoder().decode(createAccount().getSeed()));
    const credentials = await ownCredentials("hub", user, account);
    const options = {
      fence,
      memoryFile: join(folder, "memory.json"),
      clock: systemClock,
      replicas: 3,
      keepFor: defaultKeepFor,
    };
    await reached(
      "a cluster with a leader",
      async () => {
        try {
          connection ??= await connectNats({ servers: addresses, credentials, tls: false, name: "hub" });
          stores = await openNatsStores({ ...options, connection, onFault: () => undefined }, never);
          return true;
        } catch {
          return false;
        }
      },
      30_000,
    );
    await takeLease(stores, fence);
  });
  after(async () => {
    await connection.close();
    for (const server of servers) server.kill("SIGKILL");
    await Promise.all(servers.map((server) => new Promise((resolve) => server.once("exit", resolve))));
    rmSync(folder, { recursive: true, force: true });
  });

  it("writes many fenced keys, also from several callers at once, and reads each back at once", async (t) => {
    const writes = Array.from({ length: 1000 }, (_, i) => ({
      key: stateKey("desired", `c-${i}`),
      value: text(String(i)),
    }));
    const started = performance.now();
    await stores.state.putMany(writes, never);
    t.diagnostic(`1,000 fenced writes: ${Math.round(performance.now() - started)} ms`);
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        await stores.state.put(stateKey("pin", `p${i}`), text("new"), never);
        assert.equal(new TextDecoder().decode((await stores.state.get(stateKey("pin", `p${i}`), never))?.value), "new");
      }),
    );
    assert.equal((await stores.state.list(statePrefix("desired"), never)).length, 1000);
    for (const word of ["a", "b", "c"]) await stores.records.append("r", text(word), never);
    assert.equal((await stores.records.read("r", never)).length, 3);
  });

  it("refuses a stale leader", async () => {
    const mine = fence.sequence;
    await takeLease(stores, fence, "hub-b");
    fence.sequence = mine;
    const stale = stores.state.put(stateKey("pin", "p0"), text("stale"), never);
    await assert.rejects(stale, (thrown: unknown) => thrown instanceof Fault && thrown.code === "not-leader");
    assert.equal(new TextDecoder().decode((await stores.state.get(stateKey("pin", "p0"), never))?.value), "new");
  });
});
