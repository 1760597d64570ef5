import type { Clock } from "@capstan/proto";
import { applicationService } from "./api/application-service.ts";
import type { Calls } from "./api/call.ts";
import type { BundlesView, World } from "./api/port.ts";
import { rolloutService } from "./api/rollout-service.ts";
import { Sight } from "./api/seen.ts";
import type { Served } from "./api/service.ts";
import type { Hub } from "./hub.ts";

/** What the services for people need besides the hub. */
export interface PeopleServices {
  readonly calls: Calls;
  readonly clock: Clock;
  readonly bundles: BundlesView;
  /** A fresh id of 128 random bits. */
  newId(): string;
}

/** The hub as the services look at it. */
export function worldOf(hub: Hub, { clock, bundles, newId }: Omit<PeopleServices, "calls">): World {
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
