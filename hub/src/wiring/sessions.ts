import { type ClusterId, Fault } from "@capstan/proto";
import type { Hello, Facts as WireFacts, Trust as WireTrust } from "@capstan/proto/agent";
import type { ClusterFacts } from "../clusters/model.ts";
import { Sessions } from "../distribution/sessions.ts";
import type { Trust } from "../identity/model.ts";
import { staleness } from "../status/stale.ts";
import type { Wiring } from "./rooms.ts";

/** Sessions with agents. */
export function makeSessions(at: Wiring): Sessions {
  const { clock, version } = at.ports;
  return new Sessions({
    clock,
    version,
    leadership: () => ({ leading: at.isLeading(), endpoint: "" }),
    greet: (cluster, hello, signal) => greet(at, cluster, hello, signal),
    listWanted: (cluster, { held }, signal) => at.rooms.distribution.listMissing(cluster, held, signal),
    listBrought: (list, signal) => at.rooms.distribution.takeList(list, signal),
    report: (cluster, bootId, batch) => at.rooms.status.fold(cluster, bootId, batch),
    heartbeat: (cluster, { revision, trust }, signal) => {
      at.rooms.status.heard(cluster, revision);
      if (trust !== undefined) void trusted(at, cluster, trust, signal);
    },
    renewal: (cluster) => at.rooms.keyring.renewal(at.rooms.clusters.record(cluster)?.trust),
    event: (cluster, event) => {
      at.rooms.events.push({ cluster, event });
      if (at.rooms.events.length > 1000) at.rooms.events.shift();
    },
    onConnection: (cluster, connected) => {
      if (connected) at.rooms.status.heard(cluster, at.rooms.status.of(cluster).heldRevision);
      else at.rooms.status.touch(cluster);
      at.ports.log("info", connected ? "cluster connected" : "cluster disconnected", { cluster });
      at.rooms.rollouts.clusterChanged(cluster);
      at.touch();
    },
    heartbeatMs: () => staleness(at.rooms.sessions.size).heartbeatMs,
    acked: (cluster, bootId) => {
      const status = at.rooms.status.of(cluster);
      return status.bootId === bootId ? status.sequence : 0n;
    },
    onFault: (cluster, fault) => at.logFault(`session ${cluster}`, fault),
  });
}

async function greet(at: Wiring, cluster: ClusterId, hello: Hello, signal: AbortSignal): Promise<bigint> {
  if (at.rooms.desk.isRevoked(cluster)) {
    throw new Fault("revoked", { message: `cluster ${cluster} is revoked.`, where: { cluster } });
  }
  await remember(at, cluster, hello, signal);
  const greeting = await at.rooms.clusters.greet(
    cluster,
    {
      incarnation: hello.incarnation,
      facts: factsOf(hello.facts),
      version: hello.versions?.program ?? "",
      trust: hello.trust === undefined ? undefined : trustOf(hello.trust),
    },
    signal,
  );
  if (greeting.kind === "unknown") throw greeting.fault;
  const revision = await at.rooms.distribution.hail(cluster, { highWater: hello.highWater, held: hello.held }, signal);
  return revision;
}

/** A cluster whose enrolment was lost with the store is known again by its certificate and what it says over it. */
async function remember(
  at: Wiring,
  cluster: ClusterId,
  { incarnation, sealingPublicKey, natsPublicKey, held }: Hello,
  signal: AbortSignal,
): Promise<void> {
  const record = at.rooms.clusters.record(cluster);
  if (record?.enrolment !== undefined || sealingPublicKey.length !== 32) return;
  await at.rooms.clusters.remember(cluster, at.rooms.distribution.labelsIn(held), signal);
  const sealingKey = [...sealingPublicKey].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const natsKey = ownNatsKey(at, cluster, natsPublicKey);
  const keys = { tlsKey: at.tlsKeyOf(cluster) ?? "", natsKey, sealingKey };
  const now = at.ports.clock.now();
  await at.rooms.clusters.enrolled(
    {
      cluster,
      keys,
      next: undefined,
      incarnation,
      enrolledAt: now,
      notAfter: now + at.ports.config.identity.certificate,
    },
    signal,
  );
}

/** The NATS key that a cluster says it uses, so that a revocation cuts it; empty for what is no key, or another's. */
function ownNatsKey(at: Wiring, cluster: ClusterId, said: string): string {
  if (!/^U[A-Z2-7]{55}$/.test(said)) return "";
  const others = at.rooms.clusters.records().filter(({ id }) => id !== cluster);
  return others.some(({ enrolment }) => enrolment?.keys.natsKey === said) ? "" : said;
}

/** A write that fails is no harm: the next hello says it again. */
async function trusted(at: Wiring, cluster: ClusterId, trust: WireTrust, signal: AbortSignal): Promise<void> {
  try {
    await at.rooms.clusters.trusts(cluster, trustOf(trust), signal);
  } catch (thrown) {
    at.logFault(`session ${cluster}`, Fault.from(thrown));
  }
}

/** Bounded, as whatever an agent says. */
function trustOf({ verificationKeys, roots }: WireTrust): Trust {
  return { keys: verificationKeys.slice(0, 32), roots: roots.slice(0, 32) };
}

function factsOf(facts: WireFacts | undefined): ClusterFacts | undefined {
  if (facts === undefined) return undefined;
  const { kubernetesVersion, apiVersions, nodes, platform, writableNamespaces, otherManagers } = facts;
  return { kubernetesVersion, apiVersions, nodes, platform, writableNamespaces, otherManagers };
}
