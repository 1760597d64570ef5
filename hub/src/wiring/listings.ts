import type { JsonObject } from "../documents/model.ts";
import { ListingsReconciler } from "../listings/reconciler.ts";
import type { Wiring } from "./rooms.ts";

/** What generators ask of servers outside. */
export function makeListings(at: Wiring): ListingsReconciler {
  const { clock, chance, servers, config } = at.ports;
  return new ListingsReconciler({
    ...servers,
    config: config.generators,
    configMaps: (namespace, name) => configMapData(at, namespace, name),
    clock,
    chance,
  });
}

/** Data of a ConfigMap document; undefined: there is none of that name. */
export function configMapData(
  at: Wiring,
  namespace: string,
  name: string,
): Readonly<Record<string, string>> | undefined {
  const document = at.rooms.documents.registry.get(`ConfigMap/${namespace}/${name}`);
  return document === undefined ? undefined : ((document.raw["data"] ?? {}) as JsonObject as Record<string, string>);
}
