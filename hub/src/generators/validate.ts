import { Fault } from "@capstan/proto";
import type { Application, Destination } from "../documents/model.ts";
import { localName, localServer } from "./clusters.ts";
import { elementText } from "./context.ts";
import type { ClusterParams, GeneratedApplication, GenerateInput, RejectedApplication, Rejection } from "./model.ts";

interface Verdict {
  readonly rejection: Rejection;
  readonly message: string;
  readonly next: string;
}

/** Splits what was generated into what may go out and what Argo CD's last check rejects. */
export function validateAll(
  input: GenerateInput,
  generated: readonly GeneratedApplication[],
): { readonly accepted: readonly GeneratedApplication[]; readonly rejected: readonly RejectedApplication[] } {
  const counts = duplicates(generated);
  const destinations = new Destinations(input.clusters);
  const accepted: GeneratedApplication[] = [];
  const rejected: RejectedApplication[] = [];
  for (const one of generated) {
    const verdict = check(one.application, { counts, destinations, projects: input.projects });
    if (verdict === undefined) accepted.push(one);
    else
      rejected.push({
        application: one.application,
        trace: one.trace,
        rejection: verdict.rejection,
        fault: faultOf(input, one, verdict),
      });
  }
  return { accepted, rejected };
}

/** Names that several have, with how many. */
function duplicates(generated: readonly GeneratedApplication[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const names = new Set<string>();
  for (const { application } of generated) {
    const { name } = application.metadata;
    const before = names.size;
    names.add(name);
    if (names.size === before) counts.set(name, (counts.get(name) ?? 1) + 1);
  }
  return counts;
}

function faultOf(input: GenerateInput, one: GeneratedApplication, verdict: Verdict): Fault {
  const { name, namespace } = one.application.metadata;
  return new Fault(verdict.rejection === "duplicate-name" ? "name-conflict" : "bad-input", {
    message: verdict.message,
    where: {
      set: `${namespace}/${input.set.metadata.name}`,
      generator: one.trace.generator,
      element: elementText(one.trace.element),
      target: `${namespace}/${name}`,
    },
    next: verdict.next,
  });
}

interface Known {
  /** Names that several have. */
  readonly counts: ReadonlyMap<string, number>;
  readonly destinations: Destinations;
  readonly projects: ReadonlySet<string>;
}

function check(application: Application, known: Known): Verdict | undefined {
  const { name } = application.metadata;
  if (name === "") {
    return {
      rejection: "no-name",
      message: "the application has no name.",
      next: "Let metadata.name of the template give one.",
    };
  }
  if (known.counts.size > 0 && known.counts.has(name)) {
    return {
      rejection: "duplicate-name",
      message: `${known.counts.get(name)} elements of the set make the name ${name}.`,
      next: "Put what tells them apart into the name.",
    };
  }
  const { project, destination } = application.spec;
  if (!known.projects.has(project)) {
    return {
      rejection: "project-missing",
      message: `the project ${JSON.stringify(project)} does not exist.`,
      next: "Create the AppProject, or name another.",
    };
  }
  const wrong = known.destinations.problem(destination);
  if (wrong !== undefined) {
    return {
      rejection: "destination-invalid",
      message: wrong,
      next: "Name one cluster that is known, by name or by server.",
    };
  }
  if (name.length > 253 || !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) {
    return {
      rejection: "name-invalid",
      message: `${JSON.stringify(name)} is no DNS name (a-z, 0-9, - and ., at most 253).`,
      next: "Use normalize in the template's name.",
    };
  }
  return undefined;
}

/** The clusters that a destination may name. */
class Destinations {
  readonly #servers = new Set([localServer]);
  readonly #names = new Map<string, number>();

  constructor(clusters: readonly ClusterParams[]) {
    for (const cluster of clusters) {
      this.#servers.add(trimSlash(cluster.server));
      this.#names.set(cluster.name, (this.#names.get(cluster.name) ?? 0) + 1);
    }
    if (!this.#names.has(localName)) this.#names.set(localName, 1);
  }

  problem(destination: Destination): string | undefined {
    const { name = "", server = "" } = destination;
    if (name !== "" && server !== "")
      return `the destination names a cluster by name (${name}) and by server (${server}).`;
    if (name === "" && server === "") return "the destination names no cluster.";
    if (server !== "")
      return this.#servers.has(trimSlash(server)) ? undefined : `no cluster has the server ${JSON.stringify(server)}.`;
    const count = this.#names.get(name) ?? 0;
    if (count === 1) return undefined;
    return count === 0
      ? `no cluster has the name ${JSON.stringify(name)}.`
      : `${count} clusters have the name ${JSON.stringify(name)}.`;
  }
}

function trimSlash(server: string): string {
  return server.endsWith("/") ? server.replace(/\/+$/, "") : server;
}
