import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { type Clock, Fault, systemClock } from "@capstan/proto";
import { defaultIdentityTimes } from "../../identity/model.ts";
import { stateKey } from "../../store/keys.ts";
import { loadAuthority } from "../crypto/authority.ts";
import { EmbeddedNats } from "./embedded.ts";
import { openNatsStores } from "./stores.ts";
import { freePort, HandFence, NatsWorld, reached, takeLease } from "./testing/world.ts";

const text = (value: string) => new TextEncoder().encode(value);
const never = new AbortController().signal;

describe("the embedded server", () => {
  it("comes back after kill -9 with all that was acknowledged, and clients go on by themselves", async () => {
    const world = await NatsWorld.start();
    try {
      const fence = new HandFence();
      const stores = await world.stores(fence);
      await takeLease(stores, fence);
      const writes = Array.from({ length: 200 }, (_, i) => ({ key: stateKey("pin", `p${i}`), value: text(String(i)) }));
      await stores.state.putMany(writes, never);
      world.supervise();
      const before = world.nats.process?.pid ?? 0;
      process.kill(before, "SIGKILL");
      await reached("a new server", () => (world.nats.process?.pid ?? before) !== before);
      await reached("all keys", async () => {
        try {
          return (await stores.state.list("pin.", never)).length === 200;
        } catch {
          return false;
        }
      });
      await stores.state.put(stateKey("pin", "p0"), text("after"), never);
      assert.equal(await stores.memory.continuity(never), "unknown");
    } finally {
      await world.end();
    }
  });

  it("outlives a kill -9 of the hub, and the next life takes it over; an orderly end ends it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "capstan-nats-"));
    const port = await freePort();
    const first = await life(folder, port);
    first.child.kill("SIGKILL");
    await first.ended;
    const second = await life(folder, port);
    assert.equal(second.adopted, true);
    assert.equal(second.pid, first.pid);
    second.child.kill("SIGKILL");
    await second.ended;

    const world = await NatsWorld.start({ folder, port });
    assert.equal(world.nats.process?.pid, first.pid);
    // Its death is noticed, though it is nobody's child any more.
    world.supervise();
    process.kill(first.pid, "SIGKILL");
    await reached("a new server", () => world.nats.process?.pid !== first.pid && world.nats.process?.alive() === true);
    const last = world.nats.process;
    await world.end();
    assert.equal(last?.alive(), false);
    rmSync(folder, { recursive: true, force: true });
  });

  it("waits for a server of an earlier life that is slow, and takes it over", async () => {
    const folder = mkdtempSync(join(tmpdir(), "capstan-nats-"));
    const port = await freePort();
    const first = await life(folder, port);
    first.child.kill("SIGKILL");
    await first.ended;
    process.kill(first.pid, "SIGSTOP");
    // It goes on as soon as it was found silent.
    const world = await NatsWorld.start({ folder, port, clock: clockThat(() => process.kill(first.pid, "SIGCONT")) });
    assert.equal(world.nats.process?.pid, first.pid);
    await world.end();
    rmSync(folder, { recursive: true, force: true });
  });

  it("opens its stores on a server that does not answer at first", async () => {
    const world = await NatsWorld.start();
    const pid = world.nats.process?.pid ?? 0;
    const connection = await world.connectHub();
    process.kill(pid, "SIGSTOP");
    const clock = clockThat(() => process.kill(pid, "SIGCONT"));
    const stores = await openNatsStores({ ...world.storeOptions(connection, new HandFence()), clock }, never);
    assert.deepEqual(
      world.faults.map(({ code }) => code),
      ["timeout"],
    );
    assert.equal(await stores.memory.continuity(never), "unknown");
    await world.end();
  });

  it("lets a server that it took over read its certificate again only if that has changed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "capstan-nats-"));
    const authority = await loadAuthority(join(folder, "ca"), defaultIdentityTimes, Date.now());
    const files = await authority.server(["127.0.0.1"], Date.now());
    const tls = { cert: files.certFile, key: files.keyFile, ca: files.caFile };
    const world = await NatsWorld.start({ folder: join(folder, "nats"), tls });
    const reloads = () => readFileSync(join(folder, "nats", "server.log"), "utf8").split("Reloaded:").length - 1;
    const again = () => EmbeddedNats.start(world.options, never);
    await again();
    assert.equal(reloads(), 0);
    await authority.server(["127.0.0.1", "localhost"], Date.now());
    await again();
    await reached("the certificate read again", () => reloads() > 0);
    await world.end();
    rmSync(folder, { recursive: true, force: true });
  });

  it("does not take over a stranger, and names a port that is taken", async () => {
    const world = await NatsWorld.start();
    const other = new NatsWorld();
    const options = { ...world.options, folder: join(other.folder, "nats") };
    await assert.rejects(EmbeddedNats.start(options, never), isFault("port-in-use"));
    rmSync(other.folder, { recursive: true });
    await world.end();

    // Says nothing to whoever connects, and lets go of nobody: so it is cut at the end.
    const sockets = new Set<Socket>();
    const server = createServer((socket) => void sockets.add(socket)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await assert.rejects(NatsWorld.start({ port }), isFault("port-in-use"));
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it("names a binary that is not there", async () => {
    await assert.rejects(NatsWorld.start({ binary: "/nowhere/nats-server" }), isFault("tool-missing"));
  });

  it("serves TLS with the hub's certificate and keeps its files to itself", async () => {
    const folder = mkdtempSync(join(tmpdir(), "capstan-nats-"));
    const now = Date.now();
    const authority = await loadAuthority(join(folder, "ca"), defaultIdentityTimes, now);
    const files = await authority.server(["127.0.0.1"], now);
    const tls = { cert: files.certFile, key: files.keyFile, ca: files.caFile };
    const world = await NatsWorld.start({ folder: join(folder, "nats"), tls });
    try {
      await (await world.connectHub()).flush();
      // While it reads its settings anew, it refuses everybody for a moment.
      for (let reloads = 0; reloads < 20; reloads++) {
        await world.nats.reload();
        await world.connectHub();
      }
      await assert.rejects(world.agent("a", { maxReconnectAttempts: 0 }));
      const keys = join(folder, "nats", "keys");
      for (const name of readdirSync(keys)) assert.equal(statSync(join(keys, name)).mode & 0o777, 0o600, name);
    } finally {
      await world.end();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("tells a full disk by its name, and goes on when there is room again", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "capstan-nats-"));
    try {
      execFileSync("/usr/bin/env", ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", folder], { stdio: "ignore" });
    } catch {
      t.skip("needs the right to mount a small tmpfs");
      return;
    }
    t.after(() => {
      execFileSync("/usr/bin/env", ["umount", "-l", folder]);
      rmSync(folder, { recursive: true, force: true });
    });
    const world = await NatsWorld.start({ folder: join(folder, "nats") });
    try {
      const fence = new HandFence();
      const stores = await world.stores(fence);
      await takeLease(stores, fence);
      world.supervise();
      const bundle = Array.from({ length: 8 }, () => new Uint8Array(128 * 1024));
      const fill = async () => {
        for (let i = 0; i < 60; i++) await stores.bundles.put(`f${i}`, bundle, never);
      };
      await assert.rejects(fill(), isFault("store-full"));
      execFileSync("/usr/bin/env", ["mount", "-o", "remount,size=200m", folder]);
      await reached(
        "writes again",
        async () => {
          try {
            await stores.bundles.put("again", bundle, never);
            await stores.state.put(stateKey("pin", "again"), text("yes"), never);
            return true;
          } catch {
            return false;
          }
        },
        30_000,
      );
    } finally {
      await world.end();
    }
  });
});

describe("continuity", () => {
  it("notices a store that was set back, and one that was lost whole", async () => {
    const world = await NatsWorld.start();
    try {
      const fence = new HandFence();
      const stores = await world.stores(fence);
      await takeLease(stores, fence);
      assert.equal(await stores.memory.continuity(never), "unknown");
      await stores.memory.accept(never);
      await stores.state.put(stateKey("pin", "old"), text("1"), never);
      assert.equal(await stores.memory.continuity(never), "same");

      const jetstream = join(world.options.folder, "jetstream");
      const copy = join(world.folder, "copy");
      await swap(world, () => cpSync(jetstream, copy, { recursive: true }));
      for (let i = 0; i < 20; i++) await stores.state.put(stateKey("pin", `new${i}`), text("2"), never);
      assert.equal(await stores.memory.continuity(never), "same");
      await swap(world, () => {
        rmSync(jetstream, { recursive: true });
        cpSync(copy, jetstream, { recursive: true });
      });
      assert.equal(await answered(() => stores.memory.continuity(never)), "older");
      assert.equal(new TextDecoder().decode((await stores.state.get(stateKey("pin", "old"), never))?.value), "1");
      await takeLease(stores, fence);
      await stores.memory.accept(never);
      assert.equal(await stores.memory.continuity(never), "same");

      await swap(world, () => {
        rmSync(jetstream, { recursive: true });
        mkdirSync(jetstream);
      });
      world.nats.run(world.signal).catch(() => undefined);
      await reached("streams made anew", async () => {
        try {
          return (await stores.memory.continuity(never)) === "lost";
        } catch {
          return false;
        }
      });
      // Another hub with no memory of its own, and this one after a restart, see the same.
      const other = await world.stores(new HandFence(), join(world.folder, "other.json"));
      assert.equal(await other.memory.continuity(never), "unknown");
      await takeLease(stores, fence);
      const again = await world.stores(fence);
      assert.equal(await again.memory.continuity(never), "lost");
      await again.memory.accept(never);
      assert.equal(await again.memory.continuity(never), "same");
      // One that remembers the lost store learns that it has been seen to.
      assert.equal(await stores.memory.continuity(never), "same");
    } finally {
      await world.end();
    }
  });

  it("has on disk what it saw the store hold, without waiting for the lease's renewal", async () => {
    const world = await NatsWorld.start();
    const file = join(world.folder, "memory.json");
    const fence = new HandFence();
    const stores = await world.stores(fence, file);
    await takeLease(stores, fence);
    await stores.memory.accept(never);
    const onDisk = () => (JSON.parse(readFileSync(file, "utf8")) as { readonly sequence: number }).sequence;
    const before = onDisk();
    await stores.state.put(stateKey("pin", "new"), text("1"), never);
    await reached("the write in the marker", () => onDisk() > before);
    await world.end();
  });

  it("takes a damaged memory as none", async () => {
    const world = await NatsWorld.start();
    const file = join(world.folder, "memory.json");
    writeFileSync(file, "{");
    const stores = await world.stores(new HandFence(), file);
    assert.equal(await stores.memory.continuity(never), "unknown");
    await world.end();
  });
});

/** Ends the server, changes its folder, starts it again. */
async function swap(world: NatsWorld, change: () => void): Promise<void> {
  await world.nats.stop();
  change();
  world.nats = await EmbeddedNats.start(world.options, world.signal);
}

/** The answer, once the client is connected again. */
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  const answers: T[] = [];
  await reached("an answer", async () => {
    try {
      answers.push(await ask());
    } catch {
      return false;
    }
    return true;
  });
  return answers[0] as T;
}

interface Life {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  readonly pid: number;
  readonly adopted: boolean;
}

/** A hub's process of its own; resolves once its server is ready. */
async function life(folder: string, port: number): Promise<Life> {
  const script = new URL("./testing/hub-life.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, folder, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`the hub's life ended with ${code}`)));
  });
  return { child, ended, ...(JSON.parse(line) as { pid: number; adopted: boolean }) };
}

/** The system's clock, which does something before it sleeps for the first time. */
function clockThat(act: () => void): Clock {
  let done = false;
  const sleep = (ms: number, signal: AbortSignal) => {
    if (!done) act();
    done = true;
    return systemClock.sleep(ms, signal);
  };
  return { now: () => systemClock.now(), monotonic: () => systemClock.monotonic(), sleep };
}

function isFault(code: string): (thrown: unknown) => boolean {
  return (thrown) => {
    if (thrown instanceof Fault && thrown.code === code) return true;
    throw thrown;
  };
}
