import { apiVersionOf, type Kind } from "./kinds.ts";

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const statusVerbs = ["get", "patch", "update"];

/** GET /api. */
export function coreVersions(): unknown {
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
}

/** GET /apis. */
export function groupList(kinds: readonly Kind[]): unknown {
  const groups = [...byGroup(kinds)].filter(([name]) => name !== "").map(([name, versions]) => group(name, versions));
  return { kind: "APIGroupList", apiVersion: "v1", groups };
}

/** GET /apis/GROUP; undefined where it is not served. */
export function oneGroup(kinds: readonly Kind[], name: string): unknown {
  const versions = byGroup(kinds).get(name);
  return versions === undefined ? undefined : { kind: "APIGroup", apiVersion: "v1", ...group(name, versions) };
}

/** GET /api/v1 and /apis/GROUP/VERSION; undefined where it is not served. */
export function resourceList(kinds: readonly Kind[], groupVersion: string): unknown {
  const served = kinds.filter((kind) => apiVersionOf(kind) === groupVersion);
  if (served.length === 0 && !virtual.has(groupVersion)) return undefined;
  const resources = served.flatMap((kind) => {
    const base = {
      name: kind.plural,
      singularName: kind.kind.toLowerCase(),
      namespaced: kind.namespaced,
      kind: kind.kind,
    };
    const status = { ...base, name: `${kind.plural}/status`, singularName: "", verbs: statusVerbs };
    return [{ ...base, verbs }, ...(kind.status ? [status] : [])];
  });
  const reviews = (virtual.get(groupVersion) ?? []).map(([name, kind]) => {
    return { name, singularName: "", namespaced: false, kind, verbs: ["create"] };
  });
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: [...resources, ...reviews] };
}

/** The aggregated form of /api (core) or /apis (the rest), for clients that ask for it. */
export function aggregated(kinds: readonly Kind[], core: boolean): unknown {
  const groups = [...byGroup(kinds)].filter(([name]) => (name === "") === core);
  const items = groups.map(([name, versions]) => ({
    metadata: name === "" ? {} : { name },
    versions: versions.map((version) => ({
      version,
      freshness: "Current",
      resources: kinds
        .filter((kind) => kind.group === name && kind.version === version)
        .map((kind) => aggregatedResource(kind)),
    })),
  }));
  return { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {}, items };
}

function aggregatedResource(kind: Kind): unknown {
  const responseKind = { group: kind.group, version: kind.version, kind: kind.kind };
  return {
    resource: kind.plural,
    responseKind,
    scope: kind.namespaced ? "Namespaced" : "Cluster",
    singularResource: kind.kind.toLowerCase(),
    verbs,
    ...(kind.status ? { subresources: [{ subresource: "status", responseKind, verbs: statusVerbs }] } : {}),
  };
}

// Answered without being stored.
const virtual: ReadonlyMap<string, readonly (readonly [string, string])[]> = new Map([
  [
    "authentication.k8s.io/v1",
    [
      ["tokenreviews", "TokenReview"],
      ["selfsubjectreviews", "SelfSubjectReview"],
    ],
  ],
  [
    "authorization.k8s.io/v1",
    [
      ["selfsubjectaccessreviews", "SelfSubjectAccessReview"],
      ["subjectaccessreviews", "SubjectAccessReview"],
    ],
  ],
]);

function byGroup(kinds: readonly Kind[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { group: name, version } of kinds) {
    const versions = groups.get(name) ?? [];
    if (!versions.includes(version)) versions.push(version);
    groups.set(name, versions);
  }
  for (const groupVersion of virtual.keys()) {
    const [name = "", version = ""] = groupVersion.split("/");
    groups.set(name, [version]);
  }
  return groups;
}

function group(name: string, versions: readonly string[]): Record<string, unknown> {
  const list = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: list, preferredVersion: list[0] };
}
