import { availableParallelism, cpus, totalmem } from "node:os";
import { run } from "../world/process.ts";
import type { Bar } from "./bench.ts";

/** Where a bench ran; figures mean nothing without it. */
export interface Conditions {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly node: string;
  readonly nats: string;
}

/** Reads the conditions of this machine; `nats` is empty where there is no nats-server. */
export async function conditionsHere(natsServer: string | undefined): Promise<Conditions> {
  const version =
    natsServer === undefined
      ? ""
      : (await run({ name: "nats-server", binary: natsServer, args: ["--version"] })).stdout;
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? "",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    nats: /v[\d.]+\S*/.exec(version)?.[0] ?? "",
  };
}

/** The table for people. */
export function table(name: string, bars: readonly Bar[], conditions: Conditions): string {
  const rows = bars.map((bar) => [bar.name, `${bar.value} ${bar.unit}`.trim(), barText(bar), verdict(bar)]);
  const all = [["figure", "value", "bar", ""], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const { cores, cpu, memoryGiB, node, nats } = conditions;
  const where = [`${cores} cores`, cpu, `${memoryGiB} GiB`, `Node ${node}`, nats === "" ? "" : `NATS ${nats}`];
  return [`${name} (${where.filter(Boolean).join(", ")})`, "", ...lines].join("\n");
}

/** The one line for programs. */
export function jsonLine(bench: string, bars: readonly Bar[], conditions: Conditions): string {
  return JSON.stringify({ bench, bars, conditions });
}

function barText(bar: Bar): string {
  if (bar.bar === null) return "";
  const below = bar.met ? bar.value <= bar.bar : bar.value > bar.bar;
  return `${below ? "≤" : "≥"} ${bar.bar} ${bar.unit}`.trim();
}

function verdict(bar: Bar): string {
  if (bar.bar === null) return "";
  return bar.met ? "met" : "NOT MET";
}
