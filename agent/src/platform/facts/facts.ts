import { create } from "@bufbuild/protobuf";
import { Fault } from "@capstan/proto";
import { type Facts, FactsSchema } from "@capstan/proto/agent";
import { printApiVersion } from "../../inventory/object.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Kinds } from "../kube/kinds.ts";

/** UID of the kube-system namespace: which incarnation of the cluster this is. */
export async function readIncarnation(client: KubeClient, signal: AbortSignal): Promise<string> {
  const answer = await client.send({ method: "GET", path: "/api/v1/namespaces/kube-system" }, signal);
  const uid = (answer.body as { metadata?: { uid?: unknown } } | undefined)?.metadata?.uid;
  if (answer.status === 200 && typeof uid === "string" && uid !== "") return uid;
  throw new Fault(answer.status === 401 || answer.status === 403 ? "not-allowed" : "cluster-unreachable", {
    message: `the API server answered ${answer.status} when asked for namespace kube-system, whose UID names the cluster.`,
    next: "See that the agent's account may get that namespace.",
  });
}

/** What the cluster is, as its API server says it now. */
export async function readFacts(client: KubeClient, kinds: Kinds, signal: AbortSignal): Promise<Facts> {
  await kinds.refresh(signal);
  const served = kinds.list();
  const versions = new Set<string>();
  for (const kind of served) {
    const apiVersion = printApiVersion(kind);
    versions.add(apiVersion).add(`${apiVersion}/${kind.kind}`);
  }
  const { gitVersion = "", platform = "" } = await readVersion(client, signal);
  const groups = new Set(served.map(({ group, kind }) => `${group}/${kind}`));
  return create(FactsSchema, {
    kubernetesVersion: gitVersion,
    platform,
    apiVersions: [...versions].sort(),
    nodes: (await readList(client, "/api/v1/nodes?limit=1", signal)).count,
    writableNamespaces: await writableNamespaces(client, signal),
    otherManagers: await otherManagers(client, groups, signal),
  });
}

async function readVersion(
  client: KubeClient,
  signal: AbortSignal,
): Promise<{ gitVersion?: string; platform?: string }> {
  const answer = await client.send({ method: "GET", path: "/version" }, signal);
  return answer.status === 200 ? (answer.body as { gitVersion?: string; platform?: string }) : {};
}

/** Names of the first page and the count of all: asked for some, the server says how many remain. None where refused. */
async function readList(
  client: KubeClient,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly names: readonly string[]; readonly count: number }> {
  const accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
  const answer = await client.send({ method: "GET", path, accept }, signal);
  if (answer.status !== 200) return { names: [], count: 0 };
  const { items, metadata } = answer.body as {
    items?: readonly { metadata?: { name?: string } }[] | null;
    metadata?: { remainingItemCount?: number };
  };
  const names = (items ?? []).flatMap((item) => item.metadata?.name ?? []);
  return { names, count: names.length + (metadata?.remainingItemCount ?? 0) };
}

/** Most namespaces that are asked about one by one. */
const askedNamespaces = 100;

/**
 * Where the agent may act as service accounts, which is how it writes: `*`, or else the namespaces of the first hundred in
 * which it may.
 */
async function writableNamespaces(client: KubeClient, signal: AbortSignal): Promise<string[]> {
  if (await mayImpersonate(client, "", signal)) return ["*"];
  const { names } = await readList(client, `/api/v1/namespaces?limit=${askedNamespaces}`, signal);
  const writable: string[] = [];
  for (const name of names) if (await mayImpersonate(client, name, signal)) writable.push(name);
  return writable;
}

async function mayImpersonate(client: KubeClient, namespace: string, signal: AbortSignal): Promise<boolean> {
  const resourceAttributes = { namespace, verb: "impersonate", resource: "serviceaccounts", version: "v1" };
  const body = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: { resourceAttributes },
  };
  const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  const answer = await client.send({ method: "POST", path, body }, signal);
  return (answer.body as { status?: { allowed?: boolean } } | undefined)?.status?.allowed === true;
}

/** A kind by which a tool's presence is told. */
const signs: readonly (readonly [kind: string, manager: string])[] = [
  ["argoproj.io/Application", "argocd"],
  ["kustomize.toolkit.fluxcd.io/Kustomization", "flux"],
  ["helm.toolkit.fluxcd.io/HelmRelease", "flux"],
  ["fleet.cattle.io/Bundle", "fleet"],
];

/** Helm marks what it installs; what we applied carries the chart's marks too, and is not meant. */
const byHelm = encodeURIComponent("app.kubernetes.io/managed-by=Helm,!capstan.dev/target");

async function otherManagers(client: KubeClient, kinds: ReadonlySet<string>, signal: AbortSignal): Promise<string[]> {
  const found = new Set(signs.filter(([kind]) => kinds.has(kind)).map(([, manager]) => manager));
  const { count } = await readList(client, `/apis/apps/v1/deployments?limit=1&labelSelector=${byHelm}`, signal);
  if (count > 0) found.add("helm");
  return [...found].sort();
}
