import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { Fault, type TargetKey } from "@capstan/proto";
import type { InventoryStore } from "../../apply/port.ts";
import { refusalFault } from "../../apply/refusal.ts";
import { isMap } from "../../drift/compare.ts";
import { decodeInventory, encodeInventory } from "../../inventory/codec.ts";
import { emptyInventory, type Inventory } from "../../inventory/model.ts";
import type { KubeAnswer, KubeClient } from "./client.ts";

const buckets = 16;
const prefix = "capstan-inventory-";
const partLabel = "capstan.dev/part";
/** The most that one Secret may hold, as stored (base64 of gzip), well under etcd's 1.5 MB. */
const longestBucket = 768 * 1024;

interface Bucket {
  readonly name: string;
  /** By data key; what the cluster holds, as far as writes were confirmed. */
  readonly stored: Map<string, string>;
  /** By data key; what is to be written next. `null`: remove. */
  pending: Map<string, string | null>;
  writing: Promise<void> | undefined;
  next: Promise<void> | undefined;
}

/**
 * Inventories in the agent's own namespace: 16 Secrets, each with the gzipped inventories of the targets that hash to it.
 * Everything is read once; writes of several targets into one Secret join into one patch. One agent writes at a time:
 * its lease is the caller's business.
 */
export class KubeInventoryStore implements InventoryStore {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #buckets: readonly Bucket[];
  readonly #inventories = new Map<TargetKey, Inventory>();
  /** Writes are shared by several passes, so that no single pass may cancel them; the client's timeouts end them. */
  readonly #always = new AbortController().signal;
  #loading: Promise<void> | undefined;
  #loaded = false;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.#buckets = Array.from({ length: buckets }, (_, index) => ({
      name: `${prefix}${index.toString(16)}`,
      stored: new Map(),
      pending: new Map(),
      writing: undefined,
      next: undefined,
    }));
  }

  async read(target: TargetKey, signal: AbortSignal): Promise<Inventory> {
    await this.#load(signal);
    return this.#inventories.get(target) ?? emptyInventory(target);
  }

  async write(inventory: Inventory, signal: AbortSignal): Promise<void> {
    await this.#load(signal);
    const value = gzipSync(encodeInventory(inventory)).toString("base64");
    await this.#put(inventory.target, value);
    this.#inventories.set(inventory.target, inventory);
  }

  async forget(target: TargetKey, signal: AbortSignal): Promise<void> {
    await this.#load(signal);
    if (!this.#inventories.has(target)) return;
    await this.#put(target, null);
    this.#inventories.delete(target);
  }

  async targets(signal: AbortSignal): Promise<readonly TargetKey[]> {
    await this.#load(signal);
    return [...this.#inventories.values()].filter((one) => one.entries.size > 0).map((one) => one.target);
  }

  async holders(namespace: string, signal: AbortSignal): Promise<readonly TargetKey[]> {
    await this.#load(signal);
    const holds = (one: Inventory) => [...one.entries.values()].some((entry) => entry.namespace === namespace);
    return [...this.#inventories.values()].filter(holds).map((one) => one.target);
  }

  async #load(signal: AbortSignal): Promise<void> {
    if (this.#loaded) return;
    this.#loading ??= this.#readAll(signal).finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  async #readAll(signal: AbortSignal): Promise<void> {
    const query = new URLSearchParams({ labelSelector: `${partLabel}=inventory` });
    const answer = await this.#client.send({ method: "GET", path: `${this.#path("")}?${query}` }, signal);
    const list = this.#success(answer, "read", "")["items"];
    for (const secret of Array.isArray(list) ? list.filter(isMap) : []) this.#take(secret);
    this.#loaded = true;
  }

  #take(secret: Readonly<Record<string, unknown>>): void {
    const name = isMap(secret["metadata"]) ? secret["metadata"]["name"] : undefined;
    const bucket = this.#buckets.find((one) => one.name === name);
    if (bucket === undefined || !isMap(secret["data"])) return;
    for (const [key, value] of Object.entries(secret["data"])) {
      const inventory = decodeInventory(unzip(String(value)));
      bucket.stored.set(key, String(value));
      this.#inventories.set(inventory.target, inventory);
    }
  }

  /** Joins the bucket's next write. While one is under way, all that comes waits for it and then goes together. */
  async #put(target: TargetKey, value: string | null): Promise<void> {
    const hash = createHash("sha256").update(target).digest("hex");
    const bucket = this.#buckets[Number.parseInt(hash.slice(0, 1), 16)];
    if (bucket === undefined) throw new Fault("internal", { message: "no bucket for a target." });
    const key = hash.slice(0, 32);
    this.#checkSize(bucket, key, value);
    bucket.pending.set(key, value);
    bucket.next ??= (bucket.writing ?? Promise.resolve()).then(
      () => this.#flush(bucket),
      () => this.#flush(bucket),
    );
    await bucket.next;
  }

  #checkSize(bucket: Bucket, key: string, value: string | null): void {
    if (value === null) return;
    let size = value.length;
    for (const [other, text] of bucket.stored) if (other !== key) size += text.length;
    if (size <= longestBucket) return;
    throw new Fault("too-large", {
      message: `the inventories that share Secret ${bucket.name} would pass ${longestBucket / 1024} KiB.`,
      next: "Split the largest targets.",
    });
  }

  #flush(bucket: Bucket): Promise<void> {
    const batch = bucket.pending;
    bucket.pending = new Map();
    bucket.next = undefined;
    bucket.writing = this.#writeBatch(bucket, batch);
    return bucket.writing;
  }

  async #writeBatch(bucket: Bucket, batch: ReadonlyMap<string, string | null>): Promise<void> {
    const data = Object.fromEntries(batch);
    const contentType = "application/merge-patch+json";
    const patch = { method: "PATCH", path: this.#path(bucket.name), body: { data }, contentType } as const;
    let answer = await this.#client.send(patch, this.#always);
    if (answer.status === 404) answer = await this.#create(bucket, data);
    if (answer.status === 409) answer = await this.#client.send(patch, this.#always);
    this.#success(answer, "write", bucket.name);
    for (const [key, value] of batch) {
      if (value === null) bucket.stored.delete(key);
      else bucket.stored.set(key, value);
    }
  }

  #create(bucket: Bucket, data: Readonly<Record<string, string | null>>): Promise<KubeAnswer> {
    const known = Object.fromEntries(bucket.stored);
    const kept = Object.entries({ ...known, ...data }).filter(([, value]) => value !== null);
    const body = {
      apiVersion: "v1",
      kind: "Secret",
      type: "capstan.dev/inventory",
      metadata: { name: bucket.name, namespace: this.#namespace, labels: { [partLabel]: "inventory" } },
      data: Object.fromEntries(kept),
    };
    return this.#client.send({ method: "POST", path: this.#path(""), body }, this.#always);
  }

  #path(name: string): string {
    return `/api/v1/namespaces/${this.#namespace}/secrets${name === "" ? "" : `/${name}`}`;
  }

  #success(answer: KubeAnswer, verb: string, name: string): Readonly<Record<string, unknown>> {
    if (answer.status >= 200 && answer.status < 300 && isMap(answer.body)) return answer.body;
    const address = {
      group: "",
      version: "v1",
      kind: "Secret",
      namespace: this.#namespace,
      name: name || `${prefix}*`,
    };
    throw refusalFault(answer.status, answer.body, { verb, address });
  }
}

function unzip(base64: string): string {
  return gunzipSync(Buffer.from(base64, "base64"), { maxOutputLength: 64 * 1024 * 1024 }).toString("utf8");
}
