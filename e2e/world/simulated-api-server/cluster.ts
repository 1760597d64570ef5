import { randomUUID } from "node:crypto";
import type { KubeObject } from "../kube-client.ts";
import { applyTo, updateManagers, type Writer } from "./apply.ts";
import { Controllers } from "./controllers.ts";
import { same } from "./fields.ts";
import { apiVersionOf, builtinKinds, type Kind, kindKey, kindsOfCrd } from "./kinds.ts";
import {
  born,
  checkSize,
  content,
  finalizers,
  keepServerFields,
  now,
  ownerReferences,
  stableUid,
  withGeneration,
  withoutVersion,
} from "./object.ts";
import { jsonPatch, mergePatch } from "./patch.ts";
import { bucketOf, inVersion, keyOf, type Place } from "./place.ts";
import { ApiRefusal, badRequest, conflict, notFound } from "./status.ts";
import { ObjectStore } from "./store.ts";
import type { Pace } from "./workloads.ts";

/** A cluster to simulate. */
export interface SimulatedClusterInit {
  /** Makes the UID of kube-system: the same id is the same cluster, also after a restart. */
  readonly id: string;
  readonly pace?: Pace;
  readonly nodes?: number;
  /** How many changes a watch can be behind before it gets 410; 1,000 by default. */
  readonly remembered?: number;
}

/** How to write. */
export interface WriteOptions {
  readonly manager: string;
  readonly force: boolean;
  readonly dryRun: boolean;
}

/** What a delete demands and wants. */
export interface DeleteOptions {
  readonly dryRun: boolean;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly propagation?: string | undefined;
}

const controller: WriteOptions = { manager: "kube-controller-manager", force: true, dryRun: false };

/** State and write rules of one simulated cluster, without HTTP. Reads and writes are synchronous. */
export class SimulatedCluster implements Disposable {
  readonly id: string;
  readonly store: ObjectStore;
  readonly #kinds = new Map<string, Kind>(builtinKinds.map((kind) => [kindKey(kind), kind]));
  readonly #controllers: Controllers;
  pace: Pace;

  constructor(init: SimulatedClusterInit) {
    this.id = init.id;
    this.pace = init.pace ?? { readyAfter: 300 };
    this.store = new ObjectStore(init.remembered ?? 1_000);
    this.#controllers = new Controllers({
      store: this.store,
      kinds: () => this.kinds,
      pace: () => this.pace,
      writeStatus: (place, status) => this.#writeStatus(place, status),
      removeWhere: (chosen) => this.#removeWhere(chosen),
    });
    for (const name of ["default", "kube-system", "kube-public", "kube-node-lease"]) this.#seed("Namespace", name);
    for (let node = 1; node <= (init.nodes ?? 3); node += 1) this.#seed("Node", `node-${node}`);
  }

  /** UID of kube-system: the cluster's incarnation. */
  get uid(): string {
    return stableUid(this.id, "kube-system");
  }

  /** The kinds served now. */
  get kinds(): readonly Kind[] {
    return [...this.#kinds.values()];
  }

  kind(group: string, version: string, plural: string): Kind | undefined {
    return this.#kinds.get(kindKey({ group, version, plural }));
  }

  get(place: Place): KubeObject {
    const found = this.#live(place);
    if (found === undefined) throw notFound(place.kind.plural, place.name);
    return found;
  }

  /** Throws 404, 409, 403 (namespace ending) and 422 as a server does. */
  create(place: Place, body: KubeObject, options: WriteOptions): KubeObject {
    const named = this.#named(place, body);
    const at = { ...place, name: named.metadata.name };
    if (this.#live(at) !== undefined) {
      const message = `${place.kind.plural} "${at.name}" already exists`;
      throw new ApiRefusal(409, "AlreadyExists", message, { name: at.name, kind: place.kind.plural });
    }
    const { status: _status, ...bare } = named;
    const kept = place.kind.status && place.kind.kind !== "Pod" ? (bare as KubeObject) : named;
    const metadata = { ...kept.metadata, managedFields: [] };
    const managed = updateManagers(undefined, { ...kept, metadata }, writer(options));
    return this.#commit(at, undefined, managed, options);
  }

  update(place: Place, body: KubeObject, options: WriteOptions): KubeObject {
    const live = this.get(place);
    this.#checkVersion(place, live, body);
    return this.#replace(place, live, body, options);
  }

  /** A patch of any of the four kinds, by its content type; an apply patch may create. */
  patch(place: Place, body: unknown, options: WriteOptions & { readonly contentType: string }): KubeObject {
    if (options.contentType.startsWith("application/apply-patch"))
      return this.#apply(place, body as KubeObject, options);
    const live = this.get(place);
    const patched = patchBy(options.contentType, live, body) as KubeObject;
    this.#checkVersion(place, live, patched);
    return this.#replace(place, live, patched, options);
  }

  /** Removes it, or marks it where finalizers hold it. Returns the last form. */
  delete(place: Place, options: DeleteOptions): KubeObject {
    const live = this.get(place);
    for (const [name, wanted, found] of [
      ["UID", options.uid, live.metadata.uid],
      ["ResourceVersion", options.resourceVersion, live.metadata.resourceVersion],
    ] as const) {
      if (wanted !== undefined && wanted !== found) {
        const why = `the ${name} in the precondition (${wanted}) does not match the ${name} in record (${found})`;
        throw conflict(place.kind.plural, place.name, why);
      }
    }
    if (options.dryRun) return live;
    if (place.kind.kind === "Namespace") this.#emptyNamespace(place.name);
    if (options.propagation === "Orphan") this.#orphan(live.metadata.uid ?? "");
    if (finalizers(live).length === 0) return this.#remove(place, live);
    if (live.metadata["deletionTimestamp"] !== undefined) return live;
    const metadata = { ...live.metadata, deletionTimestamp: now(), deletionGracePeriodSeconds: 0 };
    return this.store.put(bucketOf(place.kind), keyOf(place), { ...live, metadata });
  }

  [Symbol.dispose](): void {
    this.#controllers.stop();
  }

  #live(place: Place): KubeObject | undefined {
    const stored = this.store.get(bucketOf(place.kind), keyOf(place));
    return stored === undefined ? undefined : inVersion(stored, place.kind);
  }

  #named(place: Place, body: KubeObject): KubeObject {
    const { kind, namespace } = place;
    if (body.kind !== kind.kind || body.apiVersion !== apiVersionOf(kind)) {
      throw badRequest(`expected ${apiVersionOf(kind)} ${kind.kind}, found ${body.apiVersion} ${body.kind}`);
    }
    const generate = body.metadata["generateName"];
    const name = body.metadata.name || (typeof generate === "string" ? generate + randomUUID().slice(0, 5) : "");
    if (!/^[a-z0-9A-Z:]([-a-z0-9A-Z:.]*[a-z0-9A-Z:])?$/.test(name) || name.length > 253) {
      throw new ApiRefusal(422, "Invalid", `${kind.kind} ${JSON.stringify(name)} is invalid: metadata.name`);
    }
    if ((body.metadata.namespace ?? namespace) !== namespace) {
      throw badRequest(
        `the namespace of the object (${body.metadata.namespace}) is not that of the request (${namespace})`,
      );
    }
    if (kind.namespaced) this.#checkNamespace(namespace);
    const metadata = { ...body.metadata, name, ...(kind.namespaced ? { namespace } : {}) };
    return { ...body, metadata };
  }

  #checkNamespace(namespace: string): void {
    const found = this.store.get("/namespaces", `/${namespace}`);
    if (found === undefined) throw notFound("namespaces", namespace);
    if (found.metadata["deletionTimestamp"] === undefined) return;
    const message = `unable to create new content in namespace ${namespace} because it is being terminated`;
    throw new ApiRefusal(403, "Forbidden", message, { causes: [{ reason: "NamespaceTerminating" }] });
  }

  #checkVersion(place: Place, live: KubeObject, body: KubeObject): void {
    const { uid, resourceVersion } = body.metadata;
    if (uid !== undefined && uid !== live.metadata.uid)
      throw conflict(place.kind.plural, place.name, "the UID differs");
    if (resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion) {
      throw conflict(
        place.kind.plural,
        place.name,
        "the object has been modified; please apply your changes to the latest version and try again",
      );
    }
  }

  #apply(place: Place, body: KubeObject, options: WriteOptions): KubeObject {
    if (options.manager === "") throw badRequest("fieldManager is required for apply patch");
    if (body.metadata?.["managedFields"] !== undefined) throw badRequest("metadata.managedFields must be nil");
    const named = this.#named(place, { ...body, metadata: { ...body.metadata, name: place.name } });
    const live = this.#live(place);
    if (live !== undefined) this.#checkVersion(place, live, named);
    else if (named.metadata.uid !== undefined)
      throw conflict(place.kind.plural, place.name, "uid is set and it does not exist");
    if (place.subresource === "status") {
      if (live === undefined) throw notFound(place.kind.plural, place.name);
      const applied = applyTo(live, named, writer(options, "status"));
      return this.#commit(place, live, { ...live, metadata: applied.metadata, status: applied["status"] }, options);
    }
    const { status, ...bare } = named;
    const applied = place.kind.status ? (bare as KubeObject) : { ...bare, ...(status === undefined ? {} : { status }) };
    const managed = applyTo(live, applied as KubeObject, writer(options));
    return this.#commit(place, live, managed, options);
  }

  #replace(place: Place, live: KubeObject, body: KubeObject, options: WriteOptions): KubeObject {
    const onStatus = place.subresource === "status";
    const { status, ...rest } = body;
    const merged: KubeObject = onStatus
      ? { ...live, status }
      : place.kind.status
        ? { ...(rest as KubeObject), ...(live["status"] === undefined ? {} : { status: live["status"] }) }
        : body;
    const metadata = onStatus ? live.metadata : keepServerFields(live, merged);
    const managed = updateManagers(live, { ...merged, metadata }, writer(options, onStatus ? "status" : undefined));
    return this.#commit(place, live, managed, options);
  }

  /** The last step of every write: generation, size, no-op, finalizers, then what controllers would do. */
  #commit(place: Place, live: KubeObject | undefined, wanted: KubeObject, options: WriteOptions): KubeObject {
    const moved = live === undefined || !same(content(live), content(wanted));
    const next = live === undefined ? born(wanted) : withGeneration(live, wanted, moved);
    checkSize(next);
    if (live !== undefined && same(withoutVersion(live), withoutVersion(next))) return live;
    if (options.dryRun) return next;
    const [bucket, key] = [bucketOf(place.kind), keyOf(place)];
    if (next.metadata["deletionTimestamp"] !== undefined && finalizers(next).length === 0)
      return this.#remove(place, next);
    const stored = this.store.put(bucket, key, next);
    if (moved) this.#noticed(place, stored);
    return stored;
  }

  #noticed(place: Place, object: KubeObject): void {
    if (place.kind.kind === "CustomResourceDefinition") this.#establish(place, object);
    if (place.kind.kind === "Namespace" && object["status"] === undefined) {
      this.#writeStatus(place, { phase: "Active" });
    }
    this.#controllers.changed(place);
  }

  #writeStatus(place: Place, status: Readonly<Record<string, unknown>>): void {
    const live = this.#live(place);
    if (live === undefined) return;
    this.#replace({ ...place, subresource: "status" }, live, { ...live, status }, controller);
  }

  #remove(place: Place, live: KubeObject): KubeObject {
    this.#controllers.forget(place);
    const last = this.store.remove(bucketOf(place.kind), keyOf(place)) ?? live;
    if (place.kind.kind === "CustomResourceDefinition") this.#withdraw(live);
    this.#collect(live.metadata.uid ?? "");
    return last;
  }

  /** Garbage collection: what has no owner left goes. */
  #collect(uid: string): void {
    this.#removeWhere((object) => {
      const owners = ownerReferences(object);
      return owners.length > 0 && owners.every((owner) => owner.uid === uid);
    });
  }

  #orphan(uid: string): void {
    const all = Array.from(this.store.all()); // the store changes on the way
    for (const { bucket, key, object } of all) {
      const left = ownerReferences(object).filter((owner) => owner.uid !== uid);
      if (left.length === ownerReferences(object).length) continue;
      this.store.put(bucket, key, { ...object, metadata: { ...object.metadata, ownerReferences: left } });
    }
  }

  #emptyNamespace(namespace: string): void {
    this.#removeWhere((object) => object.metadata.namespace === namespace);
  }

  #removeWhere(chosen: (object: KubeObject) => boolean): void {
    const found = [...this.store.all()].filter(({ object }) => chosen(object));
    for (const { bucket, object } of found) {
      const kind = this.kinds.find((one) => bucketOf(one) === bucket);
      if (kind === undefined) continue;
      const place = { kind, namespace: object.metadata.namespace ?? "", name: object.metadata.name, subresource: "" };
      if (this.#live(place) !== undefined) this.delete(place, { dryRun: false });
    }
  }

  #establish(place: Place, crd: KubeObject): void {
    for (const kind of kindsOfCrd(crd["spec"])) this.#kinds.set(kindKey(kind), kind);
    const spec = crd["spec"] as { readonly names: object; readonly versions: readonly { readonly name: string }[] };
    const conditions = ["NamesAccepted", "Established"].map((type) => ({
      type,
      status: "True",
      reason: type === "Established" ? "InitialNamesAccepted" : "NoConflicts",
      lastTransitionTime: now(),
    }));
    const storedVersions = spec.versions.map((version) => version.name);
    this.#writeStatus(place, { conditions, acceptedNames: spec.names, storedVersions });
  }

  #withdraw(crd: KubeObject): void {
    for (const kind of kindsOfCrd(crd["spec"])) {
      this.#kinds.delete(kindKey(kind));
      this.store.drop(bucketOf(kind));
    }
  }

  #seed(kindName: "Namespace" | "Node", name: string): void {
    const kind = builtinKinds.find((one) => one.kind === kindName);
    if (kind === undefined) throw new Error(`no kind ${kindName}`);
    const status =
      kindName === "Namespace"
        ? { phase: "Active" }
        : { conditions: [{ type: "Ready", status: "True" }], capacity: { cpu: "4", memory: "16Gi", pods: "110" } };
    const spec = kindName === "Namespace" ? { finalizers: ["kubernetes"] } : {};
    const metadata = { name, uid: stableUid(this.id, name), labels: { "kubernetes.io/metadata.name": name } };
    const object = born({ apiVersion: "v1", kind: kindName, metadata, spec, status });
    this.store.put(bucketOf(kind), `/${name}`, object);
  }
}

function patchBy(contentType: string, live: KubeObject, body: unknown): unknown {
  if (contentType.startsWith("application/merge-patch+json")) return mergePatch(live, body, false);
  if (contentType.startsWith("application/strategic-merge-patch+json")) return mergePatch(live, body, true);
  if (contentType.startsWith("application/json-patch+json")) return jsonPatch(live, body);
  throw new ApiRefusal(415, "UnsupportedMediaType", `the body of the request was in an unknown format: ${contentType}`);
}

function writer(options: WriteOptions, subresource?: string): Writer {
  const base = { manager: options.manager || "unknown", force: options.force, time: now() };
  return subresource === undefined ? base : { ...base, subresource };
}
