import { type ClusterId, Fault } from "@capstan/proto";
import type { ClustersView } from "./port.ts";
import type { Row } from "./rows.ts";

/** `not-found` for a cluster that nothing knows. */
export function unknownCluster(id: string): Fault {
  return new Fault("not-found", {
    message: `no cluster is called ${id}.`,
    where: { cluster: id as ClusterId },
    next: "See: capstan cluster list",
  });
}

/** What clusters are looked up in. */
export interface KnownClusters {
  readonly clusters: Pick<ClustersView, "record" | "get">;
  /** Targets may be held by a cluster whose record is lost: it is known by them. */
  readonly rows?: readonly Row[];
}

/** Throws `not-found` for the first cluster that nothing knows: a wrong name must not look like an empty list. */
export function expectClusters(ids: readonly string[] | undefined, { clusters, rows = [] }: KnownClusters): void {
  const isKnown = (id: ClusterId) =>
    clusters.record(id) !== undefined || clusters.get(id) !== undefined || rows.some(({ cluster }) => cluster === id);
  const unknown = ids?.find((id) => !isKnown(id as ClusterId));
  if (unknown !== undefined) throw unknownCluster(unknown);
}

/** The same as a watch begins; one that goes on after a break may watch what has been removed since. */
export function expectWatched(
  options: { readonly clusters: readonly string[]; readonly token: string } | undefined,
  known: KnownClusters,
): void {
  if (options?.token === "") expectClusters(options.clusters, known);
}
