import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { Fault, type TargetKey } from "@capstan/proto";
import type { InventoryStore, Urgency } from "../../apply/port.ts";
import { isMap } from "../../drift/compare.ts";
import { decodeInventory } from "../../inventory/codec.ts";
import { emptyInventory, type Inventory } from "../../inventory/model.ts";
import type { KubeClient } from "./client.ts";
import { answered, InventoryBucket, inventoryLabel, secretsPath } from "./inventory-bucket.ts";

const buckets = 16;

/**
 * Inventories in the agent's own namespace: 16 Secrets, each with the gzipped inventories of the targets that hash to it.
 * Everything is read once. One agent writes at a time: its lease is the caller's business.
 */
export class KubeInventoryStore implements InventoryStore {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #buckets: readonly InventoryBucket[];
  readonly #inventories = new Map<TargetKey, Inventory>();
  /** The first read is shared by all callers, so that no single one may cancel it; the client's timeouts end it. */
  readonly #always = new AbortController().signal;
  #loading: Promise<void> | undefined;
  #loaded = false;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.#buckets = Array.from(
      { length: buckets },
      (_, index) => new InventoryBucket(client, namespace, `capstan-inventory-${index.toString(16)}`),
    );
  }

  async read(target: TargetKey, signal: AbortSignal): Promise<Inventory> {
    await this.#load(signal);
    return this.#inventories.get(target) ?? emptyInventory(target);
  }

  async write(inventory: Inventory, urgency: Urgency, signal: AbortSignal): Promise<void> {
    await this.#load(signal);
    const { bucket, key } = this.#placeOf(inventory.target);
    // A pass relies on `now` being durable: until then nothing may look as if it were.
    if (urgency === "now") await bucket.put(key, inventory, urgency);
    else void bucket.put(key, inventory, urgency);
    this.#inventories.set(inventory.target, inventory);
  }

  async forget(target: TargetKey, signal: AbortSignal): Promise<void> {
    await this.#load(signal);
    if (!this.#inventories.has(target)) return;
    const { bucket, key } = this.#placeOf(target);
    await bucket.put(key, undefined, "now");
    this.#inventories.delete(target);
  }

  async targets(signal: AbortSignal): Promise<readonly TargetKey[]> {
    await this.#load(signal);
    return [...this.#inventories.values()]
      .filter((one) => one.entries.size + one.hooks.size > 0)
      .map((one) => one.target);
  }

  async holders(namespace: string, signal: AbortSignal): Promise<readonly TargetKey[]> {
    await this.#load(signal);
    const holds = (one: Inventory) => [...one.entries.values()].some((entry) => entry.namespace === namespace);
    return [...this.#inventories.values()].filter(holds).map((one) => one.target);
  }

  /** Writes all that is still to be written; for an orderly end of the process. */
  async drain(): Promise<void> {
    await Promise.all(this.#buckets.map((bucket) => bucket.drain()));
  }

  #placeOf(target: TargetKey): { readonly bucket: InventoryBucket; readonly key: string } {
    const hash = createHash("sha256").update(target).digest("hex");
    const bucket = this.#buckets[Number.parseInt(hash.slice(0, 1), 16)] as InventoryBucket;
    return { bucket, key: hash.slice(0, 32) };
  }

  async #load(signal: AbortSignal): Promise<void> {
    if (this.#loaded) return;
    if (signal.aborted) throw Fault.from(signal.reason, "cancelled");
    this.#loading ??= this.#readAll(this.#always).finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  async #readAll(signal: AbortSignal): Promise<void> {
    const query = new URLSearchParams({ labelSelector: `${inventoryLabel}=inventory` });
    const path = `${secretsPath(this.#namespace, "")}?${query.toString()}`;
    const answer = await this.#client.send({ method: "GET", path }, signal);
    const list = answered(answer, "read", { namespace: this.#namespace, name: "capstan-inventory-*" })["items"];
    for (const secret of Array.isArray(list) ? list.filter(isMap) : []) this.#take(secret);
    this.#loaded = true;
  }

  #take(secret: Readonly<Record<string, unknown>>): void {
    const name = isMap(secret["metadata"]) ? secret["metadata"]["name"] : undefined;
    const bucket = this.#buckets.find((one) => one.name === name);
    if (bucket === undefined || !isMap(secret["data"])) return;
    for (const [key, value] of Object.entries(secret["data"])) {
      const inventory = decodeInventory(unzip(String(value)));
      bucket.known(key, String(value));
      this.#inventories.set(inventory.target, inventory);
    }
  }
}

function unzip(base64: string): string {
  return gunzipSync(Buffer.from(base64, "base64"), { maxOutputLength: 64 * 1024 * 1024 }).toString("utf8");
}
