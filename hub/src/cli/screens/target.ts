import type { TargetView } from "@capstan/proto/application";
import { ageCell, dateText, msOf, sinceText } from "../age.ts";
import { cut, type Look, toned, wrapped } from "../look.ts";
import { laneText, plainName, qualified, releaseCell, releaseText, shortDigest } from "../names.ts";
import type { Column } from "../table.ts";
import { healthWord, modeWord, phaseWord, stateTone, syncWord } from "../words.ts";
import { faultLines } from "./fault.ts";

/** Columns of a list of targets: health and sync are two. */
export function targetColumns({ now }: Look): readonly Column<TargetView>[] {
  const health = ({ report }: TargetView) => healthWord(report?.health);
  const sync = (target: TargetView) => syncWord(target.report?.sync);
  return [
    { head: "TARGET", cell: ({ namespace, name }) => plainName(qualified({ namespace, name })) },
    { head: "CLUSTER", cell: ({ cluster }) => cluster },
    { head: "LANE", cell: ({ set, lane }) => laneText(set, lane), gives: true },
    { head: "HEALTH", cell: health, tone: (target) => stateTone(health(target)) },
    {
      head: "SYNC",
      cell: (target) => `${sync(target)}${target.stale ? " (old)" : ""}`,
      tone: (target) => stateTone(sync(target)),
    },
    { head: "REPORTED", cell: ({ reportedAt }) => ageCell(reportedAt, now) },
    { head: "RELEASE", cell: ({ desired, wanted }) => releaseCell(desired ?? wanted), gives: true },
    { head: "PROJECT", cell: ({ project }) => project || "-", wide: true },
    { head: "PHASE", cell: ({ report }) => phaseWord(report?.phase), wide: true },
    { head: "GENERATION", cell: ({ generation }) => String(generation), wide: true },
    { head: "DIGEST", cell: ({ digest }) => shortDigest(digest) || "-", wide: true },
    { head: "MODE", cell: ({ mode }) => modeWord(mode), wide: true },
    { head: "WHY", cell: whyText, wide: true },
  ];
}

/** The first cause of what is not as it should be; empty for what is. */
export function whyText({ reason, faults, report }: TargetView): string {
  return reason?.message ?? faults[0]?.message ?? report?.problems[0]?.message ?? report?.healthMessage ?? "";
}

/** A target with all that is known of it. */
export function targetScreen(target: TargetView, look: Look): string[] {
  const { now, utcOffset } = look;
  const { report, desired, wanted } = target;
  const applied = msOf(report?.appliedAt);
  const health = healthWord(report?.health);
  const sync = syncWord(report?.sync);
  const moving = wanted !== undefined && desired !== undefined && wanted.id !== desired.id;
  const lines: readonly (readonly [string, string])[] = [
    ["cluster", target.cluster],
    ["lane", laneText(target.set, target.lane)],
    ["project", target.project || "-"],
    [
      "health",
      `${toned(look, stateTone(health), health)}${sinceText(report?.healthSince, now)}${report?.healthMessage ? `: ${report.healthMessage}` : ""}`,
    ],
    [
      "sync",
      `${toned(look, stateTone(sync), sync)}${target.stale ? "; the cluster is silent, so this may be old" : ""}`,
    ],
    ["agent", `${phaseWord(report?.phase)}${applied === undefined ? "" : `, applied ${dateText(applied, utcOffset)}`}`],
    ["release", releaseText(desired)],
    ...(moving ? [["Git asks", releaseText(wanted)] as const] : []),
    ["generation", `${target.generation}, digest ${shortDigest(target.digest) || "-"}`],
    ["objects", countsText(target)],
    ["mode", modeWord(target.mode)],
    ["made by", target.madeBy || "-"],
    ["reported", target.reportedAt === undefined ? "never" : `${ageCell(target.reportedAt, now)} ago`],
  ];
  return [
    toned(look, "strong", `${qualified(target)} on ${target.cluster}`),
    ...lines.flatMap(([name, text]) => entry(name, text, look)),
    ...(target.reason === undefined
      ? []
      : entry("waits", `${target.reason.message}${sinceText(target.reason.since, now)}`, look)),
    ...(report?.problems ?? []).flatMap((problem) => entry("problem", problemText(problem), look)),
    ...driftLines(target, look),
    ...target.faults.flatMap((fault) => faultLines(fault, look, "  ")),
  ];
}

function entry(name: string, text: string, look: Look): string[] {
  const room = look.width - 13;
  const [first = "", ...rest] = wrapped(text, room).map((line) => (look.wide ? line : cut(line, room)));
  return [`  ${name.padEnd(10)} ${first}`, ...rest.map((line) => `             ${line}`)];
}

function problemText({ object, message, next }: { object: string; message: string; next: string }): string {
  return `${object === "" ? "" : `${object}: `}${message}${next === "" ? "" : ` ${next}`}`;
}

function driftLines({ report }: TargetView, look: Look): string[] {
  return (report?.drift ?? []).flatMap(({ object, path, manager, at }) =>
    entry(
      "drift",
      `${object} ${path} changed by ${manager || "somebody"}${at === undefined ? "" : ` ${ageCell(at, look.now)} ago`}`,
      look,
    ),
  );
}

function countsText({ report }: TargetView): string {
  const counts = report?.counts;
  if (counts === undefined) return "-";
  const { objects, healthy, synced, failed, drifted, prunable, foreign } = counts;
  const more = [
    [failed, "failed"],
    [drifted, "drifted"],
    [prunable, "would be pruned"],
    [foreign, "belong to others"],
  ] as const;
  const rest = more.filter(([count]) => count > 0).map(([count, word]) => `, ${count} ${word}`);
  return `${objects}: ${healthy} healthy, ${synced} synced${rest.join("")}`;
}
