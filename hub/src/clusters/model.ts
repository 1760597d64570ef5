import type { ClusterId, Instant } from "@capstan/proto";
import type { ClusterSpec, Document, Mode } from "../documents/model.ts";
import type { Enrolment, Trust } from "../identity/model.ts";

/** What a cluster said of itself (proto `Facts`, plain). */
export interface ClusterFacts {
  readonly kubernetesVersion: string;
  /** `group/version` and `group/version/Kind`, sorted. */
  readonly apiVersions: readonly string[];
  readonly nodes: number;
  readonly platform: string;
  readonly writableNamespaces: readonly string[];
  readonly otherManagers: readonly string[];
}

/** What people say of a cluster. A `Cluster` document in a root wins over what the CLI set. */
export interface Declaration {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly mode: Mode;
  readonly argocd: { readonly name: string; readonly server: string; readonly project: string | undefined };
  readonly cordoned: boolean;
}

/** A cluster as the hub keeps it, key `cluster.<id>`. Absent parts: it has not come so far yet. */
export interface ClusterRecord {
  readonly id: ClusterId;
  /** Set by the CLI; the effective declaration is `effective(record, document)`. */
  readonly declared: Declaration | undefined;
  readonly enrolment: Enrolment | undefined;
  readonly facts: ClusterFacts | undefined;
  /** The incarnation in force; another one that says hello waits for a person. */
  readonly incarnation: string | undefined;
  /** An incarnation that said hello and is not the one in force. */
  readonly claimed: string | undefined;
  readonly agentVersion: string;
  /** Labels that a signed desired state of it has, where this record was lost with the store. */
  readonly remembered?: Readonly<Record<string, string>>;
  /** What its agent takes the hub's word by, as it said last; absent for agents that do not say. */
  readonly trust?: Trust;
  readonly createdAt: Instant;
}

/** What the generators and the rest of the hub see of a cluster. */
export interface Cluster extends Declaration {
  readonly id: ClusterId;
  readonly facts: ClusterFacts | undefined;
  readonly incarnation: string | undefined;
  /** `root NAME file:line`, `cli`, or empty where nothing names it. */
  readonly declaredIn: string;
}

/** Argo CD's name and server of a cluster that no document gives others. */
export function defaultArgocd(id: ClusterId): Declaration["argocd"] {
  return { name: id, server: `https://${id}.clusters.capstan.internal`, project: undefined };
}

/** What holds of a cluster of which people said nothing. */
export function emptyDeclaration(id: ClusterId): Declaration {
  return { labels: {}, annotations: {}, mode: "AdoptIfNoDiff", argocd: defaultArgocd(id), cordoned: false };
}

/** A record of a cluster that has not joined yet. */
export function newRecord(id: ClusterId, createdAt: Instant): ClusterRecord {
  return {
    id,
    declared: undefined,
    enrolment: undefined,
    facts: undefined,
    incarnation: undefined,
    claimed: undefined,
    agentVersion: "",
    createdAt,
  };
}

/** The declaration that a `Cluster` document makes. */
export function declarationOf(id: ClusterId, document: Document, spec: ClusterSpec): Declaration {
  const argocd = defaultArgocd(id);
  return {
    labels: document.metadata.labels,
    annotations: document.metadata.annotations,
    mode: spec.mode ?? "AdoptIfNoDiff",
    argocd: {
      name: spec.argocd?.name ?? argocd.name,
      server: spec.argocd?.server ?? argocd.server,
      project: spec.argocd?.project,
    },
    cordoned: false,
  };
}

/** The cluster with what a document, else the CLI, says of it; undefined where nothing names it. */
export function effective(
  record: ClusterRecord,
  document: { readonly declaration: Declaration; readonly where: string } | undefined,
): Cluster | undefined {
  const declaration = document?.declaration ?? record.declared;
  if (declaration === undefined) return undefined;
  return {
    ...declaration,
    cordoned: declaration.cordoned || (record.declared?.cordoned ?? false),
    id: record.id,
    facts: record.facts,
    incarnation: record.incarnation,
    declaredIn: document?.where ?? "cli",
  };
}
