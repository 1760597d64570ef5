import { conditionFields, type Fields, isMap, mapAt, mapsAt, statusText, textAt, verdict } from "./fields.ts";
import type { Health, Manifest } from "./model.ts";

/** GitOps Promoter's PromotionStrategy: every environment at what was proposed. */
export function promotionStrategyHealth(object: Manifest): Health {
  const early = readyFirst(object);
  if (early !== undefined) return early;
  const environments = mapsAt(mapAt(object, "status"), "environments");
  if (environments.length === 0) return verdict("Degraded", "no environment is configured");
  for (const one of environments) {
    if (activeCommit(one) === "") return verdict("Progressing", `${textAt(one, "branch")} has no active commit yet`);
    if (proposedCommit(one) === "")
      return verdict("Progressing", `${textAt(one, "branch")} has no proposed commit yet`);
  }
  if (new Set(environments.map(proposedCommit)).size > 1) {
    return verdict("Progressing", "the environments have different proposed commits: some are not hydrated yet");
  }
  const moving = environments.find((one) => dryCommit(one, "proposed") !== activeCommit(one));
  if (moving === undefined) return verdict("Healthy", openGates(environments));
  return verdict("Progressing", `${textAt(moving, "branch")} is being promoted: ${gates(moving, "proposed")}`);
}

/** GitOps Promoter's ChangeTransferPolicy: one environment. */
export function changeTransferHealth(object: Manifest): Health {
  const early = readyFirst(object);
  if (early !== undefined) return early;
  const status = mapAt(object, "status");
  if (activeCommit(status) === "") return verdict("Progressing", "no active commit yet");
  const proposed = dryCommit(status, "proposed");
  if (proposed === "") return verdict("Progressing", "no proposed commit yet");
  if (proposed === activeCommit(status)) return verdict("Healthy", openGates([status]));
  return verdict("Progressing", `being promoted: ${gates(status, "proposed")}`);
}

/** What must hold before anything else is looked at. */
function readyFirst(object: Manifest): Health | undefined {
  const ready = conditionFields(object).find((one) => one["type"] === "Ready");
  if (ready === undefined) return verdict("Progressing", "waiting for the condition Ready");
  const observed = ready["observedGeneration"];
  if (typeof observed === "number" && observed < (object.metadata.generation ?? 0)) {
    return verdict("Progressing", "waiting for the controller to see the newest spec");
  }
  if (statusText(ready["status"]) !== "False") return undefined;
  return verdict("Degraded", `${textAt(ready, "reason")}: ${textAt(ready, "message")}`);
}

function dryCommit(environment: Fields, side: "active" | "proposed"): string {
  return textAt(mapAt(environment, side, "dry"), "sha");
}

function activeCommit(environment: Fields): string {
  return dryCommit(environment, "active");
}

/** The note tells what was hydrated last, also where the branch did not change. */
function proposedCommit(environment: Fields): string {
  return textAt(mapAt(environment, "proposed", "note"), "drySha") || dryCommit(environment, "proposed");
}

/** `tests pending, scan failure`; empty where every gate is open. */
function gates(environment: Fields, side: "active" | "proposed"): string {
  const statuses = mapAt(environment, side)["commitStatuses"];
  const closed = (Array.isArray(statuses) ? statuses : []).filter(
    (one): one is Fields => isMap(one) && one["phase"] !== "success",
  );
  return closed.map((one) => `${textAt(one, "key")} ${textAt(one, "phase")}`).join(", ") || "all gates are open";
}

function openGates(environments: readonly Fields[]): string {
  const closed = environments.map((one) => gates(one, "active")).filter((text) => text !== "all gates are open");
  return closed.length === 0 ? "" : `up to date, but: ${closed.join("; ")}`;
}
