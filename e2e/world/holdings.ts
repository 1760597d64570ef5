import { gunzipSync } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import { Compression, type DesiredState, DesiredStateSchema, SignedDesiredStateSchema } from "@capstan/proto/desired";
import type { KubeClient, KubeObject } from "./kube-client.ts";

/** The namespace in which agents keep what they know. */
export const agentNamespace = "capstan-system";
const secrets = `/api/v1/namespaces/${agentNamespace}/secrets`;
/** Name of the Secret that is overwritten whenever an agent takes or remembers something. */
export const cacheHead = "capstan-cache-head";

/** What an agent has taken as its own, read from its cluster: what it goes on with when all else is gone. */
export interface Holding {
  /** Highest revision that it ever took. */
  readonly highWater: bigint;
  /** Undefined before the first. */
  readonly desired: DesiredState | undefined;
}

interface Head {
  readonly highWater: string;
  readonly pieces: readonly (readonly [name: string, size: number])[];
  readonly entries: Readonly<Record<string, readonly (readonly [piece: number, offset: number, length: number])[]>>;
}

/** Reads an agent's cache. Undefined where there is none, or where it changed while it was read. */
export async function holdingOf(client: KubeClient): Promise<Holding | undefined> {
  const secret = await client.get(`${secrets}/${cacheHead}`);
  return secret === undefined ? undefined : readHolding(client, secret);
}

/** As `holdingOf`, from a head that was read already. */
export async function readHolding(client: KubeClient, secret: KubeObject): Promise<Holding | undefined> {
  const head = JSON.parse(gunzipSync(dataOf(secret, "head")).toString("utf8")) as Head;
  const runs: Buffer[] = [];
  for (const [at, offset, length] of head.entries["desired"] ?? []) {
    const piece = await client.get(`${secrets}/${head.pieces[at]?.[0]}`);
    if (piece === undefined) return undefined;
    runs.push(dataOf(piece, "piece").subarray(offset, offset + length));
  }
  const highWater = BigInt(head.highWater);
  return { highWater, desired: runs.length === 0 ? undefined : openDesired(Buffer.concat(runs)) };
}

/** Which kinds the inventories in a Secret name, as `VERSION GROUP/KIND`; none where it holds no inventories. */
export function inventoriesOf(secret: KubeObject): ReadonlySet<string> {
  const kinds = new Set<string>();
  if (secret.metadata.labels?.["capstan.dev/part"] !== "inventory") return kinds;
  for (const value of Object.values((secret["data"] ?? {}) as Readonly<Record<string, string>>)) {
    const text = gunzipSync(Buffer.from(value, "base64")).toString("utf8");
    for (const object of (JSON.parse(text) as { readonly objects: readonly string[] }).objects) {
      kinds.add(object.split("/").slice(0, 2).join("/"));
    }
  }
  return kinds;
}

/** The content of a signed desired state; the signature is not checked. */
export function openDesired(bytes: Uint8Array): DesiredState {
  const { payload, compression } = fromBinary(SignedDesiredStateSchema, bytes);
  return fromBinary(DesiredStateSchema, compression === Compression.GZIP ? gunzipSync(payload) : payload);
}

function dataOf(secret: KubeObject, key: string): Buffer {
  const data = secret["data"] as Readonly<Record<string, string>> | undefined;
  return Buffer.from(data?.[key] ?? "", "base64");
}
