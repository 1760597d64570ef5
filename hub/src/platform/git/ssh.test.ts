import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { Fault, systemClock } from "@capstan/proto";
import type { Credential } from "../../sources/model.ts";
import { parseRepository } from "../../sources/repository.ts";
import type { ServerRule } from "../../sources/servers.ts";
import { serverFor } from "../../sources/servers.ts";
import { Spawner } from "../render/spawner.ts";
import { DiskMirror, defaultTreeLimits } from "./mirror.ts";
import { NativeGit } from "./native.ts";
import { scratch, TestRepository } from "./testing.ts";
import { GitSshServer, makePemKey, makeSshKey } from "./testing-ssh.ts";

const never = new AbortController().signal;

/** A repository behind SSH, whose host key the hub knows. */
async function world() {
  const directory = await scratch();
  const repository = await new TestRepository(join(directory.path, "fleet.git")).init();
  const server = await new GitSshServer(directory.path).listen();
  const knownHosts = join(directory.path, "known hosts");
  await writeFile(knownHosts, server.knownHost);
  const rules: ServerRule[] = [{ prefix: "ssh://127.0.0.1", knownHosts }];
  rules.push({ prefix: `ssh://git@127.0.0.1:${server.port}`, knownHosts });
  const home = join(directory.path, "home");
  const path = process.env["PATH"] ?? "";
  const reach = { server: (of: Parameters<typeof serverFor>[1]) => serverFor(rules, of) };
  const backend = new NativeGit({ git: "git", home, path, readers: 4, runner: new Spawner(), ...reach });
  const limits = defaultTreeLimits;
  const mirror = new DiskMirror({ directory: join(directory.path, "mirrors"), backend, limits, now: systemClock.now });
  return {
    ...{ repository, server, mirror, knownHosts, rules, home },
    remote: parseRepository(`ssh://git@127.0.0.1:${server.port}/fleet.git`),
    async [Symbol.asyncDispose]() {
      await mirror.close();
      await server[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  try {
    await promise;
  } catch (thrown) {
    return Fault.from(thrown);
  }
  throw new Error("expected a fault, found none");
}

suite("repositories over SSH", () => {
  for (const [kind, make] of [
    ["OpenSSH's format", makeSshKey],
    ["PEM", makePemKey],
  ] as const) {
    test(`are fetched with a key in ${kind}, which is on no disk afterwards`, async () => {
      await using at = await world();
      const key = make();
      at.server.allowed.push(key.public);
      const first = await at.repository.commit({ a: "1" });
      // A secret is often cut of its last newline.
      const credential: Credential = { kind: "ssh-key", privateKey: key.private.trimEnd() };
      await at.mirror.fetch(at.remote, credential, never);
      assert.equal((await at.mirror.resolve(at.remote, { kind: "head" })).commit, first);
      assert.deepEqual(await readdir(at.home), ["gitconfig"]);
    });
  }

  test("say what is wrong: no key, another's key, a broken key, no repository", async () => {
    await using at = await world();
    const key = makeSshKey();
    at.server.allowed.push(key.public);
    await at.repository.commit({ a: "1" });
    const by = (privateKey: string): Credential => ({ kind: "ssh-key", privateKey });
    assert.equal((await faultOf(at.mirror.fetch(at.remote, undefined, never))).code, "repository-auth");
    const other = await faultOf(at.mirror.fetch(at.remote, by(makeSshKey().private), never));
    assert.equal(other.code, "repository-auth");
    assert.match(other.message, /Permission denied/);
    const broken = await faultOf(at.mirror.fetch(at.remote, by("no key"), never));
    assert.equal(broken.code, "repository-auth");
    assert.ok(!String(broken.cause).includes("no key\n"));
    const nowhere = parseRepository(`${at.remote.url.replace("fleet", "nowhere")}`);
    assert.equal((await faultOf(at.mirror.fetch(nowhere, by(key.private), never))).code, "repository-not-found");
  });

  test("are not fetched from a host whose key is not the known one, or of whom none is known", async () => {
    await using at = await world();
    const key = makeSshKey();
    at.server.allowed.push(key.public);
    const credential: Credential = { kind: "ssh-key", privateKey: key.private };
    await writeFile(at.knownHosts, at.server.knownHost.replace(at.server.hostKey.public, makeSshKey().public));
    const changed = await faultOf(at.mirror.fetch(at.remote, credential, never));
    assert.match(changed.message, /host key is not the one/);
    await writeFile(at.knownHosts, "");
    assert.match((await faultOf(at.mirror.fetch(at.remote, credential, never))).message, /host key/);
    at.rules.splice(0);
    assert.equal((await faultOf(at.mirror.fetch(at.remote, credential, never))).code, "bad-config");
  });
});
