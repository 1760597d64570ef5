import { Fault } from "@capstan/proto";
import type { ServedKind } from "../../apply/port.ts";
import { isMap } from "../../drift/compare.ts";
import type { KindRef } from "../../inventory/object.ts";
import type { KubeClient } from "./client.ts";

/** A kind as served, with the plural that its paths use. */
export interface Resource extends ServedKind {
  readonly plural: string;
  readonly verbs: readonly string[];
}

const aggregated = ["v2", "v2beta1"]
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .concat("application/json")
  .join(",");

/** So long a "no" about one kind holds, and so old may the look be that says it first. */
const deniedMs = 2000;
const freshMs = 200;

/**
 * What kinds the server serves: two requests (aggregated discovery), or one a group version from servers older than 1.27.
 * That a kind is not served is never read from an old look: objects of it would be taken for gone. It is asked again, once
 * in two seconds for each kind and five times a second for all.
 */
export class Kinds {
  readonly #client: KubeClient;
  #byKind = new Map<string, Resource>();
  #preferred = new Map<string, Resource>();
  /** Groups of which the server could not ask all: their kinds are unknown, not absent. */
  #silent = new Set<string>();
  /** A look is shared by several callers, so that no single one may cancel it; the client's timeouts end it. */
  readonly #always = new AbortController().signal;
  #loading: Promise<void> | undefined;
  /** When the last look began. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Kinds (`group/Kind`, `group/version/Kind`) that were not served, and since when that is known. */
  readonly #denied = new Map<string, number>();
  /** Kinds whose known place answered that it is none, and when. */
  readonly #doubted = new Map<string, number>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** The resource of a kind in exactly this version. */
  async find(kind: KindRef, signal: AbortSignal): Promise<Resource | undefined> {
    const known = this.#byKind.get(exact(kind));
    if (known !== undefined) return known;
    await this.#confirmAbsent(exact(kind), () => this.#byKind.has(exact(kind)), signal);
    return this.#byKind.get(exact(kind));
  }

  /**
   * The resource of a kind in the version that its group prefers; undefined: it is not served. Throws `cluster-unreachable`
   * where that cannot be told, as the group's own server does not answer: its objects are there, though nobody sees them.
   */
  async findAny(kind: { readonly group: string; readonly kind: string }, signal: AbortSignal) {
    const known = this.#preferred.get(loose(kind));
    if (known !== undefined) return known;
    await this.#confirmAbsent(loose(kind), () => this.#preferred.has(loose(kind)), signal);
    const found = this.#preferred.get(loose(kind));
    if (found !== undefined || !this.#silent.has(kind.group)) return found;
    throw new Fault("cluster-unreachable", {
      message: `the server behind API group ${kind.group} does not answer, so that nothing is known of its ${kind.kind}s.`,
      next: "See the APIService of that group.",
    });
  }

  /** A request for the kind was answered that it is not served: it is looked up again next time. */
  distrust(kind: KindRef): void {
    this.#byKind.delete(exact(kind));
    this.#preferred.delete(loose(kind));
    for (const name of [exact(kind), loose(kind)]) {
      this.#denied.delete(name);
      this.#doubted.set(name, performance.now());
    }
  }

  /** Asks the server again now; callers at the same time share one look. */
  async refresh(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw Fault.from(signal.reason, "cancelled");
    this.#loading ??= this.#load(this.#always).finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  /** All group versions and kinds, for the cluster's facts: `apps/v1/Deployment`. */
  list(): readonly Resource[] {
    return [...this.#byKind.values()];
  }

  async #confirmAbsent(name: string, known: () => boolean, signal: AbortSignal): Promise<void> {
    const now = performance.now();
    if (now - (this.#denied.get(name) ?? Number.NEGATIVE_INFINITY) < deniedMs) return;
    const after = Math.max(this.#doubted.get(name) ?? Number.NEGATIVE_INFINITY, now - freshMs);
    // A look that others wait for may have begun too early: then one more.
    while (this.#lookedAt < after) await this.refresh(signal);
    this.#doubted.delete(name);
    if (known()) this.#denied.delete(name);
    else this.#denied.set(name, performance.now());
  }

  async #load(signal: AbortSignal): Promise<void> {
    const began = performance.now();
    const found: Resource[] = [];
    const silent = new Set<string>();
    for (const path of ["/api", "/apis"]) {
      const body = (await this.#get(path, signal)) ?? {};
      for (const group of staleGroups(body)) silent.add(group);
      const whole = body["kind"] === "APIGroupDiscoveryList";
      found.push(...(whole ? readAggregated(body) : await this.#legacy(body, silent, signal)));
    }
    this.#silent = silent;
    this.#byKind = new Map(found.map((resource) => [exact(resource), resource]));
    this.#preferred = new Map();
    for (const resource of found) {
      // Servers list versions in order of preference.
      if (!this.#preferred.has(loose(resource))) this.#preferred.set(loose(resource), resource);
    }
    this.#lookedAt = began;
    this.#denied.clear();
  }

  /** Servers older than 1.27: one request a group version. */
  async #legacy(body: Fields, silent: Set<string>, signal: AbortSignal): Promise<readonly Resource[]> {
    const core = body["kind"] === "APIVersions";
    const named = maps(body["groups"]).flatMap((group) =>
      maps(group["versions"]).map((one) => text(one, "groupVersion")),
    );
    const found: Resource[] = [];
    for (const groupVersion of core ? ["v1"] : named) {
      const list = await this.#get(core ? "/api/v1" : `/apis/${groupVersion}`, signal);
      if (list === undefined) silent.add(groupOf(groupVersion));
      else found.push(...readLegacy(list, groupVersion));
    }
    return found;
  }

  /** Undefined: the server of an aggregated group does not answer. */
  async #get(path: string, signal: AbortSignal): Promise<Fields | undefined> {
    const answer = await this.#client.send({ method: "GET", path, accept: aggregated }, signal);
    if (answer.status === 200 && isMap(answer.body)) return answer.body;
    if (path.startsWith("/apis/") && answer.status >= 500) return undefined;
    const code =
      answer.status === 401 ? "not-signed-in" : answer.status === 403 ? "not-allowed" : "cluster-unreachable";
    throw new Fault(code, {
      message: `the API server answered ${answer.status} to ${path}, where its kinds are listed.`,
      next: "See that the agent's account is valid and may read discovery (system:discovery).",
    });
  }
}

type Fields = Readonly<Record<string, unknown>>;

function readAggregated(body: Fields): readonly Resource[] {
  return maps(body["items"]).flatMap((group) => {
    const name = isMap(group["metadata"]) ? text(group["metadata"], "name") : "";
    return maps(group["versions"]).flatMap((version) =>
      maps(version["resources"]).flatMap((resource) => {
        const answer = isMap(resource["responseKind"]) ? resource["responseKind"] : {};
        const kind = text(answer, "kind");
        if (kind === "") return [];
        return [
          {
            group: name,
            version: text(version, "version"),
            kind,
            plural: text(resource, "resource"),
            namespaced: resource["scope"] === "Namespaced",
            verbs: strings(resource["verbs"]),
          },
        ];
      }),
    );
  });
}

/** Groups with a version that the server could not ask its own server about just now. */
function staleGroups(body: Fields): readonly string[] {
  return maps(body["items"])
    .filter((group) => maps(group["versions"]).some((version) => version["freshness"] === "Stale"))
    .map((group) => (isMap(group["metadata"]) ? text(group["metadata"], "name") : ""));
}

function groupOf(groupVersion: string): string {
  return groupVersion.includes("/") ? groupVersion.slice(0, groupVersion.indexOf("/")) : "";
}

function readLegacy(body: Fields, groupVersion: string): readonly Resource[] {
  const group = groupOf(groupVersion);
  return maps(body["resources"])
    .filter((resource) => !text(resource, "name").includes("/"))
    .map((resource) => ({
      group,
      version: groupVersion.slice(groupVersion.indexOf("/") + 1),
      kind: text(resource, "kind"),
      plural: text(resource, "name"),
      namespaced: resource["namespaced"] === true,
      verbs: strings(resource["verbs"]),
    }));
}

function exact(kind: KindRef): string {
  return `${kind.group}/${kind.version}/${kind.kind}`;
}

function loose(kind: { readonly group: string; readonly kind: string }): string {
  return `${kind.group}/${kind.kind}`;
}

function maps(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isMap) : [];
}

function text(holder: Fields, field: string): string {
  const value = holder[field];
  return typeof value === "string" ? value : "";
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}
