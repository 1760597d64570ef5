import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type ApplyPolicy,
  ApplyPolicySchema,
  FailurePolicy,
  Mode,
  type ProjectLimits,
  ProjectLimitsSchema,
} from "@capstan/proto/desired";
import { healthRulesOf } from "../documents/health-rules.ts";
import type { Application, AppProject, Json, JsonObject, Mode as ModeName, SyncPolicy } from "../documents/model.ts";

/** Removal of a target deletes its objects only where Argo CD would: the Application has this finalizer. */
export const resourcesFinalizer = "resources-finalizer.argocd.argoproj.io";
const resourcesFinalizers = [
  resourcesFinalizer,
  `${resourcesFinalizer}/background`,
  `${resourcesFinalizer}/foreground`,
];
/** Annotation of an Application (or of its set's template) that gives its mode. */
export const modeAnnotation = "capstan.dev/mode";

/** Annotation of an Application that lets its agent go back by itself to the content before, after the health deadline. */
export const localRollbackAnnotation = "capstan.dev/local-rollback";

const wireModes: Record<ModeName, Mode> = {
  Observe: Mode.OBSERVE,
  AdoptIfNoDiff: Mode.ADOPT_IF_NO_DIFF,
  Enforce: Mode.ENFORCE,
};
const width: Record<ModeName, number> = { Observe: 0, AdoptIfNoDiff: 1, Enforce: 2 };

/** The mode of a target: its own annotation, else the cluster's; an observed cluster is never written to. */
export function modeOf(application: Application, cluster: ModeName): Mode {
  const asked = application.metadata.annotations[modeAnnotation];
  const own = asked !== undefined && Object.hasOwn(width, asked) ? (asked as ModeName) : cluster;
  return wireMode(cluster === "Observe" ? "Observe" : own);
}

/** A mode as the wire has it. */
export function wireMode(mode: ModeName): Mode {
  return wireModes[mode];
}

/** Argo CD's sync policy as the agent acts on it (design §3.4). */
export function applyPolicy(application: Application, project: AppProject | undefined): ApplyPolicy {
  const sync: SyncPolicy = application.spec.syncPolicy ?? {};
  const automated = sync.automated;
  const on = automated !== undefined && automated.enabled !== false;
  return create(ApplyPolicySchema, {
    automated: on,
    prune: on && automated.prune === true,
    selfHeal: on && automated.selfHeal === true,
    allowEmpty: on && automated.allowEmpty === true,
    syncOptions: [...(sync.syncOptions ?? [])],
    ignoreDifferences: (application.spec.ignoreDifferences ?? []).map((each) => ({
      group: each.group ?? "",
      kind: each.kind,
      namespace: each.namespace ?? "",
      name: each.name ?? "",
      jsonPointers: [...(each.jsonPointers ?? [])],
      jqPathExpressions: [...(each.jqPathExpressions ?? [])],
      managedFieldsManagers: [...(each.managedFieldsManagers ?? [])],
    })),
    namespaceLabels: { ...sync.managedNamespaceMetadata?.labels },
    namespaceAnnotations: { ...sync.managedNamespaceMetadata?.annotations },
    ...(sync.retry === undefined ? {} : { retry: retryOf(sync.retry) }),
    failurePolicy: FailurePolicy.CONTINUE,
    deletionGuard: { maxObjects: 5, maxPercent: 50, protectedKinds: [...protectedKinds] },
    ...(project === undefined
      ? {}
      : { projectLimits: projectLimits(project), healthRules: [...healthRulesOf(project)] }),
    keepObjectsOnRemoval: !prunesOnRemoval(application),
  });
}

/** Kinds of which none goes unapproved (promise 4); a LoadBalancer Service is told by the agent, which sees its type. */
const protectedKinds = [
  "Namespace",
  "CustomResourceDefinition.apiextensions.k8s.io",
  "PersistentVolumeClaim",
  "PersistentVolume",
  "StatefulSet.apps",
  "Service/LoadBalancer",
] as const;

/** Whether removing the application deletes its objects. */
export function prunesOnRemoval(application: Application): boolean {
  if (application.spec.syncPolicy?.syncOptions?.includes("Delete=false") === true) return false;
  return application.metadata.finalizers.some((finalizer) => resourcesFinalizers.includes(finalizer));
}

/** Argo CD's retry: limit 5 by default, 5 s, doubled, up to 3 min. */
function retryOf(retry: JsonObject) {
  const backoff = (retry["backoff"] ?? {}) as JsonObject;
  return {
    limit: Number(retry["limit"] ?? 5),
    duration: durationFromMs(durationOf(backoff["duration"], "5s")),
    factor: Number(backoff["factor"] ?? 2),
    maxDuration: durationFromMs(durationOf(backoff["maxDuration"], "3m")),
  };
}

function durationOf(value: Json | undefined, fallback: string): number {
  return parseDurationMs(typeof value === "string" || typeof value === "number" ? `${value}` : fallback);
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration as Go and Argo CD write it: `1h30m`, `5s`, or seconds as a bare number. Unreadable text counts as 0. */
export function parseDurationMs(text: string): number {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  let total = 0;
  for (const [, amount = "0", unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * (unitMs[unit] ?? 0);
  }
  return total;
}

/** What the project permits on the cluster, for the agent to enforce as well. */
function projectLimits(project: AppProject): ProjectLimits {
  const { spec } = project;
  const rules = (list: typeof spec.clusterResourceWhitelist) =>
    (list ?? []).map(({ group, kind, name }) => ({ group, kind, name: name ?? "" }));
  return create(ProjectLimitsSchema, {
    namespaces: [...new Set((spec.destinations ?? []).map((each) => each.namespace ?? "*"))],
    clusterAllow: rules(spec.clusterResourceWhitelist),
    clusterDeny: rules(spec.clusterResourceBlacklist),
    namespaceAllow: rules(spec.namespaceResourceWhitelist),
    namespaceDeny: rules(spec.namespaceResourceBlacklist),
    namespaceAllowSet: spec.namespaceResourceWhitelist !== undefined,
  });
}
