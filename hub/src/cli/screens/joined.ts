import type { TargetView } from "@capstan/proto/application";
import type { AddClusterResponse, Cluster } from "@capstan/proto/fleet";
import { clockText, msOf, span } from "../age.ts";
import { counted, type Look, wrapped } from "../look.ts";

/** How to use a join token that was just made. */
export function invitation(id: string, added: AddClusterResponse, at: { look: Look; tokenFile?: string }): string[] {
  const { look, tokenFile } = at;
  const ends = msOf(added.expiresAt) ?? look.now;
  const hubs = added.hubEndpoints.map((hub) => ` --hub ${hub}`).join("");
  const from = tokenFile ?? "-";
  const pasting = tokenFile === undefined ? "     (paste the token; shows what it will create, then installs)" : "";
  return [
    `${id} may join once, until ${clockText(ends, look.now, look.utcOffset).replace(/:\d\d$/, "")} (${span(Math.round((ends - look.now) / 5000) * 5000)}).`,
    "",
    ...(tokenFile === undefined ? ["Its token, shown only now:", added.token, ""] : []),
    "Run this where kubectl points at the cluster:",
    `  capstan cluster join ${id}${hubs} --token-file ${from} --context ${id}`,
    ...(pasting === "" ? [] : [`  ${pasting.trim()}`]),
    "or pipe the manifest yourself:",
    `  capstan cluster manifest ${id}${hubs} --token-file ${from} | kubectl apply -f -`,
  ];
}

/** What a cluster said of itself when it joined, and what comes to it. */
export function joinedLines(cluster: Cluster, targets: readonly TargetView[] | undefined, look: Look): string[] {
  const { facts, id } = cluster;
  const write = facts?.writableNamespaces ?? [];
  const says = [
    `Kubernetes ${facts?.kubernetesVersion || "of an unknown version"}`,
    counted(facts?.nodes ?? 0, "node"),
    `agent ${cluster.agentVersion || "unknown"}`,
    `may write: ${write.includes("*") ? "all namespaces" : write.join(", ") || "unknown"}`,
  ].join(", ");
  return [...wrapped(says, look.width - 2).map((line) => `  ${line}`), ...matchLines(id, targets, look)];
}

function matchLines(id: string, targets: readonly TargetView[] | undefined, look: Look): string[] {
  if (targets === undefined) return [];
  if (targets.length === 0) return ["  nothing matches it yet"];
  const sets = new Set(targets.map(({ set, name }) => set || name)).size;
  const foreign = targets.filter(({ report }) => (report?.counts?.foreign ?? 0) > 0).length;
  const met =
    foreign === 0
      ? ""
      : ` ${foreign} of them ${foreign === 1 ? "meets" : "meet"} objects that others manage here: they are observed, not touched`;
  const verb = sets === 1 ? "matches" : "match";
  const says = `${counted(sets, "application set")} ${verb} it: ${counted(targets.length, "target")}.${met}`;
  return [...wrapped(says, look.width - 2).map((line) => `  ${line}`), `  (capstan get targets -c ${id})`];
}
