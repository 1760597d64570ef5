import type { ClusterId } from "@capstan/proto";
import { DocumentsReconciler } from "../documents/reconciler.ts";
import { configMapKey } from "../releases/asked.ts";
import type { Wiring } from "./rooms.ts";

/** Kinds that every set may look at. */
const shared = ["Cluster", "AppProject", "RolloutStrategy", "FreezeWindow"] as const;

/** Documents, and who is told when they change. */
export function makeDocuments(at: Wiring): DocumentsReconciler {
  const { clock, chance, stores, config, roots } = at.ports;
  return new DocumentsReconciler({
    clock,
    chance,
    store: stores.documents,
    roots: config.roots,
    reader: roots,
    listener: {
      changed: (_keys, documents) => {
        at.documentsChanged();
        const kinds = new Set(documents.map(({ kind }) => kind));
        if (shared.some((kind) => kinds.has(kind))) at.rooms.releases.everythingChanged(() => at.owners());
        if (kinds.has("ConfigMap")) at.rooms.listings.settingsChanged();
        for (const { kind, metadata } of documents) {
          if (kind === "ConfigMap") at.rooms.releases.answerChanged(configMapKey(metadata.namespace, metadata.name));
          if (kind === "Cluster") at.clusterChanged(metadata.name as ClusterId);
          if (kind === "ApplicationSet" || kind === "Application") {
            at.rooms.releases.ownerChanged(`${metadata.namespace}/${metadata.name}`);
          }
        }
      },
    },
    onFault: (root, fault) => at.logFault(`root ${root}`, fault),
  });
}
