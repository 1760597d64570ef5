import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Clock, Fault, faultText, systemChance, systemClock } from "@capstan/proto";
import { AgentService } from "@capstan/proto/agent";
import { ApplicationService } from "@capstan/proto/application";
import { FleetService } from "@capstan/proto/fleet";
import { RolloutService } from "@capstan/proto/rollout";
import { SystemService } from "@capstan/proto/system";
import { agentService } from "./api/agent-service.ts";
import { auditReach, readAudit } from "./api/audit-reader.ts";
import { authoriser } from "./api/authorise.ts";
import { Calls } from "./api/call.ts";
import { fleetService } from "./api/fleet-service.ts";
import { labelEffects } from "./api/label-effects.ts";
import { inputProblems, looksOf, rolloutLines } from "./api/looks.ts";
import { metricsText } from "./api/metrics.ts";
import { peopleServices, worldOf } from "./api/people.ts";
import { missingDocuments } from "./api/set-views.ts";
import { summary } from "./api/summary.ts";
import { systemService } from "./api/system-service.ts";
import { type ClusterSources, clusterView, faultDetail } from "./api/views.ts";
import { AuditTrail } from "./audit/reconciler.ts";
import { runProgram } from "./cli/program.ts";
import type { HubConfig } from "./config/compile.ts";
import { generate } from "./generators/generate.ts";
import { Hub } from "./hub.ts";
import type { Term } from "./leader/model.ts";
import { LeaseKeeper } from "./leader/reconciler.ts";
import { cliPorts } from "./platform/cli/ports.ts";
import { type HubAuthority, loadAuthority } from "./platform/crypto/authority.ts";
import { randomId, sha256Hex, tokenCrypto } from "./platform/crypto/digests.ts";
import { loadSealing } from "./platform/crypto/sealing.ts";
import { loadSigner } from "./platform/crypto/signing.ts";
import { readFileIfThere, writeFileAtomic } from "./platform/disk/files.ts";
import { webhookCrypto } from "./platform/git/open.ts";
import { AskingCredentials } from "./platform/grpc/credentials.ts";
import { healthService } from "./platform/grpc/health.ts";
import { reflectionServices } from "./platform/grpc/reflection.ts";
import { startGrpcServer } from "./platform/grpc/server.ts";
import { startHttpServer } from "./platform/http/server.ts";
import { openLog } from "./platform/log/log.ts";
import { Spawner } from "./platform/render/spawner.ts";
import { desiredCrypto, openRenderer, openRepositories } from "./platform/serve/ports.ts";
import { openStore } from "./platform/serve/store.ts";
import {
  clusterStore,
  desiredStore,
  documentStore,
  fleetNotes,
  guardStore,
  identityStore,
  renderMemory,
  rolloutStore,
  statusStore,
} from "./platform/stores/rooms.ts";
import { rootReader } from "./platform/stores/roots.ts";
import { bundleVault } from "./platform/stores/vault.ts";
import { rulesOf, scheduleOf } from "./sources/config.ts";
import { SourcesReconciler } from "./sources/reconciler.ts";
import { readPush } from "./sources/webhook.ts";
import type { Fence } from "./store/port.ts";
import { TemplateEngine } from "./template/engine.ts";

const version = "0.1.0";

/** Serves until the signal aborts. Everything that was opened is closed in the reverse order, also when a start fails. */
export async function serve(config: HubConfig, signal: AbortSignal): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const log = openLog(config.logLevel, { hub: config.id });
  const onFault = (fault: Fault) => log.warn({ code: fault.code, err: fault.cause }, faultText(fault));
  const clock = systemClock;
  const chance = systemChance;
  const path = process.env["PATH"] ?? "";
  const data = resolve(config.data);
  const authority = await loadAuthority(join(data, "keys"), config.identity, clock.now());
  const signer = await loadSigner(join(data, "keys", "signing"));
  const sealing = await loadSealing(join(data, "keys", "sealing"));
  const names = [...new Set([config.listen.address, "localhost", "127.0.0.1", ...config.listen.names])];
  const certificate = await authority.server(names, clock.now());
  const files = { cert: certificate.certFile, key: certificate.keyFile, ca: certificate.caFile };
  const held: { keeper: LeaseKeeper | undefined } = { keeper: undefined };
  const fence: Fence = {
    shard: "0",
    current: () => held.keeper?.current(),
    settled: async (stop) => held.keeper?.settled(stop),
  };
  const store = await openStore({ config, clock, chance, path, tls: files, fence, onFault }, signal);
  let serving = false;
  opened.defer(() => (serving ? store.close() : store.abandon()));
  for (const warning of store.warnings) log.warn(warning);
  // One small process starts all others: from a large one each start would hold up the hub.
  const runner = new Spawner().start();
  const { mirror, secrets, backend } = await openRepositories(config, { clock, runner, environment: process.env });
  const sources = new SourcesReconciler({
    mirror,
    secrets,
    rules: rulesOf(config.sources),
    schedule: scheduleOf(config.sources),
    concurrency: config.sources.concurrency,
    fetchTimeoutMs: 120_000,
    clock,
    chance,
  });
  const { renderer, isolation } = await openRenderer(config, { clock, path, runner }, signal);
  log.info({ git: backend, sandbox: isolation.mode, nats: store.natsVersion, reason: isolation.reason }, "opened");
  const endpoints = endpointsOf(config);
  const vault = bundleVault(store.stores.bundles, sealing);
  const engine = new TemplateEngine();
  const { state, records } = store.stores;
  const hub = new Hub({
    clock,
    chance,
    version,
    fleet: authority.fleet,
    config,
    sources,
    roots: rootReader(sources),
    generate: (input) => generate(engine, input),
    renderer,
    crypto: desiredCrypto(signer, sealing),
    vault,
    shelf: store.stores.bundles,
    hints: store.stores.hints,
    memory: store.stores.memory,
    desk: { authority, signer, users: store.users, crypto: tokenCrypto, endpoints },
    stores: {
      identity: identityStore(state),
      desired: desiredStore(state),
      status: statusStore(state),
      clusters: clusterStore(state),
      documents: documentStore(state),
      renders: renderMemory(state),
      rollouts: rolloutStore(state, records),
      guard: guardStore(state),
      notes: fleetNotes(state),
    },
    log: (level, message, fields) => log[level](fields ?? {}, message),
  });
  held.keeper = new LeaseKeeper({
    hub: config.id,
    shard: "0",
    times: config.lease,
    store: store.stores.lease,
    clock,
    nonce: randomId,
    onLeading: (term, ending) => lead(hub, { term, authority, data, endpoints }, ending),
    onFault,
  });
  const audit = new AuditTrail({
    store: store.stores.audit,
    clock,
    hash: sha256Hex,
    id: randomId,
    epoch: () => hub.term?.epoch,
  });
  const authorise = authoriser((token) => hub.desk.person(token));
  const calls = new Calls({
    authorise,
    audited: (call, work, stop) => audit.audited(call, work, stop),
    assertLeading: () => assertLeading(hub),
  });
  const seen = clusterSources(hub);
  const hubProblems = () => store.warnings.map((message) => faultDetail(new Fault("bad-config", { message })));
  const people = peopleServices(worldOf(hub, { clock, bundles: vault, newId: randomId }), calls);
  const services = [
    fleetService({
      ...seen,
      calls,
      clock,
      guard: hub.guard,
      endpoints,
      summary: () => {
        const now = people.sight.now();
        return summary({
          now: clock.now(),
          fleet: authority.fleet,
          clusters: hub.clusters.records().map((record) => clusterView(record, seen)),
          rollouts: rolloutLines(now),
          looks: looksOf(now),
          problems: [...hubProblems(), ...inputProblems(now)],
        });
      },
      changes: { ...hub.changes, clock },
      revoke: (cluster, who, stop) => hub.revoke(cluster, who, stop),
      forget: (cluster, stop) => hub.forget(cluster, stop),
      effects: (cluster, labels, stop) => labelEffects(cluster, labels, people.sight.now(), stop),
    }),
    ...people.services,
    systemService({
      calls,
      authorise,
      clock,
      people: hub.desk,
      hub: () => ({
        version,
        fleet: authority.fleet,
        hub: config.id,
        leading: hub.term !== undefined,
        epoch: hub.term?.epoch ?? 0n,
        natsVersion: store.natsVersion,
        rebuilding: hub.rebuilding !== undefined,
        caPin: authority.pin,
        problems: hubProblems(),
        sandbox: isolation.mode,
        missingDocuments: hub.rebuilding === undefined ? [] : missingDocuments(people.sight.now()),
      }),
      audit: async (stop) => readAudit(await store.stores.audit.read({ last: auditReach }, stop), sha256Hex),
      endRebuild: (stop) => hub.endRebuild(stop),
    }),
    agentService({
      desk: hub.desk,
      session: (peer, requests, stop) => hub.session(peer, requests, stop),
      desired: async (cluster, stop) => (await state.get(`desired.${cluster}`, stop))?.value,
      chunk: (hex, n, stop) => store.stores.bundles.chunk(hex, n, stop),
      assertLeading: () => assertLeading(hub),
    }),
  ];
  const described = [AgentService, ApplicationService, FleetService, RolloutService, SystemService];
  const credentials = new AskingCredentials(await readTls(files));
  const grpc = await startGrpcServer({
    address: config.listen.address,
    port: config.listen.grpc,
    credentials,
    connectionAgeMs: config.identity.connectionAgeMs,
    services: [
      ...services,
      healthService({
        services: described.map(({ typeName }) => typeName),
        leading: () => hub.term !== undefined,
        changed: (stop) => hub.leadershipChanged(stop),
      }),
      ...reflectionServices(described),
    ],
    onFault: (fault, method) => log.error({ method, err: fault.cause ?? fault }, faultText(fault)),
  });
  opened.defer(() => grpc.stop());
  const http = await startHttpServer(
    { address: config.listen.address, port: config.listen.http },
    {
      ready: () => hub.term !== undefined && store.connected(),
      metrics: () => {
        const clusters = hub.clusters.records().map((record) => clusterView(record, seen));
        return metricsText(clusters, people.sight.now(), hub.term !== undefined);
      },
      webhook: async (headers, body) => {
        const reference = config.sources.webhookSecret;
        if (reference === undefined) {
          throw new Fault("bad-config", { message: "the webhook is closed: sources.webhookSecret is not set." });
        }
        const hint = readPush({ headers, body }, await secrets.read(reference), webhookCrypto);
        for (const url of hint?.repositoryURLs ?? []) sources.refresh(url);
      },
    },
  );
  opened.defer(() => http.stop());
  log.info({ grpc: grpc.port, http: http.port, fleet: authority.fleet }, "listening");
  const renew = async () => {
    await authority.server(names, clock.now());
    credentials.renew(await readTls(files));
    store.reload();
  };
  serving = true;
  await together(signal, (stop) => [
    store.run(stop),
    sources.start(stop),
    held.keeper?.run(stop),
    everyDay(clock, renew, { onFault, signal: stop }),
  ]);
}

/** Runs loops until all have ended; where one fails, the others are stopped, and it is thrown when they have ended. */
async function together(
  signal: AbortSignal,
  start: (stop: AbortSignal) => readonly (Promise<void> | undefined)[],
): Promise<void> {
  const failed = new AbortController();
  const loops = start(AbortSignal.any([signal, failed.signal]));
  try {
    await Promise.all(loops);
  } finally {
    failed.abort();
    await Promise.allSettled(loops);
  }
}

/** Once a day; what fails is told and tried again the next day: a server certificate is renewed long before its end. */
async function everyDay(
  clock: Clock,
  work: () => Promise<void>,
  { onFault, signal }: { onFault(fault: Fault): void; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(24 * 3_600_000, signal).catch(() => undefined);
    if (!signal.aborted) await work().catch((thrown: unknown) => onFault(Fault.from(thrown)));
  }
}

interface Leading {
  readonly term: Term;
  readonly authority: HubAuthority;
  readonly data: string;
  readonly endpoints: readonly string[];
}

/**
 * One term. The first of all makes the first admin's credential, in a file that only its owner reads; so does one that
 * rebuilds from a store that has forgotten it, or nobody could end the rebuild.
 */
async function lead(hub: Hub, leading: Leading, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const admin = firstAdmin(hub, leading, AbortSignal.any([signal, over.signal]));
  try {
    await Promise.all([hub.lead(leading.term, signal), admin]);
  } finally {
    over.abort();
  }
}

async function firstAdmin(hub: Hub, { authority, data, endpoints }: Leading, signal: AbortSignal): Promise<void> {
  const file = join(data, "admin.json");
  while (hub.term === undefined && !signal.aborted)
    await hub.leadershipChanged(AbortSignal.any([signal, AbortSignal.timeout(1000)]));
  const written = await readFileIfThere(file);
  const forgotten = written !== undefined && hub.rebuilding !== undefined && !isKnown(hub, written);
  if (!signal.aborted && (written === undefined || forgotten)) {
    const { text } = await hub.desk.personToken({ name: "admin", roles: ["admin"], ttl: undefined }, signal);
    const ca = Buffer.from(authority.ca).toString("base64");
    await writeFileAtomic(file, `${JSON.stringify({ endpoints, ca, token: text }, null, 2)}\n`);
  }
}

/** Whether the credential in an admin's file still opens the hub. */
function isKnown(hub: Hub, file: Uint8Array): boolean {
  try {
    const { token } = JSON.parse(new TextDecoder().decode(file)) as { readonly token?: string };
    return hub.desk.person(token ?? "") !== undefined;
  } catch {
    return false;
  }
}

function clusterSources(hub: Hub): ClusterSources {
  const { clusters, sessions, status, distribution, desk } = hub;
  return { clusters, live: sessions, status, desired: distribution, desk };
}

function assertLeading(hub: Hub): void {
  if (hub.term !== undefined) return;
  throw new Fault("not-leader", { message: "this hub stands by; another one leads.", next: "Ask the other hub." });
}

function endpointsOf({ listen }: HubConfig): readonly string[] {
  if (listen.endpoints.length > 0) return listen.endpoints;
  return [`${listen.names[0] ?? listen.address}:${listen.grpc}`];
}

async function readTls(files: { readonly cert: string; readonly key: string; readonly ca: string }) {
  const [ca, cert, key] = await Promise.all([readFile(files.ca), readFile(files.cert), readFile(files.key)]);
  return { ca, cert, key };
}

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
const ports = cliPorts(process.env, { version, serve });
process.exitCode = await runProgram(process.argv.slice(2), ports, stop.signal);
// All is closed by now. What a library has forgotten to close must not keep a program that has ended.
setTimeout(() => process.exit(), 1_000).unref();
