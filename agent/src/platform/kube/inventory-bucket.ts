import { gzipSync } from "node:zlib";
import { Fault } from "@capstan/proto";
import type { Urgency } from "../../apply/port.ts";
import { refusalFault } from "../../apply/refusal.ts";
import { isMap } from "../../drift/compare.ts";
import { encodeInventory } from "../../inventory/codec.ts";
import type { Inventory } from "../../inventory/model.ts";
import type { KubeAnswer, KubeClient } from "./client.ts";

/** The label of all Secrets that hold inventories; its value is `inventory`. */
export const inventoryLabel = "capstan.dev/part";
/** The most that one Secret may hold, as stored (base64 of gzip), well under etcd's 1.5 MB. */
const longestBucket = 768 * 1024;
const soonMs = 500;
const retryMs = 5_000;

/**
 * One Secret of inventories. While a write is under way all that comes gathers, and then goes in one patch that names only
 * the keys it changes.
 */
export class InventoryBucket {
  readonly name: string;
  readonly #client: KubeClient;
  readonly #namespace: string;
  /** By data key, as confirmed. */
  readonly #stored = new Map<string, string>();
  /** By data key. `null`: remove. */
  #pending = new Map<string, string | null>();
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #timed = false;
  /** Writes are shared by several passes, so that no single pass may cancel them; the client's timeouts end them. */
  readonly #always = new AbortController().signal;

  constructor(client: KubeClient, namespace: string, name: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.name = name;
  }

  /** What was read at the start. */
  known(key: string, value: string): void {
    this.#stored.set(key, value);
  }

  /** Stores an inventory under a key, or removes the key. Throws `too-large` before anything is written. */
  put(key: string, inventory: Inventory | undefined, urgency: Urgency): Promise<void> {
    const value = inventory === undefined ? null : gzipSync(encodeInventory(inventory)).toString("base64");
    if (value !== null) this.#checkSize(key, value);
    this.#pending.set(key, value);
    if (urgency === "now") return this.#flush();
    this.#flushAfter(soonMs);
    return Promise.resolve();
  }

  /** Writes all that waits. */
  async drain(): Promise<void> {
    if (this.#pending.size > 0) await this.#flush();
    else await this.#writing;
  }

  #checkSize(key: string, value: string): void {
    let size = value.length;
    for (const [other, text] of this.#stored) if (other !== key) size += text.length;
    if (size <= longestBucket) return;
    throw new Fault("too-large", {
      message: `the inventories that share Secret ${this.name} would pass ${longestBucket / 1024} KiB.`,
      next: "Split the largest targets.",
    });
  }

  #flushAfter(ms: number): void {
    if (this.#timed) return;
    this.#timed = true;
    setTimeout(() => {
      this.#timed = false;
      // It stays pending when it fails, and goes with the next write.
      this.#flush().catch(() => this.#flushAfter(retryMs));
    }, ms).unref();
  }

  /** Joins the next write, which begins when the one under way has ended. */
  #flush(): Promise<void> {
    this.#next ??= this.#writing
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        const batch = this.#pending;
        this.#pending = new Map();
        this.#writing = this.#write(batch);
        return this.#writing;
      });
    return this.#next;
  }

  async #write(batch: ReadonlyMap<string, string | null>): Promise<void> {
    if (batch.size === 0) return;
    try {
      await this.#send(Object.fromEntries(batch));
    } catch (thrown) {
      for (const [key, value] of batch) if (!this.#pending.has(key)) this.#pending.set(key, value);
      throw thrown;
    }
    for (const [key, value] of batch) {
      if (value === null) this.#stored.delete(key);
      else this.#stored.set(key, value);
    }
  }

  async #send(data: Readonly<Record<string, string | null>>): Promise<void> {
    const contentType = "application/merge-patch+json";
    const patch = {
      method: "PATCH",
      path: secretsPath(this.#namespace, this.name),
      body: { data },
      contentType,
    } as const;
    let answer = await this.#client.send(patch, this.#always);
    if (answer.status === 404) answer = await this.#create(data);
    if (answer.status === 409) answer = await this.#client.send(patch, this.#always);
    answered(answer, "write", { namespace: this.#namespace, name: this.name });
  }

  #create(data: Readonly<Record<string, string | null>>): Promise<KubeAnswer> {
    const kept = Object.entries({ ...Object.fromEntries(this.#stored), ...data }).filter(([, value]) => value !== null);
    const body = {
      apiVersion: "v1",
      kind: "Secret",
      type: "capstan.dev/inventory",
      metadata: { name: this.name, namespace: this.#namespace, labels: { [inventoryLabel]: "inventory" } },
      data: Object.fromEntries(kept),
    };
    return this.#client.send({ method: "POST", path: secretsPath(this.#namespace, ""), body }, this.#always);
  }
}

/** The path of Secrets in a namespace, or of one of them. */
export function secretsPath(namespace: string, name: string): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets${name === "" ? "" : `/${name}`}`;
}

/** The body of a good answer; throws the fault of any other. */
export function answered(
  answer: KubeAnswer,
  verb: string,
  secret: { readonly namespace: string; readonly name: string },
): Readonly<Record<string, unknown>> {
  if (answer.status >= 200 && answer.status < 300 && isMap(answer.body)) return answer.body;
  throw refusalFault(answer.status, answer.body, {
    verb,
    address: { group: "", version: "v1", kind: "Secret", ...secret },
  });
}
