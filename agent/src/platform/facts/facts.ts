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
  const nodes = await countNodes(client, signal);
  const apiVersions = [...versions].sort();
  return create(FactsSchema, {
    kubernetesVersion: gitVersion,
    platform,
    apiVersions,
    nodes,
    writableNamespaces: ["*"],
  });
}

async function readVersion(
  client: KubeClient,
  signal: AbortSignal,
): Promise<{ gitVersion?: string; platform?: string }> {
  const answer = await client.send({ method: "GET", path: "/version" }, signal);
  return answer.status === 200 ? (answer.body as { gitVersion?: string; platform?: string }) : {};
}

/** Asked for one, the server says how many remain. 0 where the agent may not see nodes. */
async function countNodes(client: KubeClient, signal: AbortSignal): Promise<number> {
  const accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
  const answer = await client.send({ method: "GET", path: "/api/v1/nodes?limit=1", accept }, signal);
  if (answer.status !== 200) return 0;
  const list = answer.body as { items?: readonly unknown[]; metadata?: { remainingItemCount?: number } };
  return (list.items?.length ?? 0) + (list.metadata?.remainingItemCount ?? 0);
}
