import { backoffDelay, Fault, faultText, systemChance, systemClock } from "@capstan/proto";
import { createAgent } from "./agent.ts";
import { actOn } from "./apply/act.ts";
import { ObjectMemory } from "./apply/memory.ts";
import { applyTarget, removeTarget } from "./apply/reconciler.ts";
import { TargetWatcher } from "./apply/watcher.ts";
import type { AgentConfig } from "./config/model.ts";
import { readConfig } from "./config/read.ts";
import { Judges } from "./health/judges.ts";
import { parseJoinToken } from "./identity/token.ts";
import { KubeIdentityStore, KubeSecrets } from "./platform/cache/secrets.ts";
import { bundleCrypto } from "./platform/crypto/bundles.ts";
import { agentCrypto } from "./platform/crypto/keys.ts";
import { joinFiles, readText } from "./platform/disk/files.ts";
import { readFacts, readIncarnation } from "./platform/facts/facts.ts";
import { grpcIdentityCalls } from "./platform/grpc/calls.ts";
import { adoptProxySettings } from "./platform/grpc/proxy.ts";
import { grpcReads } from "./platform/grpc/reads.ts";
import { GrpcDialer } from "./platform/grpc/session.ts";
import { inClusterAccess } from "./platform/kube/access.ts";
import { KubeClient } from "./platform/kube/client.ts";
import { KubeCluster } from "./platform/kube/cluster.ts";
import { KubeInventoryStore } from "./platform/kube/inventory-store.ts";
import { Kinds } from "./platform/kube/kinds.ts";
import { kubeconfigAccess } from "./platform/kube/kubeconfig.ts";
import { KubeLooks } from "./platform/kube/looks.ts";
import { Reflector } from "./platform/kube/reflector.ts";
import { openLog } from "./platform/log/log.ts";
import { NatsLink } from "./platform/nats/connection.ts";
import { newBootId, print, processInputs, runProcess } from "./platform/process/process.ts";
import { collectBetweenBursts } from "./platform/process/quiet.ts";
import type { AgentLog, AgentPorts } from "./ports.ts";

const clock = systemClock;
const chance = systemChance;

collectBetweenBursts();
adoptProxySettings(process.env);
await runProcess(async (signal) => {
  const inputs = processInputs();
  const invocation = readConfig({ ...inputs, join: await joinFiles() });
  switch (invocation.kind) {
    case "help":
    case "version":
      print.out(invocation.text);
      return 0;
    case "wrong":
      print.err(`capstan-agent: ${invocation.problems.join("\ncapstan-agent: ")}\nSee capstan-agent --help.\n`);
      return 64;
    case "run":
      return run(invocation.config, inputs.env, signal);
  }
});

async function run(
  config: AgentConfig,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<number> {
  const log = openLog(config.logLevel, config.cluster);
  try {
    const reason = await createAgent(await build(config, env, log, signal)).run(signal);
    return signal.aborted && reason.code === "cancelled" ? 0 : failed(reason);
  } catch (thrown) {
    return signal.aborted ? 0 : failed(Fault.from(thrown));
  }
}

function failed(fault: Fault): number {
  print.err(`capstan-agent: ${faultText(fault)}\n`);
  switch (fault.code) {
    case "bad-config":
      return 64;
    case "hub-unreachable":
    case "timeout":
    case "not-leader":
      return 69;
    case "token-refused":
    case "certificate-refused":
    case "revoked":
    case "not-allowed":
      return 77;
    default:
      return 70;
  }
}

async function build(
  config: AgentConfig,
  env: Readonly<Record<string, string | undefined>>,
  log: AgentLog,
  signal: AbortSignal,
): Promise<AgentPorts> {
  const access = await accessOf(config, env);
  const client = new KubeClient({ access, clock, chance, inFlight: config.requests, timeoutMs: 30_000 });
  const kinds = new Kinds(client);
  const cluster = new KubeCluster(client, kinds);
  const inventory = new KubeInventoryStore(client, config.namespace);
  const memory = new ObjectMemory();
  const watches = new Reflector({ client, kinds, clock, chance, selector: "capstan.dev/target" });
  const looks = new KubeLooks(client, kinds);
  // Loaded with the first rule: most fleets have none, and every agent would hold the language.
  const judges = new Judges(async (rules) => new (await import("@capstan/proto/rules")).UserRules(rules));
  const watcher = new TargetWatcher({ watches, memory, clock, judges, looks });
  const health = (key: string) => watcher.healthOf(key);
  const engine = { cluster, inventory, memory, clock, health, concurrency: 8 };
  const secrets = new KubeSecrets(client, config.namespace);
  const dialer = new GrpcDialer();
  const who = { cluster: config.cluster, incarnation: await reachCluster(client, log, signal) };
  return {
    config,
    who,
    clock,
    chance,
    log,
    bootId: newBootId(),
    crypto: agentCrypto,
    bundles: bundleCrypto,
    calls: grpcIdentityCalls,
    identities: new KubeIdentityStore(secrets),
    secrets,
    joinToken: async () =>
      config.joinTokenFile === undefined ? undefined : parseJoinToken(await readText(config.joinTokenFile)),
    dialer,
    overGrpc: grpcReads(() => dialer.current),
    overNats: config.transport === "grpc" ? undefined : (identity) => new NatsLink(identity, clock, chance),
    applier: {
      apply: (input, until) => applyTarget(engine, input, until),
      inspect: (input, until) => applyTarget({ ...engine, memory: new ObjectMemory() }, input, until),
      remove: (input, until) => removeTarget(engine, input, until),
      act: (input, until) => actOn(engine, input, until),
      inventory: (target, until) => inventory.read(target, until),
      owners: (until) => inventory.targets(until),
      namespaced: async (kind, until) => (await cluster.served(kind, until))?.namespaced,
    },
    watcher,
    live: looks,
    facts: (until) => readFacts(client, kinds, until),
    drain: () => inventory.drain(),
  };
}

async function accessOf({ kubeconfig, context }: AgentConfig, env: Readonly<Record<string, string | undefined>>) {
  const access = kubeconfig === undefined ? await inClusterAccess(env) : await kubeconfigAccess(kubeconfig, context);
  if (access !== undefined) return access;
  throw new Fault("bad-config", {
    message: "this is no pod, and no --kubeconfig was given.",
    next: "Name a kubeconfig.",
  });
}

/** The cluster's incarnation; waits for an API server that is not there yet. */
async function reachCluster(client: KubeClient, log: AgentLog, signal: AbortSignal): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await readIncarnation(client, signal);
    } catch (thrown) {
      const fault = Fault.from(thrown);
      if (signal.aborted || !fault.retryable) throw fault;
      log.warn("kube", fault.message, { code: fault.code });
      await clock.sleep(backoffDelay({ base: 1_000, factor: 2, cap: 30_000 }, attempt, chance), signal);
    }
  }
}
