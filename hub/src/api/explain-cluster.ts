import type { ClusterId } from "@capstan/proto";
import { counted, heldReasons, rowReasons, type Told } from "./explain-reasons.ts";
import { type Told as Because, reason } from "./reasons.ts";
import type { Seen } from "./seen.ts";

/** How a cluster stands, and why where it is not as it should be. */
interface Standing {
  readonly state: string;
  readonly because?: Because;
  readonly advice?: readonly [string, string];
}

/** Why a cluster, or something on it, waits. */
export function explainCluster(id: ClusterId, seen: Seen): Told {
  const { world } = seen;
  const rows = seen.rows.filter((row) => row.cluster === id);
  const { state, because, advice } = standingOf(id, seen);
  const reasons = because === undefined ? [] : [reason(id, because)];
  for (const fault of [world.live.clones(id), world.live.skew(id)]) {
    if (fault === undefined) continue;
    reasons.push(reason(id, { rule: fault.code, message: fault.message, unblock: [fault.next ?? ""] }));
  }
  const refused = world.status.of(id).refused;
  if (refused !== undefined) {
    reasons.push(reason(id, { rule: refused.code, message: refused.message, unblock: [refused.next] }));
  }
  const cordoned = world.clusters.get(id)?.cordoned === true;
  if (cordoned)
    reasons.push(reason(id, { rule: "cordoned", message: `${id} is cordoned: new rollouts do not go there` }));
  reasons.push(...heldReasons(({ cluster }) => cluster === id, seen));
  reasons.push(...rowReasons(rows, seen, reasons));
  return {
    headline: `${id} is ${state}; ${counted(rows.length, "target")}`,
    reasons,
    advice: [
      ...(advice === undefined ? [] : [advice]),
      ...(cordoned ? [[`capstan cluster uncordon ${id}`, "new rollouts go there again"] as const] : []),
    ],
  };
}

function standingOf(id: ClusterId, { world }: Seen): Standing {
  const record = world.clusters.record(id);
  if (world.desk.isRevoked(id)) {
    const unblock = [`capstan cluster add ${id}, and let it join anew`];
    const because = { rule: "revoked", message: `${id} was revoked`, unblock };
    return { state: "revoked: it is cut off, and keeps what it runs", because };
  }
  if (record?.claimed !== undefined) {
    const message = `an agent calls itself ${id} from another Kubernetes cluster (kube-system UID ${record.claimed})`;
    const advice = [`capstan cluster admit ${id}`, "that cluster is the one from now on"] as const;
    return { state: "claimed by another Kubernetes cluster", because: { rule: "wrong-incarnation", message }, advice };
  }
  if (world.clusters.get(id) === undefined) {
    const message = `${id} keeps what it runs and gets nothing new`;
    const advice = [`capstan cluster admit ${id}`, "it belongs to the fleet"] as const;
    return { state: "unknown: nothing names it", because: { rule: "not-admitted", message }, advice };
  }
  if (record?.enrolment === undefined) {
    const advice = [`capstan cluster add ${id}`, "a new join token"] as const;
    const because = { rule: "not-joined", message: `${id} has not joined yet` };
    return { state: "pending: its agent has not joined yet", because, advice };
  }
  if (world.live.isConnected(id)) return { state: "connected" };
  const since = world.status.of(id).lastSeen;
  const because = { rule: "offline", message: `${id} is not connected`, since, unblock: ["its agent connects again"] };
  return { state: "offline; it holds course on its own", because };
}
