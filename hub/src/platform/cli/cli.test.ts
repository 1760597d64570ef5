import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Fault } from "@capstan/proto";
import { FleetService } from "@capstan/proto/fleet";
import { SystemService } from "@capstan/proto/system";
import type { CallContext, Served } from "../../api/service.ts";
import { defaultIdentityTimes } from "../../identity/model.ts";
import { loadAuthority } from "../crypto/authority.ts";
import { AskingCredentials } from "../grpc/credentials.ts";
import { type GrpcServer, startGrpcServer } from "../grpc/server.ts";
import { tarArchive } from "./archive.ts";
import { connectHub } from "./client.ts";
import { findCa, parseEndpoint } from "./endpoint.ts";
import { diskFiles } from "./files.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "capstan-cli-"));
});
after(() => rm(folder, { recursive: true, force: true }));

describe("a hub's client", () => {
  const hubs: GrpcServer[] = [];
  let access: { endpoints: string[]; ca: string; token: string };
  let pin: string;
  const signal = new AbortController().signal;

  before(async () => {
    const authority = await loadAuthority(join(folder, "keys"), defaultIdentityTimes, Date.now());
    const { certFile, keyFile, caFile } = await authority.server(["127.0.0.1"], Date.now());
    const [ca, cert, key] = await Promise.all([readFile(caFile), readFile(certFile), readFile(keyFile)]);
    for (const leads of [false, true]) {
      const credentials = new AskingCredentials({ ca, cert, key });
      const listening = {
        address: "127.0.0.1",
        port: 0,
        credentials,
        connectionAgeMs: 60_000,
        onFault: () => undefined,
      };
      hubs.push(await startGrpcServer({ ...listening, services: servedBy(leads) }));
    }
    const endpoints = hubs.map(({ port }) => `127.0.0.1:${port}`);
    access = { endpoints, ca: Buffer.from(authority.cas[0] ?? []).toString("base64"), token: "capstan-token.x" };
    pin = authority.pin;
  });
  after(() => Promise.all(hubs.map((hub) => hub.stop())));

  it("sends the token, goes on to the hub that leads, and stays with it", async () => {
    const hub = connectHub(access);
    assert.equal((await hub.system.whoAmI({}, signal)).name, "capstan-token.x");
    assert.equal((await hub.system.whoAmI({}, signal)).role, "asked 2 times, once past a standby");
    hub.close();
  });

  it("gives the hub's own fault, and says plainly what it does not serve", async () => {
    const hub = connectHub({ ...access, endpoints: access.endpoints.slice(1) });
    await assert.rejects(hub.fleet.getCluster({ id: "x" }, signal), { code: "not-found", next: "See the list." });
    await assert.rejects(hub.rollouts.getRollout({ id: "x" }, signal), { code: "unsupported" });
    hub.close();
  });

  it("streams, and ends quietly when the caller stops", async () => {
    const hub = connectHub({ ...access, endpoints: access.endpoints.slice(1) });
    const stop = new AbortController();
    const tokens: string[] = [];
    for await (const { token } of hub.fleet.watchClusters({}, stop.signal)) {
      tokens.push(token);
      if (tokens.length === 2) stop.abort();
    }
    assert.deepEqual(tokens, ["1", "2"]);
    hub.close();
  });

  it("does not talk to a server of another CA, or to none", async () => {
    const other = await loadAuthority(join(folder, "other"), defaultIdentityTimes, Date.now());
    const strange = connectHub({ ...access, ca: Buffer.from(other.cas[0] ?? []).toString("base64") });
    await assert.rejects(strange.system.whoAmI({}, signal), { code: "hub-unreachable" });
    strange.close();
    const nobody = connectHub({ ...access, endpoints: ["127.0.0.1:1"] });
    await assert.rejects(nobody.system.whoAmI({}, signal), { code: "hub-unreachable" });
    nobody.close();
  });

  it("finds the CA by its pin, and shows the pin of what it finds without one", async () => {
    const endpoint = access.endpoints[0] ?? "";
    assert.deepEqual(await findCa(endpoint, pin.toUpperCase(), signal), { ca: access.ca, pin });
    assert.deepEqual(await findCa(endpoint, undefined, signal), { ca: access.ca, pin });
    await assert.rejects(findCa(endpoint, "0".repeat(64), signal), { code: "certificate-refused" });
    await assert.rejects(findCa("127.0.0.1:1", undefined, signal), { code: "hub-unreachable" });
    assert.throws(() => parseEndpoint("hub"), { code: "bad-input" });
    assert.deepEqual(parseEndpoint("[::1]:7443"), { host: "::1", port: 7443 });
  });

  function servedBy(leads: boolean): Served[] {
    let asked = 0;
    const system = {
      whoAmI: async (_request: unknown, { token }: CallContext) => {
        if (!leads) throw new Fault("not-leader", { message: "stands by." });
        asked += 1;
        return { name: token ?? "", role: `asked ${asked} times, once past a standby` };
      },
    };
    const fleet = {
      getCluster: async () => {
        throw new Fault("not-found", { message: "none.", next: "See the list." });
      },
      watchClusters: async function* () {
        for (let token = 1; ; token++) yield { token: String(token) };
      },
    };
    return [
      { service: SystemService, methods: system },
      { service: FleetService, methods: fleet },
    ];
  }
});

describe("files", () => {
  it("reads every document below a folder, in order, and nothing else", async () => {
    const root = join(folder, "docs");
    await mkdir(join(root, "b"), { recursive: true });
    for (const name of ["b/x.yml", "a.yaml", "c.json", "README.md"]) await writeFile(join(root, name), name);
    const found = await diskFiles.documents(root);
    assert.deepEqual(
      found.map(({ content }) => content),
      ["a.yaml", "b/x.yml", "c.json"],
    );
    await assert.rejects(diskFiles.documents(join(root, "none")), { code: "bad-input" });
    await mkdir(join(folder, "empty"));
    await assert.rejects(diskFiles.documents(join(folder, "empty")), { code: "path-empty" });
  });

  it("writes a secret for its owner alone", async () => {
    const file = join(folder, "config", "config.json");
    await diskFiles.writePrivate(file, "{}");
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal(await diskFiles.readIfThere(join(folder, "nothing")), undefined);
  });
});

describe("archives", () => {
  it("bring a stopped hub's folder back as it was, without mirrors of repositories", async () => {
    const data = join(folder, "hub");
    for (const part of ["keys", "nats", "git"]) await mkdir(join(data, part), { recursive: true });
    await writeFile(join(data, "keys", "ca.key"), "secret", { mode: 0o600 });
    await writeFile(join(data, "git", "pack"), "x".repeat(100));
    const file = join(folder, "backup.tar.gz");
    const { entries } = await tarArchive.backup(data, file);
    assert.ok(entries > 0);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    await assert.rejects(tarArchive.backup(data, file), { code: "already-exists" });
    const back = join(folder, "back");
    const { rebuilds } = await tarArchive.restore(file, back, { rebuild: false });
    assert.equal(rebuilds, false, "no store is in it");
    assert.equal(await readFile(join(back, "keys", "ca.key"), "utf8"), "secret");
    assert.equal((await stat(join(back, "keys", "ca.key"))).mode & 0o777, 0o600);
    await assert.rejects(stat(join(back, "git", "pack")));
    await assert.rejects(tarArchive.restore(file, back, { rebuild: false }), { code: "already-exists" });
  });

  it("refuse what is no hub's folder", async () => {
    await assert.rejects(tarArchive.backup(join(folder, "empty"), join(folder, "x.tgz")), { code: "bad-input" });
    await assert.rejects(tarArchive.backup(join(folder, "gone"), join(folder, "x.tgz")), { code: "bad-input" });
  });
});
