import { parseDigest } from "@capstan/proto";
import type { ClusterRecord } from "../../clusters/model.ts";
import type { ClusterRecordStore } from "../../clusters/port.ts";
import type { StoredBundleRef } from "../../distribution/model.ts";
import type { DesiredStore } from "../../distribution/port.ts";
import { decodeStoredDocument, encodeDocument } from "../../documents/codec.ts";
import type { Document } from "../../documents/model.ts";
import type { DocumentStore } from "../../documents/port.ts";
import type { RenderMemory } from "../../releases/port.ts";
import type { StatusStore } from "../../status/port.ts";
import { stateKey, statePrefix } from "../../store/keys.ts";
import type { StateStore } from "../../store/port.ts";
import { firstPart, loadByCluster, saveByCluster } from "./keys.ts";

/** Signed desired states, key `desired.<cluster>`. */
export function desiredStore(store: StateStore): DesiredStore {
  return {
    load: (signal) => loadByCluster(store, "desired", signal),
    saveAll: (writes, signal) => saveByCluster(store, "desired", writes, signal),
    delete: (cluster, signal) => store.delete(stateKey("desired", cluster), signal),
  };
}

/** Last reports, key `status.<cluster>`. */
export function statusStore(store: StateStore): StatusStore {
  return {
    load: (signal) => loadByCluster(store, "status", signal),
    saveAll: (writes, signal) => saveByCluster(store, "status", writes, signal),
  };
}

/** The registry, key `cluster.<id>`. */
export function clusterStore(store: StateStore): ClusterRecordStore {
  return {
    load: async (signal) => [...(await loadByCluster(store, "cluster", signal)).values()].map((bytes) => fromJson<ClusterRecord>(bytes)),
    async save(record, signal) {
      await store.put(stateKey("cluster", record.id), toJson(record), signal);
    },
    delete: (id, signal) => store.delete(stateKey("cluster", id), signal),
  };
}

/** Documents, key `document.<kind>.<namespace>.<name>`. */
export function documentStore(store: StateStore): DocumentStore {
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

/** What was rendered once, key `render.<input digest>`; read whole at the start of a term. */
export async function renderMemory(store: StateStore, signal: AbortSignal): Promise<RenderMemory> {
  const known = new Map<string, StoredBundleRef>();
  for (const { key, value } of await store.list(statePrefix("render"), signal)) {
    const ref = fromJson(value) as StoredBundleRef;
    known.set(firstPart(key), { ...ref, digest: parseDigest(ref.digest) });
  }
  return {
    get: (key) => known.get(key),
    async put(key, bundle, stop) {
      await store.put(stateKey("render", key), toJson(bundle), stop);
      known.set(key, bundle);
    },
  };
}

function toJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function fromJson<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}
