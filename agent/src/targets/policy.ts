import { durationMs } from "@bufbuild/protobuf/wkt";
import { Fault, jqProblem, type TargetKey, targetKey } from "@capstan/proto";
import {
  type DeletionGuard,
  type DesiredTarget,
  FailurePolicy,
  type IgnoreDifference,
  Removal,
  type Retry,
  type Tombstone,
  Mode as WireMode,
} from "@capstan/proto/desired";
import type { UserRule } from "@capstan/proto/rules";
import {
  type ApplyPolicy,
  type DeletionLimits,
  defaultDeletionLimits,
  defaultHookRetry,
  type HookRetry,
  type Mode,
  type RemovalInput,
  type ServiceAccount,
} from "../apply/model.ts";
import type { IgnoreRule } from "../drift/ignore.ts";

/** The key of a target or tombstone. */
export function keyOf(named: { readonly namespace: string; readonly name: string }): TargetKey {
  return targetKey(named.namespace, named.name);
}

/** The mode in force: the target's own; but in an observed cluster nothing is ever written. */
export function modeOf(target: WireMode, cluster: WireMode): Mode {
  return cluster === WireMode.OBSERVE ? "Observe" : plainMode(target);
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
  const { policy } = target;
  const options = new Set(policy?.syncOptions ?? []);
  const ignored = ignoreRules(policy?.ignoreDifferences ?? []);
  return {
    mode: modeOf(target.mode, clusterMode),
    prune: (policy?.prune ?? false) && !options.has("Prune=false"),
    // Argo CD heals by itself only what it syncs by itself.
    selfHeal: (policy?.automated ?? false) && (policy?.selfHeal ?? false) && ignored !== undefined,
    onError: policy?.failurePolicy === FailurePolicy.ATOMIC ? "atomic" : "continue",
    account: accountOf(target.serviceAccount),
    createNamespace: options.has("CreateNamespace=true"),
    namespaceMetadata: { labels: policy?.namespaceLabels ?? {}, annotations: policy?.namespaceAnnotations ?? {} },
    allowEmpty: policy?.allowEmpty ?? false,
    propagation: propagationOf(options),
    validate: !options.has("Validate=false"),
    ignore: ignored ?? [],
    respectIgnored: !options.has("RespectIgnoreDifferences=false"),
    recreate: options.has("Force=true"),
    replace: options.has("Replace=true"),
    confirmPrune: options.has("Prune=confirm"),
    limits: limitsOf(policy?.deletionGuard),
    ...(policy?.retry === undefined ? {} : { hookRetry: hookRetryOf(policy.retry) }),
    approved: new Set(),
  };
}

/**
 * The differences that are no drift; undefined where a jq expression is not understood: then drift is shown and left alone,
 * as what it shields must not be overwritten.
 */
function ignoreRules(differences: readonly IgnoreDifference[]): IgnoreRule[] | undefined {
  if (differences.some((one) => one.jqPathExpressions.some((text) => jqProblem(text) !== undefined))) return undefined;
  return differences.map(({ group, kind, namespace, name, jsonPointers, ...more }) => {
    const { jqPathExpressions: jqPaths, managedFieldsManagers: managers } = more;
    return { group, kind, namespace, name, jsonPointers, jqPaths, managers };
  });
}

/** Retries of a failed hook are those of the sync. */
function hookRetryOf({ limit, duration, factor, maxDuration }: Retry): HookRetry {
  const firstMs = duration === undefined ? defaultHookRetry.firstMs : durationMs(duration);
  const longestMs = maxDuration === undefined ? defaultHookRetry.longestMs : durationMs(maxDuration);
  return { limit, firstMs, factor: factor > 0 ? factor : defaultHookRetry.factor, longestMs };
}

function propagationOf(options: ReadonlySet<string>): ApplyPolicy["propagation"] {
  if (options.has("PrunePropagationPolicy=foreground")) return "foreground";
  // Argo CD's own default is foreground; in the background a pass does not hang on what owns nothing of ours.
  return options.has("PrunePropagationPolicy=orphan") ? "orphan" : "background";
}

function limitsOf(guard: DeletionGuard | undefined): DeletionLimits {
  if (guard === undefined) return defaultDeletionLimits;
  if (guard.off) return { count: Number.MAX_SAFE_INTEGER, share: 1, kinds: [], off: true };
  return { count: guard.maxObjects, share: guard.maxPercent / 100, kinds: guard.protectedKinds.map(guardedKind) };
}

/** `Kind.group` as the guard names it, `group/Kind` as keys begin. */
function guardedKind(text: string): string {
  const dot = text.indexOf(".");
  return dot < 0 ? `/${text}` : `${text.slice(dot + 1)}/${text.slice(0, dot)}`;
}

/**
 * How a target leaves, from its tombstone. Anything but an explicit prune keeps its objects; a prune that nobody approved
 * leaves those of protected kinds, and all where the application asks for a confirmation, whatever the hub thought.
 */
export function removalOf(tombstone: Tombstone): RemovalInput {
  const options = new Set(tombstone.syncOptions);
  const objects = tombstone.removal === Removal.PRUNE && !options.has("Delete=false") ? "prune" : "keep";
  const guarded = objects === "prune" && tombstone.approvedBy === "";
  return {
    target: keyOf(tombstone),
    account: accountOf(tombstone.serviceAccount),
    objects,
    propagation: propagationOf(options),
    ...(guarded ? { limits: { kinds: [], approved: new Set(), all: options.has("Delete=confirm") } } : {}),
  };
}

/**
 * The policy of a look at what is applied. While windows are closed nothing is healed. After a local rollback the bundle is
 * another than the one of its generation, which the engine would take for a new one: without self-heal it only observes.
 */
export function checkPolicy(
  policy: ApplyPolicy,
  { closed, back }: { readonly closed: boolean; readonly back: boolean },
): ApplyPolicy {
  const selfHeal = policy.selfHeal && !closed;
  return { ...policy, selfHeal, ...(back && !selfHeal ? { mode: "Observe" } : {}) };
}

/** The health rules of the target's project. */
export function rulesOf(target: DesiredTarget): readonly UserRule[] {
  return (target.policy?.healthRules ?? []).map(
    ({ group, kind, suspended, inProgress, failed, current, message }): UserRule => ({
      group,
      kind,
      suspended,
      inProgress,
      failed,
      current,
      message,
    }),
  );
}
