import assert from "node:assert/strict";
import { chmodSync, globSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { Fault, systemClock } from "@capstan/proto";
import { generous } from "@capstan/proto/testing";
import type { Credential } from "../../sources/model.ts";
import { parseRepository } from "../../sources/repository.ts";
import { parseRevision } from "../../sources/revision.ts";
import { Spawner } from "../render/spawner.ts";
import type { GitBackend } from "./backend.ts";
import { IsomorphicGit } from "./isomorphic.ts";
import { DiskMirror, defaultTreeLimits } from "./mirror.ts";
import { NativeGit } from "./native.ts";
import { GitHttpServer, scratch, TestRepository } from "./testing.ts";

const never = new AbortController().signal;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

type MakeBackend = (directory: string) => GitBackend;

async function world(makeBackend: MakeBackend) {
  const directory = await scratch();
  const repository = await new TestRepository(join(directory.path, "served", "fleet.git")).init();
  const server = await new GitHttpServer(join(directory.path, "served")).listen();
  const mirror = new DiskMirror({
    directory: join(directory.path, "mirrors"),
    backend: makeBackend(join(directory.path, "git")),
    limits: defaultTreeLimits,
    now: () => systemClock.now(),
  });
  return {
    repository,
    server,
    mirror,
    directory: directory.path,
    remote: parseRepository(`${server.url}/fleet.git`),
    async [Symbol.asyncDispose]() {
      await mirror.close();
      await server[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const native: MakeBackend = (home) =>
  new NativeGit({ git: "git", home, path: process.env["PATH"] ?? "", readers: 4, runner: new Spawner() });

async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  const thrown: unknown = await promise.then(
    () => assert.fail("expected a fault"),
    (fault: unknown) => fault,
  );
  assert.ok(thrown instanceof Fault, String(thrown));
  return thrown;
}

function behaves(makeBackend: MakeBackend): void {
  test("resolves HEAD, branch, tag, SHA and the start of a SHA", async () => {
    await using at = await world(makeBackend);
    const first = await at.repository.commit({ "a.yaml": "1" }, { subject: "first" });
    await at.repository.git("tag", "v1", first);
    await at.repository.git("-c", "user.name=t", "-c", "user.email=t@t", "tag", "-a", "-m", "note", "v2", first);
    const second = await at.repository.commit({ "a.yaml": "2" }, { subject: "second", branch: "side/line" });
    await at.mirror.fetch(at.remote, undefined, never);
    const resolved = async (revision: string) => (await at.mirror.resolve(at.remote, parseRevision(revision))).commit;
    for (const revision of ["", "HEAD", "main", "refs/heads/main", "v1", "v2", "refs/tags/v2", first]) {
      assert.equal(await resolved(revision), first, revision);
    }
    for (const revision of ["side/line", "origin/side/line", second]) assert.equal(await resolved(revision), second);
    const info = await at.mirror.resolve(at.remote, parseRevision("side/line"));
    assert.deepEqual(
      { ...info },
      { commit: second, author: "Mira", subject: "second", committedAt: Date.UTC(2026, 0, 1) },
    );
    assert.equal((await faultOf(at.mirror.resolve(at.remote, parseRevision("nowhere")))).code, "revision-not-found");
  });

  test("sees a new commit, a forced one, a deleted and a renamed branch", async () => {
    await using at = await world(makeBackend);
    await at.repository.commit({ a: "1" });
    await at.repository.commit({ a: "1" }, { branch: "topic" });
    await at.mirror.fetch(at.remote, undefined, never);
    const second = await at.repository.commit({ a: "2" });
    await at.repository.git("update-ref", "-d", "refs/heads/topic");
    const inside = await at.repository.commit({ a: "3" }, { branch: "topic/inside" });
    await at.mirror.fetch(at.remote, undefined, never);
    assert.equal((await at.mirror.resolve(at.remote, parseRevision("main"))).commit, second);
    assert.equal((await at.mirror.resolve(at.remote, parseRevision("topic/inside"))).commit, inside);
    assert.equal((await faultOf(at.mirror.resolve(at.remote, parseRevision("topic")))).code, "revision-not-found");
    await at.repository.git("update-ref", "refs/heads/main", inside);
    await at.mirror.fetch(at.remote, undefined, never);
    assert.equal((await at.mirror.resolve(at.remote, parseRevision("HEAD"))).commit, inside);
  });

  test("reads files from the object database, walking only what is asked", async () => {
    await using at = await world(makeBackend);
    await at.repository.commit({
      "README.md": "hi",
      "apps/a/x.yaml": "x",
      "apps/a/deep/y.yaml": "y",
      "apps/b/z.yaml": "z",
    });
    await at.mirror.fetch(at.remote, undefined, never);
    const { commit } = await at.mirror.resolve(at.remote, { kind: "head" });
    const tree = at.mirror.tree(at.remote, commit);
    const paths = (await tree.entries()).map((entry) => entry.path);
    assert.deepEqual(paths, ["README.md", "apps/a/deep/y.yaml", "apps/a/x.yaml", "apps/b/z.yaml"]);
    assert.deepEqual(
      (await tree.below("apps/a/"))?.map((entry) => entry.path),
      ["apps/a/deep/y.yaml", "apps/a/x.yaml"],
    );
    assert.equal(await tree.below("apps/none"), undefined);
    assert.equal(await tree.below("README.md"), undefined);
    assert.equal(text(await tree.read("./apps/a//x.yaml")), "x");
    const many = await tree.readMany(["apps/b/z.yaml", "README.md"]);
    assert.deepEqual(
      [...many].map(([path, bytes]) => [path, text(bytes)]),
      [
        ["apps/b/z.yaml", "z"],
        ["README.md", "hi"],
      ],
    );
    assert.match((await tree.subtreeOid("apps")) ?? "", /^[0-9a-f]{40}$/);
    assert.equal((await faultOf(tree.read("apps"))).code, "path-not-found");
    assert.equal((await faultOf(tree.read("apps/a/none"))).code, "path-not-found");
  });

  test("refuses links, modules and paths that escape, only where they are needed", async () => {
    await using at = await world(makeBackend);
    const commit = await at.repository.commit({ good: "1" });
    await at.repository.commit({
      good: "1",
      "out.yaml": "link:/etc/passwd",
      "up.yaml": "link:../../secret",
      dir: "link:/etc",
      "sub/module": `module:${commit}`,
    });
    await at.mirror.fetch(at.remote, undefined, never);
    const tree = at.mirror.tree(at.remote, (await at.mirror.resolve(at.remote, { kind: "head" })).commit);
    assert.equal(text(await tree.read("good")), "1");
    for (const path of ["out.yaml", "up.yaml", "dir", "dir/passwd", "sub/module"]) {
      const fault = await faultOf(tree.read(path));
      assert.equal(fault.code, "link-refused", path);
    }
    for (const path of ["../x", "a/../../x", "/etc/passwd", "a\\b", "a\0b", ".git/config", "x".repeat(5000)]) {
      assert.equal((await faultOf(tree.read(path))).code, "path-escapes", path.slice(0, 20));
    }
  });

  test("refuses a file past its limit and an empty repository's HEAD", async () => {
    await using at = await world(makeBackend);
    await at.mirror.fetch(at.remote, undefined, never);
    assert.equal((await faultOf(at.mirror.resolve(at.remote, { kind: "head" }))).code, "revision-not-found");
    await at.repository.commit({ big: "x".repeat(1024 * 1024 + 1), fits: "y".repeat(1024 * 1024) });
    await at.mirror.fetch(at.remote, undefined, never);
    const tree = at.mirror.tree(at.remote, (await at.mirror.resolve(at.remote, { kind: "head" })).commit);
    assert.equal((await faultOf(tree.read("big"))).code, "too-large");
    assert.equal((await tree.read("fits")).byteLength, 1024 * 1024);
  });

  test("names what is wrong with a repository, and never the credential", async () => {
    await using at = await world(makeBackend);
    await at.repository.commit({ a: "1" });
    const missing = parseRepository(`${at.server.url}/none.git`);
    assert.equal((await faultOf(at.mirror.fetch(missing, undefined, never))).code, "repository-not-found");
    const credential: Credential = { kind: "basic", username: "hub", password: "s3cret canary" };
    at.server.authorization = "Basic " + Buffer.from("hub:right").toString("base64");
    for (const given of [undefined, credential]) {
      const fault = await faultOf(at.mirror.fetch(at.remote, given, never));
      assert.equal(fault.code, "repository-auth");
      assert.doesNotMatch(`${fault.message} ${JSON.stringify(fault.where)} ${String(fault.cause)}`, /canary|czNjcmV0/);
    }
    await at.mirror.fetch(at.remote, { kind: "basic", username: "hub", password: "right" }, never);
    at.server.authorization = "Bearer abc";
    await at.mirror.fetch(at.remote, { kind: "bearer", token: "abc" }, never);
    at.server.failWith = 503;
    assert.equal((await faultOf(at.mirror.fetch(at.remote, undefined, never))).code, "repository-unreachable");
    const closed = parseRepository("http://127.0.0.1:9/none.git");
    assert.equal((await faultOf(at.mirror.fetch(closed, undefined, never))).code, "repository-unreachable");
  });

  test("never carries a credential along a redirect", async () => {
    await using at = await world(makeBackend);
    await at.repository.commit({ a: "1" });
    await using elsewhere = await new GitHttpServer(join(at.directory, "served")).listen();
    at.server.failWith = 302;
    at.server.redirectTo = elsewhere.url.replace("127.0.0.1", "localhost");
    const credential: Credential = { kind: "bearer", token: "canary" };
    await at.mirror.fetch(at.remote, credential, never).catch(() => undefined);
    assert.deepEqual(
      elsewhere.requests.filter((request) => request.authorization !== undefined),
      [],
    );
  });

  test("gives up a fetch that hangs when asked to", { timeout: generous(10_000) }, async () => {
    await using at = await world(makeBackend);
    at.server.hang = true;
    const stop = new AbortController();
    const fetching = faultOf(at.mirror.fetch(at.remote, undefined, stop.signal));
    while (at.server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    assert.equal((await fetching).code, "cancelled");
  });
}

suite("isomorphic-git, where there is no git command", () => {
  behaves(() => new IsomorphicGit());

  test("needs Git for local paths", async () => {
    await using at = await world(() => new IsomorphicGit());
    const fault = await faultOf(at.mirror.fetch(parseRepository(at.directory), undefined, never));
    assert.equal(fault.code, "tool-missing");
  });
});

suite("native Git", () => {
  behaves(native);

  test("reads a local path, and never runs a hook", async () => {
    await using at = await world(native);
    await at.repository.commit({ a: "1" });
    const local = parseRepository(at.repository.directory);
    await at.mirror.fetch(local, undefined, never);
    const { commit } = await at.mirror.resolve(local, { kind: "head" });
    assert.equal(text(await at.mirror.tree(local, commit).read("a")), "1");
  });

  test("finds the start of a SHA, and a commit that hangs on no branch", async () => {
    await using at = await world(native);
    const first = await at.repository.commit({ a: "1" });
    await at.mirror.fetch(at.remote, undefined, never);
    assert.equal((await at.mirror.resolve(at.remote, parseRevision(first.slice(0, 8)))).commit, first);
    const lost = await at.repository.commit({ a: "2" }, { branch: "gone" });
    await at.repository.git("update-ref", "refs/pull/1/head", lost);
    await at.repository.git("update-ref", "-d", "refs/heads/gone");
    await at.mirror.fetch(at.remote, undefined, never);
    assert.equal((await faultOf(at.mirror.resolve(at.remote, parseRevision(lost)))).code, "revision-not-found");
    await at.mirror.fetchRevision(at.remote, parseRevision(lost), { credential: undefined, signal: never });
    assert.equal((await at.mirror.resolve(at.remote, parseRevision(lost))).commit, lost);
    const nobody = "0123456789012345678901234567890123456789";
    assert.equal(
      (
        await faultOf(
          at.mirror.fetchRevision(at.remote, parseRevision(nobody), { credential: undefined, signal: never }),
        )
      ).code,
      "revision-not-found",
    );
  });

  test("refuses tree objects that Git itself would never write, beside good neighbours", async () => {
    await using at = await world(native);
    const blob = await at.repository.write("blob", "x");
    const line = (mode: string, name: string | Uint8Array, oid: string) =>
      Buffer.concat([Buffer.from(`${mode} `), Buffer.from(name), Buffer.from([0]), Buffer.from(oid, "hex")]);
    const names = ["..", ".", ".git", ".GIT", "a/b", "a\\b", "../../etc/passwd"];
    const folders: Buffer[] = [
      line("40000", "good", await at.repository.write("tree", line("100644", "x.yaml", blob))),
    ];
    for (const [index, name] of names.entries()) {
      folders.push(line("40000", `bad${index}`, await at.repository.write("tree", line("100644", name, blob))));
    }
    const odd = line("100644", new Uint8Array([0xff, 0xfe]), blob);
    folders.push(line("40000", "odd", await at.repository.write("tree", odd)));
    const root = await at.repository.write("tree", Buffer.concat(folders));
    const who = "Mira <mira@example.com> 9999999999999 +0000";
    const made = await at.repository.write("commit", `tree ${root}\nauthor ${who}\ncommitter ${who}\n\nmade\n`);
    await at.repository.git("update-ref", "refs/heads/main", made);
    await at.mirror.fetch(at.remote, undefined, never);
    const { commit } = await at.mirror.resolve(at.remote, { kind: "head" });
    const tree = at.mirror.tree(at.remote, commit);
    assert.equal(text(await tree.read("good/x.yaml")), "x");
    assert.deepEqual((await tree.below("good"))?.length, 1);
    for (const [index, name] of names.entries()) {
      assert.equal((await faultOf(tree.below(`bad${index}`))).code, "path-escapes", name);
    }
    assert.equal((await tree.below("odd"))?.length, 1);
    assert.equal((await faultOf(tree.entries())).code, "path-escapes");
  });

  test("refuses trees that grow without end", { timeout: generous(20_000) }, async () => {
    await using at = await world(native);
    const line = (mode: string, name: string, oid: string) =>
      Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, "hex")]);
    const wide = async (oid: string, mode: string) =>
      await at.repository.write(
        "tree",
        Buffer.concat(
          [...Array(200).keys()].sort((a, b) => (`${a}` < `${b}` ? -1 : 1)).map((n) => line(mode, `${n}`, oid)),
        ),
      );
    let bomb = await wide(await at.repository.write("blob", "x"), "100644");
    for (let depth = 0; depth < 4; depth += 1) bomb = await wide(bomb, "40000");
    let deep = await at.repository.write("tree", line("100644", "x", await at.repository.write("blob", "x")));
    for (let depth = 0; depth < 30; depth += 1)
      deep = await at.repository.write("tree", line("40000", "d".repeat(200), deep));
    const root = await at.repository.write(
      "tree",
      Buffer.concat([line("40000", "bomb", bomb), line("40000", "deep", deep)]),
    );
    const who = "Mira <mira@example.com> 0 +0000";
    const made = await at.repository.write("commit", `tree ${root}\nauthor ${who}\ncommitter ${who}\n\n`);
    await at.repository.git("update-ref", "refs/heads/main", made);
    await at.mirror.fetch(at.remote, undefined, never);
    const info = await at.mirror.resolve(at.remote, { kind: "head" });
    assert.equal(info.subject, "");
    const tree = at.mirror.tree(at.remote, info.commit);
    for (const path of ["bomb", "deep", ""]) assert.equal((await faultOf(tree.below(path))).code, "too-large", path);
  });

  test("makes a torn mirror anew, and serves the old one until then", async () => {
    await using at = await world(native);
    const first = await at.repository.commit({ a: "1" });
    await at.mirror.fetch(at.remote, undefined, never);
    const [mirror = ""] = globSync(join(at.directory, "mirrors", "*", "HEAD")).map((file) => dirname(file));
    await writeFile(join(mirror, "packed-refs.lock"), "");
    await at.repository.git("update-ref", "refs/heads/gone", first);
    await at.mirror.fetch(at.remote, undefined, never);
    await at.repository.git("update-ref", "-d", "refs/heads/gone");
    await at.mirror.fetch(at.remote, undefined, never);
    for (const pack of globSync(join(mirror, "objects", "**", "*"))) {
      if (statSync(pack).isFile()) {
        chmodSync(pack, 0o600);
        await writeFile(pack, "torn");
      }
    }
    at.server.failWith = 503;
    assert.equal((await faultOf(at.mirror.fetch(at.remote, undefined, never))).code, "repository-unreachable");
    at.server.failWith = undefined;
    const second = await at.repository.commit({ a: "2" });
    await at.mirror.fetch(at.remote, undefined, never);
    const { commit } = await at.mirror.resolve(at.remote, { kind: "head" });
    assert.equal(commit, second);
    assert.equal(text(await at.mirror.tree(at.remote, commit).read("a")), "2");
  });

  test("says when it last reached the repository, in a new process too", async () => {
    await using at = await world(native);
    await at.repository.commit({ a: "1" });
    await at.mirror.fetch(at.remote, undefined, never);
    const age = systemClock.now() - (await at.mirror.fetchedAt(at.remote));
    assert.ok(age >= 0 && age < 10_000);
  });
});
