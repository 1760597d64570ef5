import type { GetFleetStatusResponse, Look as Looked, RolloutLine } from "@capstan/proto/fleet";
import { msOf, sinceText } from "../age.ts";
import { asOfLine } from "../answer.ts";
import { counted, type Look, type Tone, toned, wrapped } from "../look.ts";
import { beyondState, releaseText } from "../names.ts";
import { stateTone } from "../words.ts";
import { faultLine, faultNext } from "./fault.ts";

const offlineShown = 3;

/** The fleet on one screen: clusters, targets, rollouts, and what needs a look, worst first. */
export function statusScreen(status: GetFleetStatusResponse, look: Look): string[] {
  const lead = Math.max(14, `${counted(status.targets?.total ?? 0, "target")}   `.length);
  return [
    ...clustersLine(status, look, lead),
    ...targetLines(status, look, lead),
    ...(status.problems.length === 0
      ? []
      : ["", toned(look, "bad", "the hub itself"), ...status.problems.flatMap((each) => problemLines(each, look))]),
    ...rolloutLines(status.rollouts, look, lead),
    ...lookLines(status, look),
    ...asOfLine(msOf(status.asOf), look),
  ];
}

function clustersLine(status: GetFleetStatusResponse, look: Look, lead: number): string[] {
  const { clusters, connected, offline, pending, unknown, revoked, offlineClusters } = status;
  const parts = [toned(look, connected === clusters ? "good" : undefined, `${connected} connected`)];
  if (offline > 0)
    parts.push(`${toned(look, "busy", `${offline} offline`)}${offlineText(offlineClusters, offline, look)}`);
  if (pending > 0) parts.push(`${pending} not joined yet`);
  if (unknown > 0) parts.push(toned(look, "bad", `${unknown} unknown (capstan cluster list)`));
  if (revoked > 0) parts.push(`${revoked} revoked`);
  return flowed(counted(clusters, "cluster").padEnd(lead), parts, "   ", look);
}

function offlineText(list: GetFleetStatusResponse["offlineClusters"], count: number, look: Look): string {
  if (list.length === 0) return "";
  const named = list.slice(0, offlineShown).map(({ id, since }) => {
    const ago = sinceText(since, look.now).replace(/\)$/, "");
    const course = count === 1 ? ", holds course on its own)" : ")";
    return `${id}${ago === "" ? "" : `${ago}${course}`}`;
  });
  const more = count > named.length ? ` and ${count - named.length} more` : "";
  return `: ${named.join(", ")}${more}${count > 1 ? "; they hold course on their own" : ""}`;
}

function targetLines({ targets: counts, looks }: GetFleetStatusResponse, look: Look, lead: number): string[] {
  if (counts === undefined) return [];
  const { total, healthy, progressing, degraded, suspended, missing, unknown } = counts;
  const health = tally(look, [
    ["healthy", healthy, "good"],
    ["progressing", progressing, "busy"],
    ["degraded", degraded, "bad"],
    ["suspended", suspended, undefined],
    ["missing", missing, "bad"],
    ["unknown", unknown, undefined],
  ]);
  const { synced, drifted, moving, waiting, undelivered } = counts;
  const sync = tally(look, [
    ["synced", synced, "good"],
    ["drifted", drifted, "bad"],
    ["moving", moving, "busy"],
    ["waiting", waiting, "busy"],
    ["not delivered", undelivered, undefined],
  ]);
  const head = counted(total, "target").padEnd(lead);
  if (total === 0) {
    const begin = "none yet: capstan apply -f FILE, or a root in the hub's config";
    return [`${head}${looks.length > 0 ? "on any cluster yet: see below, and capstan get targets" : begin}`];
  }
  return [`${head}health: ${health}`, `${" ".repeat(lead)}sync:   ${sync}`];
}

/** Only what is there; the first word always. */
function tally(look: Look, counts: readonly (readonly [string, number, Tone | undefined])[]): string {
  return counts
    .filter(([, count], at) => at === 0 || count > 0)
    .map(([word, count, tone]) => toned(look, count > 0 ? tone : undefined, `${count} ${word}`))
    .join("  ");
}

function rolloutLines(rollouts: readonly RolloutLine[], look: Look, lead: number): string[] {
  return rollouts.flatMap((rollout, at) => {
    const head = (at === 0 ? "rollouts" : "").padEnd(lead);
    const { lane, release, state, stage, stages, stageName, done, clusters, reason } = rollout;
    const where = `stage ${stage}/${stages}${stageName === "" ? "" : ` ${stageName}`}`;
    const parts = [toned(look, "strong", lane), releaseText(release), where, `${done}/${counted(clusters, "cluster")}`];
    const plain = state === "" || state === "Running";
    const word = plain ? "waits" : state.toLowerCase();
    const why =
      reason === undefined ? [] : wrapped(`${word}: ${beyondState(reason.message, state)}`, look.width - lead);
    const alone = plain || why.length > 0 ? [] : [word];
    const tone = stateTone(state);
    return [
      ...flowed(head, parts, "  ", look),
      ...[...why, ...alone].map((text) => `${" ".repeat(lead)}${toned(look, plain ? undefined : tone, text)}`),
    ];
  });
}

function lookLines({ looks, moreLooks }: GetFleetStatusResponse, look: Look): string[] {
  if (looks.length === 0) return [];
  const size = (of: (each: Looked) => string) => Math.max(...looks.map((each) => of(each).length));
  const sizes = [size(({ kind }) => kind), size(nameOf), size(({ cluster }) => cluster)] as const;
  const indent = 2 + sizes[0] + 2 + sizes[1] + 3 + sizes[2] + 3;
  const lines = looks.flatMap((each) => {
    const head = `  ${toned(look, stateTone(each.kind), each.kind)}${" ".repeat(sizes[0] - each.kind.length)}  ${nameOf(each).padEnd(sizes[1])}   ${each.cluster.padEnd(sizes[2])}   `;
    const [first = "", ...rest] = wrapped(lookText(each, look), Math.max(30, look.width - indent)).map(unglued);
    return [`${head}${first}`, ...rest.map((text) => `${" ".repeat(indent)}${text}`)];
  });
  const more = moreLooks === 0 ? [] : [`  and ${moreLooks} more (capstan get targets)`];
  return ["", toned(look, "strong", "needs a look"), ...lines, ...more];
}

/** A whole cluster has no name beside its own. */
function nameOf({ name }: Looked): string {
  return name === "" ? "-" : name;
}

/** What waits says how to learn more; all else since when it is so. */
function lookText({ kind, name, cluster, message, since }: Looked, look: Look): string {
  const asks = ["waiting", "held", "refused"].includes(kind) && !message.includes("(capstan ");
  if (!asks) return `${message}${glued(sinceText(since, look.now))}`;
  return `${message}${glued(` (capstan why ${name}${cluster === "" ? "" : ` -c ${cluster}`})`)}`;
}

const glue = "\u00a0";

/** All but the first word kept on one line. */
function glued(text: string): string {
  return text.slice(0, 1) + text.slice(1).replaceAll(" ", glue);
}

function unglued(text: string): string {
  return text.replaceAll(glue, " ");
}

function problemLines(problem: GetFleetStatusResponse["problems"][number], look: Look): string[] {
  const lines = [faultLine(problem), ...faultNext(problem)];
  return lines.flatMap((text) => wrapped(text, look.width - 2).map((each) => `  ${each}`));
}

/** Parts behind a head, on as many lines as they need. */
function flowed(head: string, parts: readonly string[], between: string, look: Look): string[] {
  const lines: string[] = [];
  let line = head;
  for (const part of parts) {
    const empty = line.trim() === "" || line === head;
    const next = empty ? `${line}${part}` : `${line}${between}${part}`;
    if (!empty && visible(next) > look.width) {
      lines.push(line);
      line = `${" ".repeat(head.length)}${part}`;
    } else line = next;
  }
  return [...lines, line];
}

/** Columns that a text takes, colours left out. */
function visible(text: string): number {
  return text
    .split(String.fromCharCode(27))
    .map((part, at) => (at === 0 ? part : part.replace(/^\[\d+m/, "")))
    .join("").length;
}
