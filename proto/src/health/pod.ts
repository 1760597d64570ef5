import { conditionOf, type Fields, mapAt, mapsAt, numberAt, textAt, verdict } from "./fields.ts";
import type { Health, Manifest } from "./model.ts";

/** Pod, in Argo CD's order: waiting reasons under restart policy Always, then the phase. */
export function podHealth(object: Manifest): Health {
  const always = textAt(mapAt(object, "spec"), "restartPolicy") === "Always";
  const failing = always ? failingContainer(object) : undefined;
  if (failing !== undefined) return verdict("Degraded", failing);
  const status = mapAt(object, "status");
  switch (textAt(status, "phase")) {
    case "Pending":
      return verdict("Progressing", pendingText(object));
    case "Succeeded":
      return verdict("Healthy");
    case "Failed":
      return verdict("Degraded", failedText(object));
    case "Running":
      return always ? runningHealth(object) : verdict("Progressing", "running to its end");
    default:
      return verdict("Unknown", "the pod has no phase");
  }
}

/** What keeps a container from starting: `app: ImagePullBackOff: …`. */
function failingContainer(object: Manifest): string | undefined {
  for (const container of containersOf(object)) {
    const reason = textAt(mapAt(container, "state", "waiting"), "reason");
    if (/^Err|Error$|BackOff$/.test(reason)) {
      const message = textAt(mapAt(container, "state", "waiting"), "message");
      return `${textAt(container, "name")}: ${reason}${message === "" ? "" : `: ${message}`}`;
    }
  }
  return undefined;
}

function pendingText(object: Manifest): string {
  const scheduled = conditionOf(object, "PodScheduled");
  if (scheduled?.status === "False") return `not scheduled: ${scheduled.message || scheduled.reason}`;
  for (const container of containersOf(object)) {
    const reason = textAt(mapAt(container, "state", "waiting"), "reason");
    if (reason !== "") return `${textAt(container, "name")}: ${reason}`;
  }
  return "pending";
}

function failedText(object: Manifest): string {
  const status = mapAt(object, "status");
  const message = textAt(status, "message");
  if (message !== "") return message;
  for (const container of containersOf(object)) {
    const ended = mapAt(container, "state", "terminated");
    if (ended["exitCode"] === undefined || numberAt(ended, "exitCode") === 0) continue;
    const name = textAt(container, "name");
    if (textAt(ended, "message") !== "") return `${name}: ${textAt(ended, "message")}`;
    if (textAt(ended, "reason") === "OOMKilled") return `${name}: OOMKilled`;
    return `${name} failed with exit code ${numberAt(ended, "exitCode")}`;
  }
  return textAt(status, "reason");
}

function runningHealth(object: Manifest): Health {
  if (conditionOf(object, "Ready")?.status === "True") return verdict("Healthy");
  for (const container of containersOf(object)) {
    const last = mapAt(container, "lastState", "terminated");
    if (Object.keys(last).length === 0) continue;
    const reason = textAt(last, "reason");
    const code = numberAt(last, "exitCode");
    return verdict(
      "Degraded",
      `${textAt(container, "name")} ended with exit code ${code}${reason === "" ? "" : ` (${reason})`}`,
    );
  }
  return verdict("Progressing", "not ready yet");
}

function containersOf(object: Manifest): readonly Fields[] {
  const status = mapAt(object, "status");
  return [...mapsAt(status, "initContainerStatuses"), ...mapsAt(status, "containerStatuses")];
}
