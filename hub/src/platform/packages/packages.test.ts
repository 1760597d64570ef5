import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { Fault, systemClock } from "@capstan/proto";
import { prepareRender } from "../../render/render.ts";
import type { Commit, Credential } from "../../sources/model.ts";
import { locationOf, parseRepository } from "../../sources/repository.ts";
import { parseRevision } from "../../sources/revision.ts";
import { openMirror } from "../git/open.ts";
import { scratch, TestRepository } from "../git/testing.ts";
import { HttpClient } from "../http/client.ts";
import { HttpExchange } from "../http/exchange.ts";
import { portsOver, realSandbox } from "../render/testing.ts";
import { ChartServer, type ChartText, chartFiles, helm, packChart, RegistryServer } from "./testing.ts";
import { unpack } from "./unpack.ts";

const never = new AbortController().signal;

/** Mirrors in a folder of their own. */
async function world() {
  const directory = await scratch();
  const open = async () => {
    const http = new HttpClient(new HttpExchange({ environment: {}, servers: [] }));
    const path = process.env["PATH"] ?? "";
    const options = { path, clock: systemClock, http, plainRegistries: ["127.0.0.1"], servers: [], proxies: {} };
    const { mirror } = await openMirror({ ...options, directory: join(directory.path, "mirrors") });
    return mirror;
  };
  const mirror = await open();
  /** As the hub's own loop does: look, and bring what is missing. */
  const find = async (location: string, revision: string, credential?: Credential) => {
    const [repository, wanted] = [parseRepository(location), parseRevision(revision)];
    await mirror.fetch(repository, credential, never);
    try {
      return await mirror.resolve(repository, wanted);
    } catch (thrown) {
      if (Fault.from(thrown).code !== "revision-not-found") throw thrown;
      await mirror.fetchRevision(repository, wanted, { credential, signal: never });
      return await mirror.resolve(repository, wanted);
    }
  };
  const read = async (location: string, revision: string, file: string) => {
    const { commit } = await find(location, revision);
    return new TextDecoder().decode(await mirror.tree(parseRepository(location), commit).read(file));
  };
  const charts = join(directory.path, "charts");
  const pack = (chart: ChartText) => packChart(charts, chart);
  return {
    ...{ directory, charts, mirror, open, find, read, pack },
    [Symbol.asyncDispose]: async () => {
      await mirror.close();
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

suite("chart repositories over HTTP", () => {
  test("give versions, ranges and the newest, each fetched when it is first asked for", async () => {
    await using at = await world();
    for (const version of ["1.0.0", "1.2.0", "2.0.0", "2.1.0-rc.1"]) await at.pack({ name: "web", version });
    await at.pack({ name: "other", version: "7.0.0" });
    await using server = await new ChartServer(at.charts).listen();
    await server.index();
    const web = locationOf({ repoURL: server.url, chart: "web" });
    assert.equal((await at.find(web, "1.0.0")).subject, "web 1.0.0 (app 9.9)");
    assert.equal((await at.find(web, "1.x")).subject, "web 1.2.0 (app 9.9)");
    assert.equal((await at.find(web, "")).subject, "web 2.0.0 (app 9.9)");
    assert.equal((await at.find(web, ">=2.0.0-0")).subject, "web 2.1.0-rc.1 (app 9.9)");
    assert.match(await at.read(web, "v1.0", "values.yaml"), /value: "1\.0\.0"/);
    const archives = server.asked.filter((asked) => asked.endsWith(".tgz"));
    assert.equal(archives.length, new Set(archives).size, "no archive is fetched twice");
    assert.ok(!archives.some((asked) => asked.includes("other")));
    const fault = await faultOf(at.find(web, "3.x"));
    assert.equal(fault.code, "revision-not-found");
    assert.match(fault.message, /no version "3\.x"; the newest is 2\.0\.0/);
    const none = await faultOf(at.find(locationOf({ repoURL: server.url, chart: "nothing" }), "1.0.0"));
    assert.equal(none.code, "repository-not-found");
  });

  test("serve what was fetched while they are away, after a restart too", async () => {
    await using at = await world();
    await at.pack({ name: "web", version: "1.0.0" });
    const server = await new ChartServer(at.charts).listen();
    await server.index();
    const web = locationOf({ repoURL: server.url, chart: "web" });
    const { commit } = await at.find(web, "1.x");
    await server[Symbol.asyncDispose]();
    const again = await at.open();
    const gone = await faultOf(again.fetch(parseRepository(web), undefined, never));
    assert.equal(gone.code, "repository-unreachable");
    assert.match(gone.message, /refuses the connection/);
    assert.equal((await again.resolve(parseRepository(web), parseRevision("1.x"))).commit, commit);
    await again.close();
  });

  test("say when a version was published anew, and the first one stays", async () => {
    await using at = await world();
    await at.pack({ name: "web", version: "1.0.0", value: "first" });
    await using server = await new ChartServer(at.charts).listen();
    await server.index();
    const web = locationOf({ repoURL: server.url, chart: "web" });
    const { commit } = await at.find(web, "1.0.0");
    await rm(await at.pack({ name: "web", version: "1.0.0", value: "first" }));
    await at.pack({ name: "web", version: "1.0.0", value: "second" });
    await server.index();
    const now = await at.find(web, "1.0.0");
    assert.equal(now.commit, commit);
    assert.match(now.fault?.message ?? "", /1\.0\.0 was published anew/);
  });

  test("tell wrong credentials, what is missing, and an archive that is not what the index says", async () => {
    await using at = await world();
    await at.pack({ name: "web", version: "1.0.0" });
    await using server = await new ChartServer(at.charts).listen();
    await server.index();
    const web = locationOf({ repoURL: server.url, chart: "web" });
    server.secret = "reader:right";
    assert.equal((await faultOf(at.find(web, "1.0.0"))).code, "repository-auth");
    const wrong: Credential = { kind: "basic", username: "reader", password: "wrong" };
    assert.equal((await faultOf(at.find(web, "1.0.0", wrong))).code, "repository-auth");
    assert.ok(await at.find(web, "1.0.0", { ...wrong, password: "right" }));
    server.secret = undefined;
    await rm(join(at.charts, "index.yaml"));
    assert.equal((await faultOf(at.find(web, "1.0.0"))).code, "repository-not-found");
    await at.pack({ name: "web", version: "2.0.0", value: "first" });
    await server.index();
    await at.pack({ name: "web", version: "2.0.0", value: "second" });
    assert.equal((await faultOf(at.find(web, "2.0.0"))).code, "digest-mismatch");
  });

  test("may not send the hub to a private address", async () => {
    await using at = await world();
    await using server = await new ChartServer(at.charts).listen();
    server.redirect = "http://169.254.169.254/latest/meta-data/";
    const fault = await faultOf(at.find(locationOf({ repoURL: server.url, chart: "web" }), "1.0.0"));
    assert.equal(fault.code, "remote-refused");
    assert.match(fault.message, /private address/);
  });
});

suite("OCI registries", () => {
  test("give charts that helm pushed: tags over many pages, ranges, a sign-in", async () => {
    await using at = await world();
    await using registry = await new RegistryServer().listen();
    registry.page = 2;
    for (const version of ["1.0.0", "1.1.0", "1.2.0+build.5", "2.0.0"]) {
      const archive = await at.pack({ name: "web", version });
      await helm(at.charts, "push", archive, `oci://${registry.host}/team`, "--plain-http");
    }
    registry.secret = "reader:right";
    const credential: Credential = { kind: "basic", username: "reader", password: "right" };
    // As Argo CD writes it: no scheme, and the chart's name apart.
    const web = locationOf({ repoURL: `${registry.host}/team`, chart: "web" });
    assert.equal((await faultOf(at.find(web, "1.0.0"))).code, "repository-auth");
    assert.equal((await at.find(web, "1.0.0", credential)).subject, "web 1.0.0");
    assert.equal((await at.find(web, "^1.0", credential)).subject, "web 1.2.0+build.5");
    registry.secret = undefined;
    assert.match(await at.read(web, "2.0.0", "Chart.yaml"), /version: 2\.0\.0/);
    const missing = await faultOf(at.find(web, "9.9.9"));
    assert.equal(missing.code, "revision-not-found");
  });

  test("give a tag that moves as it is now", async () => {
    await using at = await world();
    await using registry = await new RegistryServer().listen();
    const push = async (value: string) => {
      const archive = await at.pack({ name: "web", version: "1.0.0", value });
      await helm(at.charts, "push", archive, `oci://${registry.host}/team`, "--plain-http");
      const manifest = await fetch(`http://${registry.host}/v2/team/web/manifests/1.0.0`);
      const headers = { "content-type": manifest.headers.get("content-type") ?? "" };
      const body = await manifest.text();
      await fetch(`http://${registry.host}/v2/team/web/manifests/latest`, { method: "PUT", headers, body });
    };
    const artifact = `oci://${registry.host}/team/web`;
    await push("first");
    assert.match(await at.read(artifact, "latest", "values.yaml"), /first/);
    await push("second");
    assert.match(await at.read(artifact, "latest", "values.yaml"), /second/);
  });
});

suite("charts that need other charts", () => {
  test("get them from their repositories, the newest of the range or as the lock pins them", async () => {
    await using at = await world();
    for (const version of ["1.0.0", "1.1.0"]) await at.pack({ name: "lib", version });
    await using server = await new ChartServer(at.charts).listen();
    await server.index();
    const dependencies = `dependencies:\n  - name: lib\n    version: 1.x\n    repository: ${server.url}\n`;
    const umbrella = chartFiles({ name: "umbrella", version: "0.1.0", more: dependencies });
    const repository = await new TestRepository(join(at.directory.path, "fleet.git")).init();
    const lib = locationOf({ repoURL: server.url, chart: "lib" });
    const sandbox = await realSandbox(at.directory.path);
    const render = async (lock: Record<string, string>) => {
      await repository.commit({ ...umbrella, ...lock });
      const { commit } = await at.find(repository.directory, "HEAD");
      const found = new Map<string, Commit>();
      for (const wanted of ["1.x", "1.0.0"]) found.set(wanted, (await at.find(lib, wanted)).commit);
      const asked: string[] = [];
      const dependency = (location: string, version: string) => {
        asked.push(`${location} ${version}`);
        return at.mirror.tree(parseRepository(location), found.get(version) ?? commit);
      };
      const tree = at.mirror.tree(parseRepository(repository.directory), commit);
      const source = { repoURL: repository.directory, path: "." };
      const request = { sources: [{ source, tree }], dependency, name: "app", namespace: "default" };
      const bundle = await (await prepareRender(request, portsOver(sandbox), never)).run(never);
      return { asked, names: bundle.objects.map(({ name }) => name), text: new TextDecoder().decode(bundle.bytes) };
    };
    const free = await render({});
    assert.deepEqual(free.asked, [`${lib} 1.x`]);
    assert.deepEqual(free.names, ["app-lib", "app-umbrella"]);
    assert.match(free.text, /"value":"1\.1\.0"/);
    const pinned = await render({
      "Chart.lock": `dependencies:\n- name: lib\n  repository: ${server.url}\n  version: 1.0.0\ndigest: sha256:0\ngenerated: "2026-01-01T00:00:00Z"\n`,
    });
    assert.deepEqual(pinned.asked, [`${lib} 1.0.0`]);
    assert.match(pinned.text, /"value":"1\.0\.0"/);
  });
});

suite("archives", () => {
  test("that are none, or too large, are refused", async () => {
    assert.equal((await faultOf(unpack(new TextEncoder().encode("no archive"), true))).code, "bad-input");
    await using at = await world();
    const bytes = await readFile(await at.pack({ name: "web", version: "1.0.0" }));
    assert.equal((await faultOf(unpack(bytes, true, { bytes: 10, entries: 10 }))).code, "too-large");
    assert.equal((await faultOf(unpack(bytes, true, { bytes: 1e6, entries: 1 }))).code, "too-large");
    const files = (await unpack(bytes, true)).map(({ path }) => path).sort();
    assert.deepEqual(files, Object.keys(chartFiles({ name: "web", version: "1.0.0" })).sort());
  });
});
