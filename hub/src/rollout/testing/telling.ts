import { type Instant, type TargetKey } from "@capstan/proto";
import { isOver } from "../fold.ts";
import type { Change, Plan, RunPhase } from "../model.ts";

/** When the clock of a scenario starts. */
export const epoch = Date.UTC(2026, 0, 1);

/** `30s`, `10m`, `2h`, in milliseconds. */
export function durationOf(text: string): number {
  const found = /^(\d+)(ms|s|m|h|d)$/.exec(text);
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[found?.[2] ?? "s"] ?? 1_000;
  return Number(found?.[1] ?? Number.NaN) * unit;
}

/** Time since the start of the scenario. */
export function clock(at: Instant): string {
  const seconds = (at - epoch) / 1000;
  if (seconds < 0) return "before";
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60].map((part) =>
    `${part}`.padStart(2, "0"),
  );
  return parts.join(":");
}

/** A plan, a line a stage. */
export function planText(made: Plan): string[] {
  const lines = [`${made.run} ${made.origin.kind} by ${made.strategy.name}: ${made.unchanged} targets unchanged`];
  for (const [at, stage] of made.stages.entries()) {
    const there = made.clusters.filter((one) => one.stage === at);
    const text = there.map(({ cluster, moves }) => `${cluster}${moves.map(moveText).join("")}`).join(", ");
    lines.push(`  ${stage.name}: ${text || "nobody"}`);
  }
  if (made.unmatched.length > 0) lines.push(`  no step selects ${made.unmatched.join(", ")}`);
  for (const text of made.warnings ?? []) lines.push(`  warning: ${text}`);
  if (made.unknown.length > 0) lines.push(`  unknown clusters: ${made.unknown.join(", ")}`);
  return lines;
}

function moveText({
  target,
  from,
  to,
  successor,
}: {
  target: TargetKey;
  from: unknown;
  to: unknown;
  successor?: string;
}): string {
  const name = target.split("/")[1];
  if (to === null) return ` -${name}${successor === undefined ? "" : `(to ${successor})`}`;
  return from === null ? ` +${name}` : "";
}

/** What a line of the record says. */
export function changeText(change: Change, made: Plan | undefined): string {
  switch (change.of) {
    case "run":
      return `is ${phaseText(change.to)}`;
    case "stage":
      return `stage ${made?.stages[change.stage]?.name}: ${change.to.phase}`;
    case "unlock":
      return `stage ${made?.stages[change.stage]?.name} unlocked`;
    case "promote":
      return `stage ${made?.stages[change.stage]?.name} promoted`;
    case "task":
      return `  gate ${gateName(change, made)} ${change.to}`;
    case "approval":
      return `  gate ${gateName(change, made)} approved`;
    case "reading":
      return `  gate ${gateName(change, made)} read ${change.verdict}`;
    case "sent":
      return `  gate ${gateName(change, made)} called`;
    case "cluster": {
      const { to } = change;
      const more =
        to.is === "Failed" ? `(${to.because}: ${to.message})` : to.is === "Deferred" ? `(${to.because})` : "";
      return `  ${change.cluster} ${to.is}${more}${to.is === "Dispatched" && to.recall ? "(recall)" : ""}`;
    }
    case "clock":
      return `  ${change.cluster} clock ${change.running ? "goes" : "stands"}`;
    case "restage":
      return `  ${change.cluster} to stage ${made?.stages[change.stage]?.name}`;
    case "join":
      return `  ${change.member.cluster} joins`;
  }
}

function gateName(change: { readonly stage: number; readonly task: number }, made: Plan | undefined): string {
  const stage = made?.stages[change.stage];
  return [...(stage?.before ?? []), ...(stage?.after ?? [])][change.task]?.name ?? "?";
}

function phaseText(phase: RunPhase): string {
  return isOver(phase) ? phase.phase.toUpperCase() : phase.phase;
}
