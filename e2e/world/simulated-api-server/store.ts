import type { KubeObject } from "../kube-client.ts";
import { expired } from "./status.ts";

/** One change, as watchers are told. */
export interface StoreEvent {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly bucket: string;
  readonly object: KubeObject;
  /** The object before a modification; for a selector that it leaves or enters. */
  readonly before: KubeObject | undefined;
}

/** Objects of one cluster by bucket (`group/plural`) and key (`namespace/name`), with one growing version for all. */
export class ObjectStore {
  readonly #buckets = new Map<string, Map<string, KubeObject>>();
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #remembered: number;
  #events: StoreEvent[] = [];
  #version = 1;
  /** A watch may resume from this version or a later one. */
  #oldest = 1;

  /** `remembered`: how many changes a watch can be behind before it gets 410. */
  constructor(remembered: number) {
    this.#remembered = remembered;
  }

  get version(): number {
    return this.#version;
  }

  get(bucket: string, key: string): KubeObject | undefined {
    return this.#buckets.get(bucket)?.get(key);
  }

  /** Objects of a bucket in key order; of one namespace when it is not empty. */
  list(bucket: string, namespace: string): KubeObject[] {
    const entries = [...(this.#buckets.get(bucket) ?? [])];
    const chosen = namespace === "" ? entries : entries.filter(([key]) => key.startsWith(`${namespace}/`));
    return chosen.sort(([left], [right]) => (left < right ? -1 : 1)).map(([, object]) => object);
  }

  /** Every object with its place. */
  *all(): Generator<{ readonly bucket: string; readonly key: string; readonly object: KubeObject }> {
    for (const [bucket, objects] of this.#buckets) {
      for (const [key, object] of objects) yield { bucket, key, object };
    }
  }

  /** Stores an object under a new version and returns it as stored. */
  put(bucket: string, key: string, object: KubeObject): KubeObject {
    const objects = this.#buckets.get(bucket) ?? new Map<string, KubeObject>();
    this.#buckets.set(bucket, objects);
    const before = objects.get(key);
    const stored = this.#stamp(object);
    objects.set(key, stored);
    this.#emit({ version: this.#version, type: before ? "MODIFIED" : "ADDED", bucket, object: stored, before });
    return stored;
  }

  /** Removes an object; returns its last form, or undefined where it was not there. */
  remove(bucket: string, key: string): KubeObject | undefined {
    const before = this.get(bucket, key);
    if (before === undefined) return undefined;
    const last = this.#stamp(before);
    this.#buckets.get(bucket)?.delete(key);
    this.#emit({ version: this.#version, type: "DELETED", bucket, object: last, before });
    return last;
  }

  /** Forgets a whole bucket without telling anybody; for a kind that is no longer served. */
  drop(bucket: string): void {
    this.#buckets.delete(bucket);
  }

  /** Changes after a version. Throws 410 when they are no longer known. */
  since(version: number): readonly StoreEvent[] {
    if (version < this.#oldest) throw expired();
    return this.#events.filter((event) => event.version > version);
  }

  /** Forgets all changes so far: every watch that resumes from before gets 410. */
  compact(): void {
    this.#events = [];
    this.#version += 1;
    this.#oldest = this.#version;
  }

  /** Calls `listener` on each change until the returned function is called. */
  onEvent(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #stamp(object: KubeObject): KubeObject {
    this.#version += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }

  #emit(event: StoreEvent): void {
    this.#events.push(event);
    if (this.#events.length > this.#remembered * 2) {
      this.#events = this.#events.slice(-this.#remembered);
      this.#oldest = (this.#events[0]?.version ?? 1) - 1;
    }
    for (const listener of this.#listeners) listener(event);
  }
}
