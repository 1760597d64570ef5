import { type Fields, isMap, mapAt, mapsAt, statusText, textAt, verdict } from "./fields.ts";
import type { Health, HealthStatus, Manifest } from "./model.ts";

// Gateway API: what is attached to several parents has a list of conditions for each of them.

/** Gateway: its own conditions, then each listener's. */
export function gatewayHealth(object: Manifest): Health {
  const status = mapAt(object, "status");
  const listeners = mapsAt(status, "listeners");
  const own = mapsAt(status, "conditions");
  const first = [
    judged(own, ""),
    ...listeners.map((one) => judged(mapsAt(one, "conditions"), `listener ${textAt(one, "name")}: `)),
  ].find((health) => health !== undefined);
  if (first !== undefined) return first;
  if (own.length === 0 && listeners.length === 0) return verdict("Progressing", "waiting for its first status");
  if (own.some((one) => isOld(one, object)))
    return verdict("Progressing", "waiting for the controller to see the newest spec");
  return verdict("Healthy");
}

/** HTTPRoute and its kin: healthy when a parent has accepted the newest generation and none refuses it. */
export function routeHealth(object: Manifest): Health {
  let accepted = false;
  for (const parent of mapsAt(mapAt(object, "status"), "parents")) {
    const conditions = mapsAt(parent, "conditions");
    if (conditions.length === 0 || conditions.some((one) => isOld(one, object))) continue;
    const health = judged(conditions, `parent ${textAt(mapAt(parent, "parentRef"), "name")}: `);
    if (health !== undefined) return health;
    accepted = true;
  }
  return accepted ? verdict("Healthy") : verdict("Progressing", "no parent has answered yet");
}

/** BackendTLSPolicy and other policies: every ancestor must have accepted it. */
export function policyHealth(object: Manifest): Health {
  const ancestors = mapsAt(mapAt(object, "status"), "ancestors");
  const named = (one: Fields) => `ancestor ${textAt(mapAt(one, "ancestorRef"), "name")}: `;
  const old = ancestors.find((one) => mapsAt(one, "conditions").some((condition) => isOld(condition, object)));
  if (old !== undefined) return verdict("Progressing", `${named(old)}has not seen the newest spec`);
  for (const ancestor of ancestors) {
    const conditions = mapsAt(ancestor, "conditions");
    if (conditions.length === 0) return verdict("Progressing", `${named(ancestor)}has not answered yet`);
    for (const type of ["Accepted", "ResolvedRefs"]) {
      const found = conditions.find((one) => one["type"] === type);
      const bad = found === undefined ? type === "Accepted" : statusText(found["status"]) !== "True";
      if (bad) return verdict("Degraded", `${named(ancestor)}${said(found) || "not accepted"}`);
    }
  }
  return ancestors.length > 0 ? verdict("Healthy") : verdict("Progressing", "no ancestor has answered yet");
}

/** A condition that refuses, or one that says it is not in place yet. */
function judged(conditions: readonly Fields[], who: string): Health | undefined {
  const rules: readonly (readonly [type: string, status: HealthStatus])[] = [
    ["ResolvedRefs", "Degraded"],
    ["Accepted", "Degraded"],
    ["Programmed", "Progressing"],
  ];
  for (const [type, status] of rules) {
    const bad = conditions.find(
      (one) =>
        one["type"] === type &&
        (statusText(one["status"]) === "False" || (status === "Progressing" && statusText(one["status"]) !== "True")),
    );
    if (bad !== undefined) return verdict(status, `${who}${said(bad)}`);
  }
  return undefined;
}

function said(condition: Fields | undefined): string {
  if (!isMap(condition)) return "";
  return textAt(condition, "message") || textAt(condition, "reason");
}

function isOld(condition: Fields, object: Manifest): boolean {
  const observed = condition["observedGeneration"];
  const { generation } = object.metadata;
  return typeof observed === "number" && typeof generation === "number" && observed !== generation;
}
