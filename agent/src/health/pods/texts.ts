import { clipped } from "./model.ts";

type Rule = readonly [pattern: RegExp, text: string];

/** What Kubernetes and container runtimes say of a pull that failed, in the order of trust. */
const pulls: readonly Rule[] = [
  [/toomanyrequests|too many requests|rate limit/i, "the registry's rate limit is reached"],
  [/x509|certificate/i, "the registry's certificate is not trusted"],
  [/no match for platform|no matching manifest/i, "it is not made for this node's platform"],
  [/no space left/i, "the node's disk is full"],
  [/may require|pull access denied/i, "not found, or the registry wants credentials for it"],
  [/unauthorized|authentication required|no basic auth|denied|forbidden|\b40[13]\b/i, "the registry refuses access"],
  [/not found|manifest unknown|NotFound|does not exist/i, "not found"],
  [
    /no such host|dial tcp|connection refused|i\/o timeout|TLS handshake|deadline exceeded|unreachable/i,
    "the registry cannot be reached",
  ],
];

/** Why an image could not be pulled; empty where the message only says that it is tried again later. */
export function pullText(message: string): string {
  const rest = message.replace(/^Back-off pulling image "[^"]*":?\s*/, "").replace(/^ErrImagePull:?\s*/, "");
  if (rest === "") return "";
  return (
    pulls.find(([pattern]) => pattern.test(rest))?.[1] ?? clipped(rest.replace(/^rpc error: code = \w+ desc = /, ""))
  );
}

const misfits: readonly Rule[] = [
  [/^Insufficient (\S+)$/, "too little $1"],
  [/^Too many pods$/, "full of pods"],
  [/^node\(s\) had untolerated taint \{(.*?):? ?\}$/, "taint $1 not tolerated"],
  [/^node\(s\) had taints? \{(.*?):? ?\}, that the pod didn't tolerate$/, "taint $1 not tolerated"],
  [/^node\(s\) didn't match Pod's node affinity(?:\/selector)?$/, "labels that its node selector does not match"],
  [/^node\(s\) didn't match pod anti-affinity rules$/, "its anti-affinity against"],
  [/^node\(s\) didn't match pod affinity rules$/, "no pod that its affinity wants near"],
  [/^node\(s\) didn't match pod topology spread constraints.*$/, "too uneven a spread"],
  [/^node\(s\) had volume node affinity conflict$/, "its volume elsewhere"],
  [/^node\(s\) didn't have free ports for the requested pod ports$/, "its host port taken"],
  [/^node\(s\) were unschedulable$/, "cordoned"],
];

/** Why no node takes a pod, from the scheduler's message: `fits on none of 3 nodes: 3 with too little cpu`. */
export function schedulingText(message: string): { readonly verbs: string; readonly rest: string } {
  const claim = /persistentvolumeclaim "([^"]+)" not found/.exec(message)?.[1];
  if (claim !== undefined) {
    return { verbs: "needs|need", rest: `PersistentVolumeClaim ${claim}, which does not exist` };
  }
  if (/unbound immediate PersistentVolumeClaims/.test(message)) {
    return { verbs: "waits|wait", rest: "for a PersistentVolumeClaim to be bound" };
  }
  const [, nodes, reasons] = /^0\/(\d+) nodes are available: (.*?)\.?(?: preemption: .*)?$/s.exec(message) ?? [];
  if (nodes === "0" || /no nodes available/.test(message)) {
    return { verbs: "cannot|cannot", rest: "be scheduled: the cluster has no node" };
  }
  if (nodes === undefined || reasons === undefined) {
    return { verbs: "cannot|cannot", rest: `be scheduled${message === "" ? "" : `: ${clipped(message)}`}` };
  }
  // A taint's own text may hold commas; a reason begins with its number.
  const parts = reasons.split(/, (?=\d+ )/).map(misfitText);
  return {
    verbs: "fits|fit",
    rest: `on none of ${nodes} node${nodes === "1" ? "" : "s"}: ${clipped(parts.join(", "))}`,
  };
}

function misfitText(part: string): string {
  const [, count, reason = part] = /^(\d+) (.*?)\.?$/s.exec(part) ?? [];
  if (count === undefined) return reason;
  const rule = misfits.find(([pattern]) => pattern.test(reason));
  if (rule === undefined) return `${count} ${reason}`;
  const text = reason.replace(rule[0], rule[1]);
  return text === "cordoned" || text.startsWith("full") ? `${count} ${text}` : `${count} with ${text}`;
}

/** Why the API server refused to make a pod. */
export function makingText(message: string): string {
  const [, quota, used = "", limited = ""] =
    /exceeded quota: ([^,]+), requested: .*?, used: (.*?), limited: (.*)$/s.exec(message) ?? [];
  if (quota !== undefined) return `quota ${quota} is used up (${usedText(used, limited)})`;
  const [, wanting, fields = ""] = /failed quota: ([^:]+): must specify (.*)$/s.exec(message) ?? [];
  if (wanting !== undefined) return `quota ${wanting} asks for requests and limits: ${clipped(fields)}`;
  const [, level, faults = ""] = /violates PodSecurity "([^:"]+)[^"]*": (.*)$/s.exec(message) ?? [];
  if (level !== undefined) return `Pod Security "${level}" forbids ${clipped(faults)}`;
  const account = /serviceaccount "([^"]+)" not found/.exec(message)?.[1];
  if (account !== undefined) return `service account ${account} does not exist`;
  const priority = /no PriorityClass with name (\S+) was found/.exec(message)?.[1];
  if (priority !== undefined) return `PriorityClass ${priority} does not exist`;
  const [, denying, why = ""] = /admission webhook "([^"]+)" denied the request:? ?(.*)$/s.exec(message) ?? [];
  if (denying !== undefined) return `admission webhook ${denying} refuses them${why === "" ? "" : `: ${clipped(why)}`}`;
  const silent = /failed calling webhook "([^"]+)"/.exec(message)?.[1];
  if (silent !== undefined) return `admission webhook ${silent} does not answer`;
  return clipped(message.replace(/^.*? is forbidden: /s, "").replace(/^\[(.*)\]$/s, "$1"));
}

/** `pods=2,cpu=1` and `pods=2,cpu=2` → `pods 2 of 2, cpu 1 of 2`. */
function usedText(used: string, limited: string): string {
  const of = new Map(limited.split(",").map((each) => split(each)));
  return used
    .split(",")
    .map((each) => split(each))
    .map(([name, amount]) => `${name} ${amount} of ${of.get(name) ?? "?"}`)
    .join(", ");
}

function split(text: string): readonly [string, string] {
  const [name = "", amount = ""] = text.split("=");
  return [name.trim(), amount.trim()];
}

/** Exit codes above 128 are signals; 126 and 127 are the shell's. */
const exits: Readonly<Record<number, string>> = {
  126: "not executable",
  127: "command not found",
  134: "aborted",
  137: "killed",
  139: "memory fault",
  143: "asked to end",
};

/** `exits with code 127 (command not found)`. */
export function exitText(code: number): string {
  return `exits with code ${code}${exits[code] === undefined ? "" : ` (${exits[code]})`}`;
}

/**
 * Why a probe fails. What an exec probe or an HTTP body says is left out: it is the program's own output, and may hold
 * anything.
 */
export function probeText(message: string): string {
  const status = /HTTP probe failed with statuscode: (\d+)/.exec(message)?.[1];
  if (status !== undefined) return `HTTP ${status}`;
  if (/connection refused/.test(message)) return "connection refused";
  if (/deadline exceeded|timeout|timed out/i.test(message)) return "no answer in time";
  const grpc = /responded with "?([A-Z_]+)/.exec(message)?.[1];
  if (grpc !== undefined) return `gRPC ${grpc}`;
  if (/no such host|no route to host|dial tcp/.test(message)) return "cannot be reached";
  return /Get "https?:/.test(message) ? "HTTP request fails" : "its command fails";
}
