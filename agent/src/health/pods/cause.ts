import type { Instant } from "@capstan/proto";
import { conditionOf, mapAt, mapsAt, numberAt, textAt } from "@capstan/proto/verdict";
import type { KubeObject } from "../../inventory/object.ts";
import { cause, clipped, type PodCause, type PodEvent } from "./model.ts";
import { exitText, makingText, probeText, pullText, schedulingText } from "./texts.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A pod that is still there so long after its own deadline for ending is stuck, in milliseconds. */
const stuckAfter = 60_000;

/** A pod and what else was found of it. */
export interface PodSeen {
  readonly pod: KubeObject;
  /** Its events, in any order; empty where they were not asked for. */
  readonly events: readonly PodEvent[];
  readonly now: Instant;
}

/**
 * What keeps a pod from working; undefined where nothing does, or nothing tells yet. What programs print (termination
 * messages, output of probes) is never taken over: it may hold anything.
 */
export function podCause(seen: PodSeen): PodCause | undefined {
  const { pod } = seen;
  if (pod.metadata.deletionTimestamp !== undefined) return endingCause(seen);
  const status = mapAt(pod, "status");
  switch (textAt(status, "phase")) {
    case "Succeeded":
      return undefined;
    case "Failed":
      return failedCause(pod);
    default:
      return scheduleCause(pod) ?? containersCause(seen) ?? waitingCause(seen) ?? unreadyCause(seen);
  }
}

/** Whether events may tell more of this pod than it tells itself. */
export function wantsEvents(pod: KubeObject): boolean {
  if (pod.metadata.deletionTimestamp !== undefined || isWell(pod)) return false;
  const found = podCause({ pod, events: [], now: 0 });
  if (found === undefined || found.reason === "CrashLoopBackOff") return true;
  return found.step === "image" && !found.one.includes(": ");
}

/** Whether a pod is ready, or has ended well. */
function isWell(pod: KubeObject): boolean {
  return textAt(mapAt(pod, "status"), "phase") === "Succeeded" || conditionOf(pod, "Ready")?.status === "True";
}

/** Why pods of a workload cannot be made, as its own condition or an event says. */
export function makingCause(message: string): PodCause {
  return cause("making", "FailedCreate", "cannot|cannot", `be made: ${makingText(message)}`);
}

function endingCause({ pod, now }: PodSeen): PodCause | undefined {
  const since = Date.parse(pod.metadata.deletionTimestamp ?? "");
  if (!(now - since > stuckAfter)) return undefined;
  const { finalizers = [] } = pod.metadata;
  if (finalizers.length > 0)
    return cause("ending", "Terminating", "waits|wait", `to be removed: held by ${finalizers.join(", ")}`);
  const node = textAt(mapAt(pod, "spec"), "nodeName");
  return cause("ending", "Terminating", "does not end|do not end", `on node ${node || "?"}, which does not answer`);
}

function failedCause(pod: KubeObject): PodCause | undefined {
  const status = mapAt(pod, "status");
  const reason = textAt(status, "reason");
  const message = textAt(status, "message");
  if (reason === "Evicted") {
    const what = /low on resource: ([\w-]+)/.exec(message)?.[1];
    return cause(
      "running",
      reason,
      "was evicted|were evicted",
      what === undefined ? clipped(message) : `: the node is low on ${what}`,
    );
  }
  if (reason === "DeadlineExceeded") return cause("running", reason, "ran|ran", "longer than activeDeadlineSeconds");
  if (reason === "NodeLost") return cause("running", reason, "is lost|are lost", "with its node");
  for (const container of containersOf(pod)) {
    const ended = mapAt(container.status, "state", "terminated");
    if (numberAt(ended, "exitCode") !== 0) return endedCause(pod, container, ended);
  }
  if (reason === "") return cause("running", "Failed", "failed|failed", "");
  return cause("scheduling", reason, "was refused|were refused", `by the node: ${clipped(message || reason)}`);
}

function endedCause(pod: KubeObject, container: Container, ended: Fields): PodCause {
  const reason = textAt(ended, "reason") || "Error";
  if (reason === "OOMKilled") return memoryCause(pod, container, 0);
  return cause("running", reason, "failed|failed", `: ${container.title} ${exitText(numberAt(ended, "exitCode"))}`);
}

function scheduleCause(pod: KubeObject): PodCause | undefined {
  const scheduled = conditionOf(pod, "PodScheduled");
  if (scheduled?.status !== "False") return undefined;
  if (scheduled.reason === "SchedulingGated") {
    const gates = mapsAt(mapAt(pod, "spec"), "schedulingGates").map((gate) => textAt(gate, "name"));
    return cause("scheduling", scheduled.reason, "waits|wait", `for scheduling gate ${gates.join(", ") || "?"}`);
  }
  const { verbs, rest } = schedulingText(scheduled.message);
  return cause("scheduling", scheduled.reason || "Unschedulable", verbs, rest);
}

interface Container {
  readonly name: string;
  /** `container app`, `init container migrate`. */
  readonly title: string;
  readonly status: Fields;
}

function containersOf(pod: KubeObject): readonly Container[] {
  const status = mapAt(pod, "status");
  const titled = (field: string, word: string) =>
    mapsAt(status, field).map((each) => ({
      name: textAt(each, "name"),
      title: `${word} ${textAt(each, "name")}`,
      status: each,
    }));
  return [...titled("initContainerStatuses", "init container"), ...titled("containerStatuses", "container")];
}

function specOf(pod: KubeObject, name: string): Fields {
  const spec = mapAt(pod, "spec");
  const all = [...mapsAt(spec, "initContainers"), ...mapsAt(spec, "containers")];
  return all.find((each) => textAt(each, "name") === name) ?? {};
}

function containersCause(seen: PodSeen): PodCause | undefined {
  for (const container of containersOf(seen.pod)) {
    const found = containerCause(seen, container);
    if (found !== undefined) return found;
  }
  return undefined;
}

function containerCause(seen: PodSeen, container: Container): PodCause | undefined {
  const { pod } = seen;
  const waiting = mapAt(container.status, "state", "waiting");
  const reason = textAt(waiting, "reason");
  const message = textAt(waiting, "message");
  const image = textAt(specOf(pod, container.name), "image") || textAt(container.status, "image");
  switch (reason) {
    case "ErrImagePull":
    case "ImagePullBackOff":
    case "RegistryUnavailable":
    case "SignatureValidationFailed":
      return pullCause(seen, image, { reason, message });
    case "ErrImageNeverPull":
      return cause("image", reason, "cannot|cannot", `start: image ${image} is not on the node, and is never pulled`);
    case "InvalidImageName":
      return cause("image", reason, "cannot|cannot", `start: ${JSON.stringify(image)} is no name of an image`);
    case "ImageInspectError":
      return cause("image", reason, "cannot|cannot", `start: the node cannot read image ${image}`);
    case "CreateContainerConfigError":
    case "CreateContainerError":
    case "RunContainerError":
      return cause("starting", reason, "cannot|cannot", `start ${container.title}: ${startText(message, reason)}`);
    case "PostStartHookError":
      return cause("starting", reason, "cannot|cannot", `start ${container.title}: its postStart hook fails`);
    case "CrashLoopBackOff":
      return crashCause(seen, container, reason);
    default:
      return restartedCause(seen, container);
  }
}

function pullCause(
  { events }: PodSeen,
  image: string,
  waiting: { readonly reason: string; readonly message: string },
): PodCause {
  const told = events.filter(({ message }) => message.startsWith("Failed to pull image")).sort((a, b) => b.at - a.at);
  const why = pullText(waiting.message) || pullText(told[0]?.message ?? "");
  return cause("image", waiting.reason, "cannot|cannot", `pull image ${image}${why === "" ? "" : `: ${why}`}`);
}

function startText(message: string, reason: string): string {
  const missing = /exec: "([^"]+)": (executable file not found|permission denied|no such file)/.exec(message);
  if (missing !== null)
    return `its command ${missing[1]} ${missing[2] === "permission denied" ? "may not be run" : "does not exist"}`;
  const [, key, kind, name] = /couldn't find key (\S+) in (ConfigMap|Secret) (?:\S+\/)?(\S+)/.exec(message) ?? [];
  if (key !== undefined) return `${kind} ${name} has no key ${key}`;
  const [, absent, called] = /(configmap|secret) "([^"]+)" not found/i.exec(message) ?? [];
  if (absent !== undefined)
    return `${absent.toLowerCase() === "secret" ? "Secret" : "ConfigMap"} ${called} does not exist`;
  if (/runAsNonRoot/.test(message)) return "runAsNonRoot is set, and the image runs as root";
  return clipped(message) || reason;
}

function crashCause(seen: PodSeen, container: Container, reason: string): PodCause {
  const restarts = numberAt(container.status, "restartCount");
  const last = mapAt(container.status, "lastState", "terminated");
  const ended = Object.keys(last).length > 0 ? last : mapAt(container.status, "state", "terminated");
  if (textAt(ended, "reason") === "OOMKilled") return memoryCause(seen.pod, container, restarts);
  const start = /^(StartError|ContainerCannotRun)$/.exec(textAt(ended, "reason"));
  if (start !== null) {
    const text = startText(textAt(ended, "message"), start[0]);
    return { ...cause("starting", start[0], "cannot|cannot", `start ${container.title}: ${text}`), restarts };
  }
  const probe = probeOf(seen, "Liveness") ?? probeOf(seen, "Startup");
  if (probe !== undefined) {
    return { ...cause("running", reason, "is restarted|are restarted", `again and again: ${probe}`), restarts };
  }
  const code = numberAt(ended, "exitCode");
  const how = code === 0 ? "ends by itself (code 0)" : exitText(code);
  return { ...cause("running", reason, "crashes|crash", `: ${container.title} ${how}`), restarts };
}

function memoryCause(pod: KubeObject, { name, title }: Container, restarts: number): PodCause {
  const limit = textAt(mapAt(specOf(pod, name), "resources", "limits"), "memory");
  const rest = `out of memory: ${title} is killed${limit === "" ? "" : ` at its limit of ${limit}`}`;
  return { ...cause("running", "OOMKilled", "runs|run", rest), restarts };
}

/** It runs again, is not ready, and has crashed before. */
function restartedCause(seen: PodSeen, container: Container): PodCause | undefined {
  const last = mapAt(container.status, "lastState", "terminated");
  if (container.status["ready"] === true || Object.keys(last).length === 0) return undefined;
  if (textAt(last, "reason") === "Completed" && container.title.startsWith("init")) return undefined;
  return crashCause(seen, container, "Restarting");
}

function probeOf({ events }: PodSeen, kind: "Liveness" | "Readiness" | "Startup"): string | undefined {
  const told = events
    .filter(({ reason, message }) => reason === "Unhealthy" && message.startsWith(`${kind} probe`))
    .sort((a, b) => b.at - a.at)[0];
  return told === undefined ? undefined : `${kind.toLowerCase()} probe fails (${probeText(told.message)})`;
}

/** Waits on its node for a volume, or for a network: only events tell. */
function waitingCause({ pod, events }: PodSeen): PodCause | undefined {
  if (textAt(mapAt(pod, "status"), "phase") === "Running") return undefined;
  const newest = [...events].sort((a, b) => b.at - a.at);
  for (const { reason, message } of newest) {
    if (reason === "FailedMount" || reason === "FailedAttachVolume") return volumeCause(reason, message);
    if (reason === "FailedCreatePodSandBox") {
      const why = message.replace(/^.*?desc = /s, "");
      return cause("starting", reason, "gets|get", `no network or sandbox on the node: ${clipped(why)}`);
    }
  }
  return undefined;
}

function volumeCause(reason: string, message: string): PodCause {
  const volume = /for volume "([^"]+)"/.exec(message)?.[1] ?? "";
  const title = `volume${volume === "" ? "" : ` ${volume}`}`;
  if (/Multi-Attach/.test(message)) {
    return cause("volumes", reason, "cannot|cannot", `attach ${title}: it is still attached to another node`);
  }
  const why = startText(message.replace(/^.*?for volume "[^"]+" ?: ?/s, ""), reason);
  return cause("volumes", reason, "cannot|cannot", `${reason === "FailedMount" ? "mount" : "attach"} ${title}: ${why}`);
}

/** Runs, and is not ready. */
function unreadyCause(seen: PodSeen): PodCause | undefined {
  const { pod } = seen;
  if (textAt(mapAt(pod, "status"), "phase") !== "Running" || isWell(pod)) return undefined;
  const gates = mapsAt(mapAt(pod, "spec"), "readinessGates").map((gate) => textAt(gate, "conditionType"));
  const closed = gates.filter((gate) => conditionOf(pod, gate)?.status !== "True");
  if (closed.length > 0 && conditionOf(pod, "ContainersReady")?.status === "True") {
    return cause("ready", "ReadinessGate", "waits|wait", `for readiness gate ${closed.join(", ")}`);
  }
  const probe = probeOf(seen, "Startup") ?? probeOf(seen, "Readiness");
  return probe === undefined ? undefined : cause("ready", "Unhealthy", "runs|run", `but not ready: ${probe}`);
}
