import type { KubeObject } from "../kube-client.ts";
import { same } from "./fields.ts";
import type { Kind } from "./kinds.ts";
import { born, now, ownerReferences, withoutVersion } from "./object.ts";
import { bucketOf, inVersion, keyOf, type Place, placeKey } from "./place.ts";
import type { ObjectStore } from "./store.ts";
import { type Pace, progressOf } from "./workloads.ts";

/** What the controllers may do with their cluster. */
export interface ControllerHands {
  readonly store: ObjectStore;
  kinds(): readonly Kind[];
  pace(): Pace;
  writeStatus(place: Place, status: Readonly<Record<string, unknown>>): void;
  removeWhere(chosen: (object: KubeObject) => boolean): void;
}

/** What controllers and kubelets of a real cluster would do about workloads, as time goes by. */
export class Controllers {
  readonly #hands: ControllerHands;
  readonly #changedAt = new Map<string, number>();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(hands: ControllerHands) {
    this.#hands = hands;
  }

  /** The spec of an object changed: its progress begins anew. */
  changed(place: Place): void {
    this.#changedAt.set(placeKey(place), performance.now());
    this.#progress(place);
  }

  /** The object is gone. */
  forget(place: Place): void {
    const id = placeKey(place);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#changedAt.delete(id);
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #progress(place: Place): void {
    const id = placeKey(place);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    const object = this.#live(place);
    if (object === undefined) return;
    const age = performance.now() - (this.#changedAt.get(id) ?? 0);
    const progress = progressOf(object, { age, time: now() }, this.#hands.pace());
    if (progress === undefined) return;
    this.#hands.writeStatus(place, progress.status);
    this.#keepChildren(object, progress.children);
    if (progress.next === undefined) return;
    const timer = setTimeout(() => this.#progress(place), progress.next + 1);
    timer.unref();
    this.#timers.set(id, timer);
  }

  /** Makes the given children the only Pods and ReplicaSets that the object (or a child of it) controls. */
  #keepChildren(owner: KubeObject, children: readonly KubeObject[]): void {
    const uids = new Set([owner.metadata.uid ?? ""]);
    const wanted = new Set(children.map((child) => `${child.kind}/${child.metadata.name}`));
    for (const child of children) {
      const [reference] = ownerReferences(child);
      const parent = reference === undefined ? undefined : this.#live(this.#placeOf(reference, child));
      const metadata = { ...child.metadata, ownerReferences: [{ ...reference, uid: parent?.metadata.uid ?? "" }] };
      const stored = this.#put({ ...child, metadata });
      uids.add(stored.metadata.uid ?? "");
    }
    this.#hands.removeWhere((object) => {
      const owned = ownerReferences(object).some((reference) => uids.has(reference.uid));
      const made = object.kind === "Pod" || object.kind === "ReplicaSet";
      return owned && made && !wanted.has(`${object.kind}/${object.metadata.name}`);
    });
  }

  #put(object: KubeObject): KubeObject {
    const place = this.#placeOf({ kind: object.kind, name: object.metadata.name }, object);
    const bucket = bucketOf(place.kind);
    const live = this.#live(place);
    if (live === undefined) return this.#hands.store.put(bucket, keyOf(place), born(object));
    const next = { ...object, metadata: { ...live.metadata, ...object.metadata } };
    return same(withoutVersion(live), withoutVersion(next)) ? live : this.#hands.store.put(bucket, keyOf(place), next);
  }

  #placeOf(ref: { readonly kind: string; readonly name: string }, near: KubeObject): Place {
    const kind = this.#hands.kinds().find((one) => one.kind === ref.kind);
    if (kind === undefined) throw new Error(`not served: ${ref.kind}`);
    return { kind, namespace: near.metadata.namespace ?? "", name: ref.name, subresource: "" };
  }

  #live(place: Place): KubeObject | undefined {
    const stored = this.#hands.store.get(bucketOf(place.kind), keyOf(place));
    return stored === undefined ? undefined : inVersion(stored, place.kind);
  }
}
