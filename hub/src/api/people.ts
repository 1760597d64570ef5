import type { Clock, Instant } from "@capstan/proto";
import { applicationService } from "./application-service.ts";
import type { Calls } from "./call.ts";
import type { AskView, BundlesView, DistributionView, LiveView, RepositoriesView, World } from "./port.ts";
import { rolloutService } from "./rollout-service.ts";
import { Sight } from "./seen.ts";
import type { Served } from "./service.ts";

/** The hub's rooms, as its wiring names them. */
export interface HubRooms
  extends Pick<World, "clusters" | "status" | "desk" | "releases" | "rollouts" | "documents" | "guard"> {
  readonly sessions: LiveView & AskView;
  readonly distribution: DistributionView;
  readonly ports: { readonly sources: RepositoriesView };
  readonly changes: Omit<World["changes"], "clock">;
  readonly rebuilding: { readonly since: Instant } | undefined;
}

/** What the services for people need besides the hub. */
export interface WorldParts {
  readonly clock: Clock;
  readonly bundles: BundlesView;
  /** A fresh id of 128 random bits. */
  newId(): string;
}

/** The hub as the services look at it. */
export function worldOf(hub: HubRooms, { clock, bundles, newId }: WorldParts): World {
  return {
    clock,
    clusters: hub.clusters,
    live: hub.sessions,
    status: hub.status,
    desired: hub.distribution,
    desk: hub.desk,
    releases: hub.releases,
    rollouts: hub.rollouts,
    documents: hub.documents,
    guard: hub.guard,
    repositories: hub.ports.sources,
    agents: hub.sessions,
    bundles,
    changes: { ...hub.changes, clock },
    newId,
    rebuildingSince: () => hub.rebuilding?.since,
  };
}

/** The services that look at sets, targets and rollouts. */
export function peopleServices(
  world: World,
  calls: Calls,
): { readonly services: readonly Served[]; readonly sight: Sight } {
  const sight = new Sight(world);
  return { sight, services: [applicationService({ calls, world, sight }), rolloutService({ calls, world, sight })] };
}
