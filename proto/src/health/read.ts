import { conditionOf, conditionsOf, conditionText, verdict } from "./fields.ts";
import { type GroupKind, groupKindOf, type Health, type Manifest } from "./model.ts";
import { type Reader, readerOf, ruleTextOf } from "./registry.ts";
import { applyRule, isBehind, parseRule } from "./rule.ts";

/** Groups whose other kinds have no health of their own: they are well when they exist. */
const plainGroups = new Set([
  "",
  "rbac.authorization.k8s.io",
  "admissionregistration.k8s.io",
  "scheduling.k8s.io",
  "storage.k8s.io",
  "node.k8s.io",
  "networking.k8s.io",
  "coordination.k8s.io",
  "discovery.k8s.io",
  "events.k8s.io",
]);

/** What people read is bounded: some controllers put whole logs into a condition. */
const longestMessage = 1000;

/** Readers by `group/Kind`, made when the kind is met first: a cluster uses a few dozen of some hundred. */
const made = new Map<string, Reader>();
const mostMade = 2000;

/** Whether the kind's health can be read from its metadata alone, so that its body need not be watched. */
export function isPlainKind(kind: GroupKind): boolean {
  if (readerOf(kind) !== undefined) return false;
  const rule = ruleTextOf(kind);
  return rule === undefined ? plainGroups.has(kind.group) : rule === "Healthy";
}

/** The verdict on one live object. Never throws, whatever the status holds. */
export function readHealth(object: Manifest): Health {
  if (object.metadata.deletionTimestamp !== undefined) return verdict("Progressing", "being deleted");
  const health = readerFor(groupKindOf(object))(object);
  if (health.message.length <= longestMessage) return health;
  return { ...health, message: `${health.message.slice(0, longestMessage)}…` };
}

function readerFor(kind: GroupKind): Reader {
  const name = `${kind.group}/${kind.kind}`;
  const known = made.get(name);
  if (known !== undefined) return known;
  const reader = readerOf(kind) ?? ruleReader(kind);
  if (made.size < mostMade) made.set(name, reader);
  return reader;
}

function ruleReader(kind: GroupKind): Reader {
  const text = ruleTextOf(kind);
  if (text === undefined) return plainGroups.has(kind.group) ? () => verdict("Healthy") : genericHealth;
  const rule = parseRule(text);
  return (object) => applyRule(rule, object);
}

/**
 * kstatus for any other kind: behind; `Reconciling`, `Stalled`; then `Ready`. Stricter than kstatus in one way: a `Ready`
 * that was observed for an older generation is no success (fluxcd/flux2#5855). A kind that shows no condition at all is
 * healthy when it exists.
 */
export function genericHealth(object: Manifest): Health {
  if (isBehind(object)) return verdict("Progressing", "waiting for the controller to see the newest spec");
  for (const condition of conditionsOf(object)) {
    if (condition.status !== "True") continue;
    if (condition.type === "Reconciling") return verdict("Progressing", conditionText(condition));
    if (condition.type === "Stalled") return verdict("Degraded", conditionText(condition));
  }
  const ready = conditionOf(object, "Ready");
  if (ready === undefined) return verdict("Healthy");
  const { generation } = object.metadata;
  if (ready.observedGeneration !== undefined && generation !== undefined && ready.observedGeneration < generation) {
    return verdict("Progressing", "waiting for the controller to see the newest spec");
  }
  if (ready.status === "True") return verdict("Healthy");
  return verdict("Progressing", conditionText(ready));
}
