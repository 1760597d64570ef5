import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Clock, Fault, faultText, systemChance, systemClock } from "@capstan/proto";
import type { Served } from "./api/service.ts";
import { runProgram } from "./cli/program.ts";
import type { HubConfig } from "./config/compile.ts";
import { IncrementalGenerator } from "./generators/incremental.ts";
import { Hub } from "./hub.ts";
import type { Term } from "./leader/model.ts";
import { LeaseKeeper } from "./leader/reconciler.ts";
import { HttpApiClient } from "./platform/api/client.ts";
import { appSigner } from "./platform/api/github-app.ts";
import { cliPorts } from "./platform/cli/ports.ts";
import { type HubAuthority, loadAuthority } from "./platform/crypto/authority.ts";
import { randomId, sha256Hex, tokenCrypto } from "./platform/crypto/digests.ts";
import { loadSealing } from "./platform/crypto/sealing.ts";
import { loadSigner } from "./platform/crypto/signing.ts";
import { readFileIfThere, writeFileAtomic } from "./platform/disk/files.ts";
import { lockData } from "./platform/disk/lock.ts";
import { webhookCrypto } from "./platform/git/open.ts";
import { AskingCredentials } from "./platform/grpc/credentials.ts";
import { healthService } from "./platform/grpc/health.ts";
import { reflectionServices } from "./platform/grpc/reflection.ts";
import { startGrpcServer } from "./platform/grpc/server.ts";
import { calledBack } from "./platform/http/callback.ts";
import { HttpExchange } from "./platform/http/exchange.ts";
import { gateWorld } from "./platform/http/gates.ts";
import { startHttpServer } from "./platform/http/server.ts";
import { openLog } from "./platform/log/log.ts";
import { Spawner } from "./platform/render/spawner.ts";
import { renewAdminFile } from "./platform/serve/admin-file.ts";
import { desiredCrypto, openRenderer, openRepositories } from "./platform/serve/ports.ts";
import { openStore } from "./platform/serve/store.ts";
import { roomStores } from "./platform/stores/rooms.ts";
import { rootReader } from "./platform/stores/roots.ts";
import { bundleVault } from "./platform/stores/vault.ts";
import { type Services, servicesOf } from "./services.ts";
import { rulesOf, scheduleOf, serversOf } from "./sources/config.ts";
import { SourcesReconciler } from "./sources/reconciler.ts";
import { readPush, type WebhookRequest } from "./sources/webhook.ts";
import type { Fence } from "./store/port.ts";
import { TemplateEngine } from "./template/engine.ts";

const version = "0.1.0";

/** Serves until the signal aborts. Everything that was opened is closed in the reverse order, also when a start fails. */
export async function serve(config: HubConfig, signal: AbortSignal): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const world = await openWorld(config, opened, signal);
  const { hub, keeper } = makeHub(world);
  world.lease.keeper = keeper;
  const listening = await listen(world, hub, opened);
  const { log, store, sources, onFault, identity } = world;
  log.info({ grpc: listening.grpc, http: listening.http, fleet: identity.authority.fleet }, "listening");
  world.lease.serving = true;
  await together(signal, (stop) => [
    store.run(stop),
    sources.start(stop),
    keeper.run(stop),
    everyDay(clock, listening.renew, { onFault, signal: stop }),
  ]);
}

const clock = systemClock;
const chance = systemChance;

type World = Awaited<ReturnType<typeof openWorld>>;

/** Keys, NATS, repositories and renderers: all that the hub stands on. */
async function openWorld(config: HubConfig, opened: AsyncDisposableStack, signal: AbortSignal) {
  const log = openLog(config.logLevel, { hub: config.id });
  const onFault = (fault: Fault) => log.warn({ code: fault.code, err: fault.cause }, faultText(fault));
  const path = process.env["PATH"] ?? "";
  // Before all else: what stands below the folder, a running nats-server too, is its holder's.
  opened.use(await lockData(resolve(config.data), clock, signal));
  const identity = await openIdentity(config);
  // Stores need the fence, which is the lease, which is kept in the stores.
  const lease: { keeper: LeaseKeeper | undefined; serving: boolean } = { keeper: undefined, serving: false };
  const fence: Fence = {
    shard: "0",
    current: () => lease.keeper?.current(),
    settled: async (stop) => lease.keeper?.settled(stop),
  };
  const store = await openStore({ config, clock, chance, path, tls: identity.files, fence, onFault }, signal);
  opened.defer(() => (lease.serving ? store.close() : store.abandon()));
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
  const vault = bundleVault(store.stores.bundles, identity.sealing);
  // Servers listen only after the hub is made.
  const roots: { changed(): Promise<void> } = { changed: async () => undefined };
  return { roots, config, log, onFault, identity, lease, store, secrets, sources, renderer, isolation, vault };
}

/** The hub's own keys and certificate, below its data folder. */
async function openIdentity(config: HubConfig) {
  const folder = join(resolve(config.data), "keys");
  const authority = await loadAuthority(folder, config.identity, clock.now());
  const signer = await loadSigner(join(folder, "signing"));
  const sealing = await loadSealing(join(folder, "sealing"));
  const names = [...new Set([config.listen.address, "localhost", "127.0.0.1", ...config.listen.names])];
  const { certFile, keyFile, caFile } = await authority.server(names, clock.now());
  return { authority, signer, sealing, names, files: { cert: certFile, key: keyFile, ca: caFile } };
}

/** The hub over its world, and the keeper of its lease. */
function makeHub(world: World): { readonly hub: Hub; readonly keeper: LeaseKeeper } {
  const { config, identity, store, secrets, sources, renderer, vault, log, onFault } = world;
  const { authority, signer, sealing } = identity;
  const { state, records, bundles, hints, memory, lease } = store.stores;
  const generator = new IncrementalGenerator(new TemplateEngine());
  const endpoints = endpointsOf(config);
  const hub = new Hub({
    clock,
    chance,
    version,
    fleet: authority.fleet,
    config,
    sources,
    roots: rootReader(sources),
    servers: { client: apiClient(config), secrets: world.secrets, signer: appSigner },
    generate: (input) => generator.generate(input),
    renderer,
    crypto: desiredCrypto(signer, sealing),
    gates: gateWorld({ secrets, references: config.gates.secrets, callbackURL: config.gates.callbackURL }),
    vault,
    shelf: bundles,
    hints,
    memory,
    desk: {
      authority,
      signer,
      users: store.users,
      crypto: tokenCrypto,
      endpoints,
      onRoots: () => world.roots.changed(),
    },
    stores: roomStores(state, records),
    log: (level, message, fields) => log[level](fields ?? {}, message),
  });
  const data = resolve(config.data);
  const keeper = new LeaseKeeper({
    hub: config.id,
    shard: "0",
    times: config.lease,
    store: lease,
    clock,
    nonce: randomId,
    onLeading: (term, ending) => lead(hub, { term, authority, data, endpoints }, ending),
    onFault,
  });
  return { hub, keeper };
}

function apiClient({ sources }: HubConfig): HttpApiClient {
  return new HttpApiClient(new HttpExchange({ environment: process.env, servers: serversOf(sources) }));
}

/** Opens the two ports. Throws `port-in-use`. */
async function listen(world: World, hub: Hub, opened: AsyncDisposableStack) {
  const { config, identity, store, log, sources, secrets, isolation, vault } = world;
  const { authority, names, files } = identity;
  const services = servicesOf(hub, {
    clock,
    version,
    fleet: authority.fleet,
    hubId: config.id,
    caPin: () => authority.pin,
    natsVersion: store.natsVersion,
    sandbox: isolation.mode,
    warnings: store.warnings,
    endpoints: endpointsOf(config),
    stores: store.stores,
    vault,
    newId: randomId,
    sha256Hex,
  });
  const credentials = new AskingCredentials(await readTls(files));
  const grpc = await startGrpcServer({
    address: config.listen.address,
    port: config.listen.grpc,
    credentials,
    connectionAgeMs: config.identity.connectionAgeMs,
    services: [...services.served, healthOf(hub, services), ...reflectionServices(services.described)],
    onFault: (fault, method) => log.error({ method, err: fault.cause ?? fault }, faultText(fault)),
  });
  opened.defer(() => grpc.stop());
  const http = await startHttpServer(
    { address: config.listen.address, port: config.listen.http },
    {
      ready: () => hub.term !== undefined && store.connected(),
      metrics: () => services.metrics(),
      calledBack: (path, headers, body) =>
        calledBack({ path, headers, body }, { config, secrets, rollouts: hub.rollouts }),
      webhook: (headers, body) => heard({ headers, body }, { config, secrets, sources, hub }),
    },
  );
  opened.defer(() => http.stop());
  let shown = await readTls(files);
  const renew = async () => {
    await authority.server(names, clock.now());
    const tls = await readTls(files);
    // A server that reads its settings anew turns clients away for a moment: not without a reason.
    if (tls.cert.equals(shown.cert) && tls.ca.equals(shown.ca)) return;
    credentials.renew(tls);
    await store.reload();
    shown = tls;
  };
  world.roots.changed = async () => {
    await renew();
    await renewAdminFile(resolve(config.data), { endpoints: endpointsOf(config), cas: authority.cas });
  };
  return { grpc: grpc.port, http: http.port, renew };
}

function healthOf(hub: Hub, { described }: Services): Served {
  return healthService({
    services: described.map(({ typeName }) => typeName),
    leading: () => hub.term !== undefined,
    changed: (stop) => hub.leadershipChanged(stop),
  });
}

/** A push of a Git host: once its signature holds, its repositories are fetched; nothing else of it is believed. */
async function heard(
  request: WebhookRequest,
  at: Pick<World, "config" | "secrets" | "sources"> & { readonly hub: Hub },
): Promise<void> {
  const reference = at.config.sources.webhookSecret;
  if (reference === undefined) {
    throw new Fault("bad-config", { message: "the webhook is closed: sources.webhookSecret is not set." });
  }
  const hint = readPush(request, await at.secrets.read(reference), webhookCrypto);
  for (const url of hint?.repositoryURLs ?? []) {
    at.sources.refresh(url);
    at.hub.listings.hint(url);
  }
}

/** Runs loops until all have ended; where one fails, the others are stopped, and it is thrown when they have ended. */
async function together(signal: AbortSignal, start: (stop: AbortSignal) => readonly Promise<void>[]): Promise<void> {
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
  if (written !== undefined && !forgotten) await renewAdminFile(data, { endpoints, cas: authority.cas });
  if (!signal.aborted && (written === undefined || forgotten)) {
    const { text } = await hub.desk.personToken({ name: "admin", roles: ["admin"], ttl: undefined }, signal);
    const ca = Buffer.from(authority.cas[0] ?? new Uint8Array()).toString("base64");
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
