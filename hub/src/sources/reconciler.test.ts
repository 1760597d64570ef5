import assert from "node:assert/strict";
import { join } from "node:path";
import { suite, test } from "node:test";
import { Fault, systemClock } from "@capstan/proto";
import { FakeClock, generous, seededChance } from "@capstan/proto/testing";
import { openMirror } from "../platform/git/open.ts";
import { GitHttpServer, scratch, TestRepository } from "../platform/git/testing.ts";
import { HttpClient } from "../platform/http/client.ts";
import { HttpExchange } from "../platform/http/exchange.ts";
import { Spawner } from "../platform/render/spawner.ts";
import type { Commit, CommitInfo, Credential, Repository, Revision } from "./model.ts";
import type { GitMirror } from "./port.ts";
import { SourcesReconciler } from "./reconciler.ts";
import { defaultSchedule } from "./schedule.ts";
import { MemoryTree } from "./testing.ts";

const url = "https://git.example.com/fleet.git";
const info = (n: number): CommitInfo => ({
  commit: String(n).padStart(40, "0") as Commit,
  author: "a",
  subject: "s",
  committedAt: 0,
});

/** A mirror whose world a test writes: heads by revision, or a fault. */
class FakeMirror implements GitMirror {
  readonly heads = new Map<string, CommitInfo>();
  fault: Fault | undefined;
  hang = false;
  fetches: { repository: string; credential: Credential | undefined }[] = [];
  #fetched = new Map<string, CommitInfo>();

  async fetch(repository: Repository, credential: Credential | undefined, signal: AbortSignal): Promise<void> {
    this.fetches.push({ repository: repository.key, credential });
    if (this.hang) {
      await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
      );
    }
    if (this.fault !== undefined) throw this.fault;
    this.#fetched = new Map(this.heads);
    await Promise.resolve();
  }

  fetchRevision(): Promise<void> {
    return Promise.reject(new Fault("revision-not-found", { message: "no such commit." }));
  }

  resolve(_: Repository, revision: Revision): Promise<CommitInfo> {
    const found = this.#fetched.get(revision.kind === "name" ? revision.name : revision.kind);
    return found ? Promise.resolve(found) : Promise.reject(new Fault("revision-not-found", { message: "none." }));
  }

  fetchedAt(): Promise<number> {
    return Promise.resolve(1);
  }

  tree(): MemoryTree {
    return new MemoryTree({});
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function world() {
  const clock = new FakeClock();
  const mirror = new FakeMirror();
  mirror.heads.set("main", info(1));
  const sources = new SourcesReconciler({
    mirror,
    secrets: { read: () => Promise.resolve("token") },
    rules: [{ prefix: "https://git.example.com/", secret: { env: "X" } }],
    schedule: defaultSchedule,
    concurrency: 2,
    fetchTimeoutMs: 60_000,
    clock,
    chance: seededChance(7),
  });
  const stop = new AbortController();
  let changes = 0;
  sources.onChange(() => {
    changes += 1;
  });
  const running = sources.start(stop.signal);
  return {
    clock,
    mirror,
    sources,
    changes: () => changes,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

suite("sources", () => {
  test("one mirror serves all users of a repository, however they write it", async () => {
    await using at = world();
    at.mirror.heads.set("dev", info(2));
    at.sources.watch(url, "main");
    at.sources.watch("https://git.example.com/fleet", "main");
    at.sources.watch("https://GIT.example.com/fleet.git", "dev");
    await at.clock.advance(0);
    assert.equal(at.sources.current(url, "main")?.commit, info(1).commit);
    assert.equal(at.sources.current(url, "dev")?.commit, info(2).commit);
    assert.ok(at.mirror.fetches.every(({ repository }) => repository === "https://git.example.com/fleet"));
    assert.ok(at.mirror.fetches.length <= 2);
    assert.deepEqual(at.mirror.fetches[0]?.credential, { kind: "bearer", token: "token" });
  });

  test("tells only when a watched commit moved", async () => {
    await using at = world();
    at.sources.watch(url, "main");
    await at.clock.advance(0);
    assert.equal(at.changes(), 1);
    await at.clock.advance(150_000);
    assert.ok(at.mirror.fetches.length >= 2, "polled");
    assert.equal(at.changes(), 1);
    at.mirror.heads.set("main", info(2));
    at.mirror.heads.set("other", info(3));
    for (const hint of ["nonsense", "https://u:p@git.example.com/fleet", url]) at.sources.refresh(hint);
    await at.clock.advance(0);
    assert.equal(at.changes(), 2);
    assert.equal(at.sources.current(url, "main")?.commit, info(2).commit);
  });

  test("a failing repository serves its last good commit, with fault and age, and is tried with backoff", async () => {
    await using at = world();
    at.sources.watch(url, "main");
    await at.clock.advance(0);
    const asOf = at.clock.now();
    at.mirror.fault = new Fault("repository-unreachable", { message: "down." });
    await at.clock.advance(150_000);
    const state = at.sources.current(url, "main");
    assert.equal(state?.commit, info(1).commit);
    assert.equal(state.fault?.code, "repository-unreachable");
    assert.equal(state.asOf, asOf);
    assert.equal(at.changes(), 2);
    const before = at.mirror.fetches.length;
    await at.clock.advance(600_000);
    const tries = at.mirror.fetches.length - before;
    assert.ok(tries >= 3 && tries <= 60, `${tries} tries`);
    assert.equal(at.changes(), 2, "the same fault is told once");
    at.mirror.fault = undefined;
    await at.clock.advance(300_000);
    assert.equal(at.sources.current(url, "main")?.fault, undefined);
    assert.equal(at.changes(), 3);
  });

  test("a revision that is not there has a fault of its own; its neighbours go on", async () => {
    await using at = world();
    at.sources.watch(url, "main");
    at.sources.watch(url, "nowhere");
    at.sources.watch(url, "a".repeat(40));
    await at.clock.advance(0);
    assert.equal(at.sources.current(url, "nowhere"), undefined);
    assert.equal(at.sources.faultOf(url, "nowhere")?.code, "revision-not-found");
    assert.equal(at.sources.faultOf(url, "a".repeat(40))?.code, "revision-not-found");
    assert.equal(at.sources.faultOf(url, "main"), undefined);
    assert.ok(at.sources.current(url, "main"));
  });

  test("a repository that hangs is given up as unreachable, and others do not wait for it", async () => {
    await using at = world();
    at.mirror.hang = true;
    at.sources.watch(url, "main");
    await at.clock.advance(1);
    at.mirror.hang = false;
    const other = "https://git.example.com/other.git";
    at.sources.watch(other, "main");
    await at.clock.advance(1);
    assert.ok(at.sources.current(other, "main"));
    await at.clock.advance(60_000);
    assert.equal(at.sources.faultOf(url, "main")?.code, "repository-unreachable");
  });

  test("what nobody watches any more is forgotten", async () => {
    await using at = world();
    const first = at.sources.watch(url, "main");
    const second = at.sources.watch(url, "main");
    await at.clock.advance(0);
    first();
    first();
    assert.ok(at.sources.current(url, "main"));
    second();
    assert.equal(at.sources.current(url, "main"), undefined);
    const before = at.mirror.fetches.length;
    await at.clock.advance(1_000_000);
    assert.equal(at.mirror.fetches.length, before);
  });
});

test("with real Git: a push is seen, an outage survived, a restart served from disk", {
  timeout: generous(30_000),
}, async () => {
  await using directory = await scratch();
  const repository = await new TestRepository(join(directory.path, "served", "fleet.git")).init();
  const first = await repository.commit({ "a.yaml": "1" });
  const server = await new GitHttpServer(join(directory.path, "served")).listen();
  const remote = `${server.url}/fleet.git`;
  const open = async () => {
    const path = process.env["PATH"] ?? "";
    const { mirror, backend } = await openMirror({
      directory: join(directory.path, "mirrors"),
      path,
      clock: systemClock,
      runner: new Spawner(),
      http: new HttpClient(new HttpExchange({ environment: {}, servers: [] })),
      ...{ plainRegistries: [], servers: [], proxies: {} },
    });
    assert.equal(backend, "git");
    const base = { secrets: { read: () => Promise.reject(new Error("none")) }, rules: [], schedule: defaultSchedule };
    const options = {
      ...base,
      mirror,
      concurrency: 2,
      fetchTimeoutMs: 10_000,
      clock: systemClock,
      chance: seededChance(1),
    };
    const sources = new SourcesReconciler(options);
    const stop = new AbortController();
    const running = sources.start(stop.signal);
    sources.watch(remote, "main");
    const end = async () => {
      stop.abort();
      await running;
    };
    return { sources, end };
  };
  const patience = AbortSignal.timeout(generous(20_000));
  const hub = await open();
  await hub.sources.settle(remote, patience);
  assert.equal(hub.sources.current(remote, "main")?.commit, first);
  const second = await repository.commit({ "a.yaml": "2" }, { subject: "raise" });
  await hub.sources.settle(remote, patience);
  const state = hub.sources.current(remote, "main");
  assert.equal(state?.commit, second);
  assert.equal(state.info.subject, "raise");
  await server[Symbol.asyncDispose]();
  await hub.sources.settle(remote, patience);
  assert.equal(hub.sources.faultOf(remote, "main")?.code, "repository-unreachable");
  await hub.end();
  const again = await open();
  await again.sources.settle(remote, patience);
  const kept = again.sources.current(remote, "main");
  assert.equal(kept?.commit, second);
  assert.equal(kept.fault?.code, "repository-unreachable");
  assert.ok(kept.asOf <= systemClock.now());
  const bytes = await again.sources.tree(remote, kept.commit).read("a.yaml");
  assert.equal(new TextDecoder().decode(bytes), "2");
  await again.end();
});
