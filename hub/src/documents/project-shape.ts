import { destinationShape, metadataShape } from "./application-shape.ts";
import { bool, json, keep, list, pointer, type StructShape, string, stringMap, strings, struct } from "./shape.ts";

const groupKind = struct({ group: keep(string), kind: keep(string) });
const groupKindName = struct({ group: keep(string), kind: keep(string), name: string });

/** An AppProject's `spec`. */
const projectSpecShape: StructShape = struct({
  sourceRepos: strings,
  destinations: list(destinationShape),
  description: string,
  roles: list(json),
  // Unset and empty differ for the white lists.
  clusterResourceWhitelist: pointer(list(groupKindName)),
  namespaceResourceBlacklist: list(groupKind),
  orphanedResources: pointer(json),
  syncWindows: list(json),
  namespaceResourceWhitelist: pointer(list(groupKind)),
  signatureKeys: list(json),
  clusterResourceBlacklist: list(groupKindName),
  sourceNamespaces: strings,
  permitOnlyProjectScopedClusters: bool,
  destinationServiceAccounts: list(
    struct({ server: keep(string), namespace: string, defaultServiceAccount: keep(string) }),
  ),
  sourceIntegrity: pointer(json),
});

/** A whole AppProject. */
export const projectShape: StructShape = struct({
  apiVersion: string,
  kind: string,
  metadata: keep(metadataShape),
  spec: keep(projectSpecShape),
});

/** A ConfigMap, as generators read it. */
export const configMapShape: StructShape = struct({
  apiVersion: string,
  kind: string,
  metadata: keep(metadataShape),
  data: keep(stringMap),
  binaryData: pointer(json),
  immutable: bool,
});

/** Our own Cluster. */
export const clusterShape: StructShape = struct({
  apiVersion: string,
  kind: string,
  metadata: keep(metadataShape),
  spec: keep(struct({ mode: string, argocd: pointer(struct({ name: string, server: string, project: string })) })),
});
