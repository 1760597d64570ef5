import { Fault } from "@capstan/proto";
import type { Cluster } from "../clusters/model.ts";
import type { Application, Destination } from "../documents/model.ts";

/** Argo CD's name and server of the cluster that it runs in. */
export const local = { name: "in-cluster", server: "https://kubernetes.default.svc" };

/** The clusters by what destinations may call them. */
export class Destinations {
  readonly #byName = new Map<string, readonly Cluster[]>();
  readonly #byServer = new Map<string, readonly Cluster[]>();

  constructor(clusters: Iterable<Cluster>) {
    for (const cluster of clusters) {
      const { name } = cluster.argocd;
      const server = withoutSlash(cluster.argocd.server);
      this.#byName.set(name, [...(this.#byName.get(name) ?? []), cluster]);
      this.#byServer.set(server, [...(this.#byServer.get(server) ?? []), cluster]);
    }
  }

  /** Whether it names Argo CD's own cluster and no cluster of the fleet claims that name: a root of documents. */
  isLocal(destination: Destination): boolean {
    if (destination.name !== undefined && destination.name !== "") {
      return destination.name === local.name && !this.#byName.has(local.name);
    }
    return withoutSlash(destination.server ?? "") === local.server && !this.#byServer.has(local.server);
  }

  /** The cluster that an application goes to. Throws `bad-input` or `unknown-cluster`. */
  of(application: Application): Cluster {
    const { name = "", server = "" } = application.spec.destination;
    const where = { target: `${application.metadata.namespace}/${application.metadata.name}` };
    if (name !== "" && server !== "") {
      throw new Fault("bad-input", {
        message: `expected a destination with a name or a server, found both (${name}, ${server}).`,
        where: { ...where, field: "spec.destination" },
        next: "Remove one of the two.",
      });
    }
    if (name === "" && server === "") {
      throw new Fault("bad-input", {
        message: "expected a destination with a name or a server, found neither.",
        where: { ...where, field: "spec.destination" },
        next: "Name the cluster in spec.destination.name.",
      });
    }
    const [found, other] = (name === "" ? this.#byServer.get(withoutSlash(server)) : this.#byName.get(name)) ?? [];
    if (found !== undefined && other !== undefined) {
      throw new Fault("name-conflict", {
        message: `clusters ${found.id} and ${other.id} are both called ${JSON.stringify(name === "" ? server : name)}.`,
        where: { ...where, field: name === "" ? "spec.destination.server" : "spec.destination.name" },
        next: "Give one of them another spec.argocd.name and .server.",
      });
    }
    if (found !== undefined) return found;
    throw new Fault("unknown-cluster", {
      message: `no cluster of the fleet is called ${JSON.stringify(name === "" ? server : name)}.`,
      where: { ...where, field: name === "" ? "spec.destination.server" : "spec.destination.name" },
      next: "Add the cluster, or give an existing one that name: spec.argocd.name or .server of its Cluster document.",
    });
  }
}

function withoutSlash(server: string): string {
  return server.replace(/\/+$/, "");
}
