import type { Fault, TargetKey } from "@capstan/proto";
import type { PodEvent } from "../health/pods/model.ts";
import type { Inventory } from "../inventory/model.ts";
import type { KindRef, KubeObject, ManagedFieldsEntry, ObjectAddress } from "../inventory/object.ts";
import type { ServiceAccount } from "./model.ts";

/** How the API server serves a kind. */
export interface ServedKind extends KindRef {
  readonly namespaced: boolean;
}

/** How an object is written. */
export interface WriteOptions {
  readonly dryRun: boolean;
  /** Write only where the live object still has this resourceVersion; else a fault `conflict`. */
  readonly resourceVersion?: string;
  /** Refuse unknown and duplicate fields. */
  readonly strict: boolean;
  /** Another field manager than ours, where several targets write different fields of one object. */
  readonly manager?: string;
}

/** What became of a delete request. `replaced`: another object has the name by now; it was left alone. */
export type DeleteOutcome = "gone" | "deleting" | "replaced";

/**
 * The cluster as the apply engine sees it. Every request that names an account runs as that account. Faults carry the
 * server's reason (`refusalOf`); `kind-not-served`, `not-found`, `conflict`, `not-allowed`, `cluster-refused` and
 * `cluster-unreachable` are told apart.
 */
export interface Cluster {
  /** The kind in exactly this version, or undefined. Knowledge is refreshed, at a bounded rate, before saying no. */
  served(kind: KindRef, signal: AbortSignal): Promise<ServedKind | undefined>;
  /** The kind in any served version, the preferred one first. */
  servedAny(
    kind: { readonly group: string; readonly kind: string },
    signal: AbortSignal,
  ): Promise<ServedKind | undefined>;
  /** Asks the server again for all kinds, now. */
  refreshKinds(signal: AbortSignal): Promise<void>;
  read(as: ServiceAccount, address: ObjectAddress, signal: AbortSignal): Promise<KubeObject | undefined>;
  /** Metadata only. */
  readMeta(as: ServiceAccount, address: ObjectAddress, signal: AbortSignal): Promise<KubeObject | undefined>;
  /** Server-side apply, forced, as our field manager. Returns the object as the server would store or stored it. */
  apply(as: ServiceAccount, object: KubeObject, options: WriteOptions, signal: AbortSignal): Promise<KubeObject>;
  /** Deletes the object if it still has this UID. NotFound and an unserved kind count as gone. */
  remove(
    as: ServiceAccount,
    address: ObjectAddress,
    options: RemoveOptions,
    signal: AbortSignal,
  ): Promise<DeleteOutcome>;
  /** A merge patch under another field manager than ours, or of the status. */
  patch(as: ServiceAccount, address: ObjectAddress, patch: ObjectPatch, signal: AbortSignal): Promise<void>;
  /** Takes our label and annotation off the object if it still has this UID; all else stays. */
  release(as: ServiceAccount, address: ObjectAddress, uid: string, signal: AbortSignal): Promise<void>;
  /** Puts the object in the live one's place, whole; `resourceVersion` is the live one's. As `apply` otherwise. */
  replace(as: ServiceAccount, object: KubeObject, options: WriteOptions, signal: AbortSignal): Promise<KubeObject>;
  /** Writes who manages which field, and takes marks off, in one patch. A fault `conflict` where the object has changed. */
  setManagers(
    as: ServiceAccount,
    address: ObjectAddress,
    change: ManagerChange,
    signal: AbortSignal,
  ): Promise<KubeObject>;
  /** Names of the Secrets in a namespace that a label selector finds: metadata only. */
  findSecrets(as: ServiceAccount, namespace: string, selector: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Takes one finalizer off the object if it still has this UID; nothing where object or finalizer is gone. */
  dropFinalizer(
    as: ServiceAccount,
    address: ObjectAddress,
    which: { readonly uid: string; readonly finalizer: string },
    signal: AbortSignal,
  ): Promise<void>;
}

/** A change of an object's field managers. */
export interface ManagerChange {
  readonly resourceVersion: string;
  readonly managedFields: readonly ManagedFieldsEntry[];
  /** Names of labels and annotations that go; each is there. */
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
}

/** A merge patch. */
export interface ObjectPatch {
  readonly body: Readonly<Record<string, unknown>>;
  readonly subresource?: "status";
  readonly manager: string;
}

/** How an object is deleted. */
export interface RemoveOptions {
  readonly uid: string;
  readonly propagation: "background" | "foreground" | "orphan";
}

/**
 * When a write has to be durable: `now`, before anything is done that relies on it; `soon`, within a second, joined with
 * others: losing it costs a look, never an object.
 */
export type Urgency = "now" | "soon";

/** Where inventories are kept, in the cluster itself. */
export interface InventoryStore {
  read(target: TargetKey, signal: AbortSignal): Promise<Inventory>;
  /** Resolves when the write is durable (`now`), or taken on (`soon`). Reads give the new one at once. */
  write(inventory: Inventory, urgency: Urgency, signal: AbortSignal): Promise<void>;
  /** Durable when it resolves. */
  forget(target: TargetKey, signal: AbortSignal): Promise<void>;
  /** All targets that own at least one object, in no particular order. */
  targets(signal: AbortSignal): Promise<readonly TargetKey[]>;
  /** The targets that own an object in the namespace. */
  holders(namespace: string, signal: AbortSignal): Promise<readonly TargetKey[]>;
}

/** What a followed kind tells. Calls come in order; `object` is metadata only unless the body was asked for. */
export interface WatchSink {
  /** The object is there, new or changed. */
  set(object: KubeObject): void;
  gone(object: KubeObject): void;
  /** A full list was delivered: whatever was not set since `begin` is gone. */
  begin(): void;
  synced(): void;
  /** The watch is open, for the first time or again: what is told is current from here on. */
  steady(): void;
  /** The watch was lost and will be tried again. */
  trouble(fault: Fault): void;
}

/** Follows owned objects of one kind. */
export interface Watches {
  /** Resolves when the signal aborts or the kind is no longer served; never rejects. */
  follow(kind: KindRef, options: { readonly body: boolean }, sink: WatchSink, signal: AbortSignal): Promise<void>;
}

/** Looks at what workloads own, as the agent's own account. */
export interface PodLooks {
  /** The first pods that a label selector matches. */
  pods(
    asked: { readonly namespace: string; readonly selector: string; readonly limit: number },
    signal: AbortSignal,
  ): Promise<{ readonly pods: readonly KubeObject[]; readonly more: boolean }>;
  /** Events of one object, in no particular order. */
  events(
    asked: { readonly namespace: string; readonly uid: string },
    signal: AbortSignal,
  ): Promise<readonly PodEvent[]>;
}
