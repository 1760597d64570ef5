import { Fault, type TargetKey, targetKey } from "@capstan/proto";
import {
  type DeletionGuard,
  type DesiredTarget,
  FailurePolicy,
  Removal,
  type Tombstone,
  Mode as WireMode,
} from "@capstan/proto/desired";
import {
  type ApplyPolicy,
  type DeletionLimits,
  defaultDeletionLimits,
  type Mode,
  type RemovalInput,
  type ServiceAccount,
} from "../apply/model.ts";

/** The key of a target or tombstone. */
export function keyOf(named: { readonly namespace: string; readonly name: string }): TargetKey {
  return targetKey(named.namespace, named.name);
}

const width: Record<Mode, number> = { Observe: 0, AdoptIfNoDiff: 1, Enforce: 2 };

/** The mode in force: the target's, but never wider than the cluster's where that is set. */
export function modeOf(target: WireMode, cluster: WireMode): Mode {
  const own = plainMode(target);
  if (cluster === WireMode.UNSPECIFIED) return own;
  const limit = plainMode(cluster);
  return width[own] <= width[limit] ? own : limit;
}

function plainMode(mode: WireMode): Mode {
  switch (mode) {
    case WireMode.OBSERVE:
      return "Observe";
    case WireMode.ENFORCE:
      return "Enforce";
    default:
      return "AdoptIfNoDiff";
  }
}

/** `NAMESPACE/NAME`. Throws `not-allowed` where none is named: the agent's own rights are never used instead. */
export function accountOf(text: string): ServiceAccount {
  const [namespace, name, ...rest] = text.split("/");
  if (namespace && name && rest.length === 0) return { namespace, name };
  throw new Fault("not-allowed", {
    message: `expected a service account as NAMESPACE/NAME, found ${JSON.stringify(text)}; nothing is applied without one.`,
    next: "Name one in the project, or as the fleet's default.",
  });
}

/** How a target is applied, from its desired state. */
export function policyOf(target: DesiredTarget, clusterMode: WireMode): ApplyPolicy {
  const { policy, operation } = target;
  const options = new Set(policy?.syncOptions ?? []);
  return {
    mode: modeOf(target.mode, clusterMode),
    prune: policy?.prune ?? false,
    // Argo CD heals by itself only what it syncs by itself.
    selfHeal: (policy?.automated ?? false) && (policy?.selfHeal ?? false),
    onError: policy?.failurePolicy === FailurePolicy.ATOMIC ? "atomic" : "continue",
    account: accountOf(target.serviceAccount),
    createNamespace: options.has("CreateNamespace=true"),
    namespaceMetadata: { labels: policy?.namespaceLabels ?? {}, annotations: policy?.namespaceAnnotations ?? {} },
    allowEmpty: policy?.allowEmpty ?? false,
    propagation: propagationOf(options),
    validate: !options.has("Validate=false"),
    limits: limitsOf(policy?.deletionGuard),
    approved: new Set(operation?.approvedPrune ?? []),
  };
}

function propagationOf(options: ReadonlySet<string>): ApplyPolicy["propagation"] {
  if (options.has("PrunePropagationPolicy=foreground")) return "foreground";
  // Argo CD's own default is foreground; in the background a pass does not hang on what owns nothing of ours.
  return options.has("PrunePropagationPolicy=orphan") ? "orphan" : "background";
}

function limitsOf(guard: DeletionGuard | undefined): DeletionLimits {
  if (guard === undefined) return defaultDeletionLimits;
  if (guard.off) return { count: Number.MAX_SAFE_INTEGER, share: 1, kinds: [] };
  return { count: guard.maxObjects, share: guard.maxPercent / 100, kinds: guard.protectedKinds.map(guardedKind) };
}

/** `Kind.group` as the guard names it, `group/Kind` as keys begin. */
function guardedKind(text: string): string {
  const dot = text.indexOf(".");
  return dot < 0 ? `/${text}` : `${text.slice(dot + 1)}/${text.slice(0, dot)}`;
}

/** How a target leaves, from its tombstone. Anything but an explicit prune keeps its objects. */
export function removalOf(tombstone: Tombstone): RemovalInput {
  const objects = tombstone.removal === Removal.PRUNE ? "prune" : "keep";
  return { target: keyOf(tombstone), account: accountOf(tombstone.serviceAccount), objects, propagation: "background" };
}
