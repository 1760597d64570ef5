import type { Cluster } from "@capstan/proto/fleet";
import { ageCell, dateText, msOf, sinceText } from "../age.ts";
import { type Look, toned } from "../look.ts";
import { labelsText } from "../names.ts";
import type { Column } from "../table.ts";
import { modeWord, stateTone, stateWord } from "../words.ts";
import { faultLines } from "./fault.ts";

/** Columns of a list of clusters. */
export function clusterColumns({ now }: Look): readonly Column<Cluster>[] {
  return [
    { head: "CLUSTER", cell: ({ id }) => id },
    {
      head: "STATE",
      cell: ({ state, cordoned }) => `${stateWord(state)}${cordoned ? ",cordoned" : ""}`,
      tone: ({ state }) => stateTone(stateWord(state)),
    },
    { head: "SEEN", cell: ({ lastSeen }) => ageCell(lastSeen, now) },
    { head: "KUBERNETES", cell: ({ facts }) => facts?.kubernetesVersion || "-" },
    { head: "TARGETS", cell: ({ targets }) => String(targets?.total ?? 0) },
    { head: "HEALTHY", cell: ({ targets }) => String(targets?.healthy ?? 0) },
    { head: "SYNCED", cell: ({ targets }) => String(targets?.synced ?? 0) },
    { head: "MODE", cell: ({ mode }) => modeWord(mode) },
    { head: "LABELS", cell: ({ labels }) => labelsText(labels), gives: true },
    { head: "AGENT", cell: ({ agentVersion }) => agentVersion || "-", wide: true },
    { head: "NODES", cell: ({ facts }) => String(facts?.nodes ?? "-"), wide: true },
    { head: "REVISION", cell: ({ heldRevision, desiredRevision }) => `${heldRevision}/${desiredRevision}`, wide: true },
    { head: "DECLARED", cell: ({ declaredIn }) => declaredIn || "-", wide: true },
  ];
}

/** A cluster with all that is known of it. */
export function clusterScreen(cluster: Cluster, look: Look): string[] {
  const { now, utcOffset } = look;
  const { facts, targets, argocdName, argocdServer, heldRevision, desiredRevision } = cluster;
  const seen = msOf(cluster.lastSeen);
  const state = stateWord(cluster.state);
  const lines: readonly (readonly [string, string])[] = [
    [
      "state",
      `${toned(look, stateTone(state), state)}${sinceText(cluster.stateSince, now)}${cluster.cordoned ? ", cordoned: new rollouts do not go there" : ""}`,
    ],
    [
      "last seen",
      seen === undefined ? "never" : `${dateText(seen, utcOffset)} (${ageCell(cluster.lastSeen, now)} ago)`,
    ],
    ["labels", labelsText(cluster.labels)],
    ["annotations", labelsText(cluster.annotations)],
    ["mode", modeWord(cluster.mode)],
    ["declared in", cluster.declaredIn || "-"],
    ["Argo CD", `name ${argocdName || "-"}, server ${argocdServer || "-"}`],
    ["Kubernetes", factsText(cluster)],
    ["agent", cluster.agentVersion || "-"],
    ["incarnation", cluster.incarnation || "-"],
    ["revision", `${heldRevision} held, ${desiredRevision} desired`],
    [
      "targets",
      `${targets?.total ?? 0}: ${targets?.healthy ?? 0} healthy, ${targets?.degraded ?? 0} degraded, ${targets?.synced ?? 0} synced, ${targets?.drifted ?? 0} drifted`,
    ],
    ...(facts === undefined || facts.otherManagers.length === 0
      ? []
      : [["also here", facts.otherManagers.join(", ")] as const]),
  ];
  return [
    toned(look, "strong", cluster.id),
    ...lines.map(([name, text]) => `  ${name.padEnd(12)} ${text}`),
    ...cluster.problems.flatMap((problem) => faultLines(problem, look, "  ")),
  ];
}

/** `v1.35.4, 12 nodes` */
export function factsText({ facts }: Cluster): string {
  if (facts === undefined) return "-";
  return `${facts.kubernetesVersion || "unknown version"}, ${facts.nodes} ${facts.nodes === 1 ? "node" : "nodes"}${facts.platform === "" ? "" : `, ${facts.platform}`}`;
}
