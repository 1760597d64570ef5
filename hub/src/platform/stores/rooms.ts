import { parseDigest } from "@capstan/proto";
import type { ClusterRecord } from "../../clusters/model.ts";
import type { ClusterRecordStore } from "../../clusters/port.ts";
import type { DesiredStore } from "../../distribution/port.ts";
import { decodeStoredDocument, encodeDocument } from "../../documents/codec.ts";
import type { Document } from "../../documents/model.ts";
import type { DocumentStore } from "../../documents/port.ts";
import type { GuardStore } from "../../guard/port.ts";
import type { Revocation, StoredToken } from "../../identity/model.ts";
import type { IdentityStore } from "../../identity/port.ts";
import type { RenderMemory } from "../../releases/port.ts";
import type { Pin } from "../../rollout/model.ts";
import type { RolloutStore } from "../../rollout/port.ts";
import type { Released } from "../../rollout/released.ts";
import type { StatusStore } from "../../status/port.ts";
import { stateKey, statePrefix } from "../../store/keys.ts";
import type { FleetNotes, RecordLog, StateStore } from "../../store/port.ts";
import type { StoredBundleRef } from "../../targets/content.ts";
import { firstPart, loadByCluster, saveByCluster } from "./keys.ts";

/** Signed desired states, key `desired.<cluster>`. */
function desiredStore(store: StateStore): DesiredStore {
  return {
    load: (signal) => loadByCluster(store, "desired", signal),
    saveAll: (writes, signal) => saveByCluster(store, "desired", writes, signal),
    delete: (cluster, signal) => store.delete(stateKey("desired", cluster), signal),
  };
}

/** Last reports, key `status.<cluster>`. */
function statusStore(store: StateStore): StatusStore {
  return {
    load: (signal) => loadByCluster(store, "status", signal),
    saveAll: (writes, signal) => saveByCluster(store, "status", writes, signal),
    delete: (cluster, signal) => store.delete(stateKey("status", cluster), signal),
  };
}

/** The registry, key `cluster.<id>`. */
function clusterStore(store: StateStore): ClusterRecordStore {
  return {
    load: async (signal) =>
      [...(await loadByCluster(store, "cluster", signal)).values()].map((bytes) => fromJson<ClusterRecord>(bytes)),
    async save(record, signal) {
      await store.put(stateKey("cluster", record.id), toJson(record), signal);
    },
    delete: (id, signal) => store.delete(stateKey("cluster", id), signal),
  };
}

/** Documents, key `document.<kind>.<namespace>.<name>`. */
function documentStore(store: StateStore): DocumentStore {
  const keyOf = ({ kind, metadata }: Document) => stateKey("document", kind, metadata.namespace, metadata.name);
  return {
    load: async (signal) =>
      (await store.list(statePrefix("document"), signal)).map(({ value }) => decodeStoredDocument(value)),
    async save(documents, signal) {
      await store.putMany(
        documents.map((document) => ({ key: keyOf(document), value: encodeDocument(document) })),
        signal,
      );
    },
    async delete(documents, signal) {
      for (const document of documents) await store.delete(keyOf(document), signal);
    },
  };
}

/** What was rendered once, key `render.<input digest>`; read whole by `load`. */
function renderMemory(store: StateStore): RenderMemory {
  const known = new Map<string, StoredBundleRef>();
  return {
    async load(signal) {
      known.clear();
      for (const { key, value } of await store.list(statePrefix("render"), signal)) {
        const ref = fromJson<StoredBundleRef>(value);
        known.set(firstPart(key), { ...ref, digest: parseDigest(ref.digest) });
      }
    },
    get: (key) => known.get(key),
    async put(key, bundle, signal) {
      await store.put(stateKey("render", key), toJson(bundle), signal);
      known.set(key, bundle);
    },
    async drop(bundles, signal) {
      for (const [key, { digest }] of known) {
        if (!bundles.has(digest)) continue;
        await store.delete(stateKey("render", key), signal);
        known.delete(key);
      }
    },
  };
}

/** Records of rollouts, and lanes' pins. */
function rolloutStore(store: StateStore, records: RecordLog): RolloutStore {
  return {
    heads: async (signal) => (await store.list(statePrefix("head"), signal)).map(({ value }) => value),
    async append(run, entry, head, signal) {
      const sequence = await records.append(run, entry, signal);
      await store.put(stateKey("head", run), head(sequence), signal);
      return sequence;
    },
    async read(run, last, signal) {
      const entries = await records.read(run, signal);
      return entries.filter(({ sequence }) => sequence <= last).map(({ value }) => value);
    },
    dropHead: (run, signal) => store.delete(stateKey("head", run), signal),
    released: async (signal) =>
      (await store.list(statePrefix("released"), signal)).map(({ value }) => fromJson<Released>(value)),
    async saveReleased(released, signal) {
      await store.put(stateKey("released", released.lane), toJson(released), signal);
    },
    deleteReleased: (lane, signal) => store.delete(stateKey("released", lane), signal),
    pins: async (signal) => (await store.list(statePrefix("pin"), signal)).map(({ value }) => fromJson<Pin>(value)),
    async savePin(pin, signal) {
      await store.put(stateKey("pin", pin.lane), toJson(pin), signal);
    },
    deletePin: (lane, signal) => store.delete(stateKey("pin", lane), signal),
  };
}

/** The deletion guard's memory, key `fleet.guard`. */
function guardStore(store: StateStore): GuardStore {
  const key = stateKey("fleet", "guard");
  return {
    async load(signal) {
      const entry = await store.get(key, signal);
      return entry === undefined ? { history: [], approvals: [] } : fromJson(entry.value);
    },
    async save(memory, signal) {
      await store.put(key, toJson(memory), signal);
    },
  };
}

/** Tokens and revocations, keys `token.<id>` and `revoked.<id>`. */
function identityStore(store: StateStore): IdentityStore {
  const all = async <T>(kind: "token" | "revoked", signal: AbortSignal) =>
    (await store.list(statePrefix(kind), signal)).map(({ value }) => fromJson<T>(value));
  return {
    tokens: (signal) => all<StoredToken>("token", signal),
    async saveToken(token, signal) {
      await store.put(stateKey("token", token.id), toJson(token), signal);
    },
    deleteToken: (id, signal) => store.delete(stateKey("token", id), signal),
    revocations: (signal) => all<Revocation>("revoked", signal),
    async saveRevocation(revocation, signal) {
      await store.put(stateKey("revoked", revocation.cluster), toJson(revocation), signal);
    },
  };
}

/** What the fleet as a whole is in, key `fleet.<name>`: small JSON values. */
function fleetNotes(store: StateStore): FleetNotes {
  return {
    async read(name, signal) {
      const entry = await store.get(stateKey("fleet", name), signal);
      return entry === undefined ? undefined : fromJson(entry.value);
    },
    async write(name, value, signal) {
      await store.put(stateKey("fleet", name), toJson(value), signal);
    },
    delete: (name, signal) => store.delete(stateKey("fleet", name), signal),
  };
}

/** The stores of all rooms over one state store and one log of records. */
export function roomStores(state: StateStore, records: RecordLog) {
  return {
    identity: identityStore(state),
    desired: desiredStore(state),
    status: statusStore(state),
    clusters: clusterStore(state),
    documents: documentStore(state),
    renders: renderMemory(state),
    rollouts: rolloutStore(state, records),
    guard: guardStore(state),
    notes: fleetNotes(state),
  };
}

function toJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function fromJson<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}
