import { type Clock, Fault, faultText } from "@capstan/proto";
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
import type { Served } from "./api/service.ts";
import { missingDocuments } from "./api/set-views.ts";
import { summary } from "./api/summary.ts";
import { systemService } from "./api/system-service.ts";
import { type ClusterSources, clusterView, faultDetail } from "./api/views.ts";
import { AuditTrail } from "./audit/reconciler.ts";
import type { BundleVault } from "./distribution/port.ts";
import type { Hub } from "./hub.ts";
import type { Stores } from "./store/port.ts";

/** What the services are wired with, besides the hub. */
export interface ServicesWorld {
  readonly clock: Clock;
  readonly version: string;
  readonly fleet: string;
  readonly hubId: string;
  caPin(): string;
  readonly natsVersion: string;
  /** How renders are confined: kernel or none. */
  readonly sandbox: string;
  /** Sentences that a person should read. */
  readonly warnings: readonly string[];
  /** gRPC endpoints that agents are told. */
  readonly endpoints: readonly string[];
  readonly stores: Pick<Stores, "audit" | "bundles" | "state">;
  readonly vault: BundleVault;
  newId(): string;
  sha256Hex(bytes: Uint8Array): string;
}

/** Everything that is served, with what describes it. */
export interface Services {
  readonly served: readonly Served[];
  readonly described: readonly Served["service"][];
  /** Prometheus' text. */
  metrics(): string;
}

/** Wires the services of agents and people over a hub. */
export function servicesOf(hub: Hub, world: ServicesWorld): Services {
  const seen = clusterSources(hub);
  const lost: Lost = { outcomes: 0 };
  const calls = callsOf(hub, world, lost);
  const people = peopleServices(worldOf(hub, { clock: world.clock, bundles: world.vault, newId: world.newId }), calls);
  const clusters = () => hub.clusters.records().map((record) => clusterView(record, seen));
  const problems = () => world.warnings.map((message) => faultDetail(new Fault("bad-config", { message })));
  const parts: Parts = { hub, world, calls, seen, people, clusters, problems };
  return {
    served: [fleetOf(parts), ...people.services, systemOf(parts), agentsOf(parts)],
    described: [AgentService, ApplicationService, FleetService, RolloutService, SystemService],
    metrics: () => metricsText(clusters(), people.sight.now(), { leading: hub.term !== undefined, ...lost }),
  };
}

/** Audit outcomes that could not be stored since this hub began. */
interface Lost {
  outcomes: number;
}

interface Parts {
  readonly hub: Hub;
  readonly world: ServicesWorld;
  readonly calls: Calls;
  readonly seen: ClusterSources;
  readonly people: ReturnType<typeof peopleServices>;
  clusters(): ReturnType<typeof clusterView>[];
  problems(): ReturnType<typeof faultDetail>[];
}

function callsOf(hub: Hub, { clock, stores, newId, sha256Hex }: ServicesWorld, lost: Lost): Calls {
  const audit = new AuditTrail({
    store: stores.audit,
    clock,
    hash: sha256Hex,
    id: newId,
    epoch: () => hub.term?.epoch,
    onLost: ({ actor, action, resource }, fault) => {
      lost.outcomes += 1;
      hub.ports.log("error", `audit: the outcome of a call could not be stored: ${faultText(fault)}`, {
        ...{ actor, action, resource },
        code: fault.code,
      });
    },
  });
  return new Calls({
    authorise: authoriser((token) => hub.desk.person(token)),
    audited: (call, work, signal) => audit.audited(call, work, signal),
    assertLeading: () => assertLeading(hub),
  });
}

function fleetOf({ hub, world, calls, seen, people, clusters, problems }: Parts): Served {
  return fleetService({
    ...seen,
    calls,
    clock: world.clock,
    guard: hub.guard,
    endpoints: world.endpoints,
    summary: () => {
      const now = people.sight.now();
      return summary({
        now: world.clock.now(),
        fleet: world.fleet,
        clusters: clusters(),
        undelivered: now.undelivered,
        rollouts: rolloutLines(now),
        looks: looksOf(now),
        problems: [...problems(), ...inputProblems(now)],
      });
    },
    changes: { ...hub.changes, clock: world.clock },
    revoke: (cluster, who, signal) => hub.revoke(cluster, who, signal),
    forget: (cluster, signal) => hub.forget(cluster, signal),
    effects: (cluster, labels, signal) => labelEffects(cluster, labels, people.sight.now(), signal),
  });
}

function systemOf({ hub, world, calls, people, problems }: Parts): Served {
  const { clock, stores, sha256Hex } = world;
  return systemService({
    calls,
    authorise: authoriser((token) => hub.desk.person(token)),
    clock,
    people: hub.desk,
    hub: () => ({
      version: world.version,
      fleet: world.fleet,
      hub: world.hubId,
      leading: hub.term !== undefined,
      epoch: hub.term?.epoch ?? 0n,
      natsVersion: world.natsVersion,
      rebuilding: hub.rebuilding !== undefined,
      caPin: world.caPin(),
      problems: problems(),
      sandbox: world.sandbox,
      missingDocuments: hub.rebuilding === undefined ? [] : missingDocuments(people.sight.now()),
    }),
    audit: async (signal) => readAudit(await stores.audit.read({ last: auditReach }, signal), sha256Hex),
    keys: () => hub.keyring.status(),
    endRebuild: (signal) => hub.endRebuild(signal),
  });
}

function agentsOf({ hub, world }: Parts): Served {
  const { state, bundles } = world.stores;
  return agentService({
    desk: hub.desk,
    session: (peer, requests, signal) => hub.session(peer, requests, signal),
    desired: async (cluster, signal) => (await state.get(`desired.${cluster}`, signal))?.value,
    chunk: (hex, n, signal) => bundles.chunk(hex, n, signal),
    assertLeading: () => assertLeading(hub),
  });
}

function clusterSources(hub: Hub): ClusterSources {
  const { clusters, sessions, status, distribution, desk } = hub;
  return { clusters, live: sessions, status, desired: distribution, desk };
}

function assertLeading(hub: Hub): void {
  if (hub.term !== undefined) return;
  throw new Fault("not-leader", { message: "this hub stands by; another one leads.", next: "Ask the other hub." });
}
