import type { DiffGroup, DiffTargetsResponse } from "@capstan/proto/application";
import { counted, type Look, type Tone, toned } from "../look.ts";
import { faultLine, faultLines } from "./fault.ts";

const named = 8;

/** What would change, equal changes together, the change of most targets first. */
export function diffScreen({ groups, faults }: DiffTargetsResponse, look: Look): string[] {
  const lines = ordered(groups).flatMap((group) => [
    toned(look, "strong", title(group)),
    ...targetNames(group, look).map((name) => `  ${name}`),
    ...body(group).map((line) => toned(look, lineTone(line), line)),
    "",
  ]);
  const total = groups.reduce((sum, { targets }) => sum + targets.length, 0);
  const last =
    groups.length === 0
      ? "no differences"
      : `${counted(total, "target")} ${total === 1 ? "differs" : "differ"}, in ${counted(groups.length, "way")}`;
  return [...lines, ...faults.flatMap((fault) => faultLines(fault, look)), last];
}

/** The same as Markdown, for a comment on a change. */
export function diffMarkdown({ groups, faults }: DiffTargetsResponse): string[] {
  const total = groups.reduce((sum, { targets }) => sum + targets.length, 0);
  const head =
    groups.length === 0 ? "**Capstan:** no differences" : `**Capstan:** ${counted(total, "target")} would differ`;
  return [
    head,
    ...ordered(groups).flatMap((group) => [
      "",
      `<details><summary>${title(group)}</summary>`,
      "",
      ...group.targets.map((target) => `- \`${target}\``),
      ...(group.diff === "" ? [] : ["", "```diff", ...body(group), "```"]),
      "",
      "</details>",
    ]),
    ...(faults.length === 0 ? [] : ["", "Could not be compared:", ...faults.map((fault) => `- ${faultLine(fault)}`)]),
  ];
}

/** `same change on 21 targets: changed` */
function title({ change, targets }: DiffGroup): string {
  return targets.length === 1
    ? `${change} ${targets[0] ?? ""}`
    : `${change}, the same on ${counted(targets.length, "target")}`;
}

function targetNames({ targets }: DiffGroup, look: Look): string[] {
  if (targets.length < 2) return [];
  const shown = look.wide ? targets : targets.slice(0, named);
  return [...shown, ...(shown.length < targets.length ? [`and ${targets.length - shown.length} more (-o wide)`] : [])];
}

function body({ diff }: DiffGroup): string[] {
  return diff === "" ? [] : diff.replace(/\n$/, "").split("\n");
}

function ordered(groups: readonly DiffGroup[]): DiffGroup[] {
  return [...groups].sort((a, b) => b.targets.length - a.targets.length);
}

function lineTone(line: string): Tone | undefined {
  if (line.startsWith("@@") || line.startsWith("+++") || line.startsWith("---")) return "busy";
  return line.startsWith("+") ? "good" : line.startsWith("-") ? "bad" : undefined;
}
