import { Fault } from "@capstan/proto";
import { Health, Phase, Sync } from "@capstan/proto/agent";
import { Mode } from "@capstan/proto/desired";
import { ClusterState } from "@capstan/proto/fleet";
import type { Tone } from "./look.ts";

/** Health in Argo CD's words. */
export function healthWord(health: Health | undefined): string {
  return nameOf(Health, health) ?? "Unknown";
}

/** Sync in one word. */
export function syncWord(sync: Sync | undefined): string {
  return nameOf(Sync, sync) ?? "Unknown";
}

/** What the agent is doing, in one word. */
export function phaseWord(phase: Phase | undefined): string {
  return nameOf(Phase, phase) ?? "Unknown";
}

/** What a cluster is doing, in one word. */
export function stateWord(state: ClusterState): string {
  return nameOf(ClusterState, state) ?? "Unknown";
}

/** A mode as documents write it. */
export function modeWord(mode: Mode): string {
  return nameOf(Mode, mode) ?? "AdoptIfNoDiff";
}

/** Reads a mode in any case, also by its short form `adopt`. Throws `bad-input`. */
export function parseMode(text: string): Mode {
  const modes: Readonly<Record<string, Mode>> = {
    observe: Mode.OBSERVE,
    adoptifnodiff: Mode.ADOPT_IF_NO_DIFF,
    adopt: Mode.ADOPT_IF_NO_DIFF,
    enforce: Mode.ENFORCE,
  };
  const mode = modes[text.toLowerCase()];
  if (mode !== undefined) return mode;
  throw new Fault("bad-input", {
    message: `expected a mode of Observe, AdoptIfNoDiff or Enforce, found ${JSON.stringify(text)}.`,
    next: "See: capstan cluster mode --help",
  });
}

/** How a word for a state is shown. */
export function stateTone(word: string): Tone | undefined {
  if (/^(Healthy|Synced|Connected|Succeeded|Done|created|configured)$/.test(word)) return "good";
  if (/^(Degraded|Missing|Drifted|Failed|Revoked|RollbackFailed|Paused|refused|degraded|failed|drifted)/.test(word))
    return "bad";
  if (/^(Progressing|Moving|Running|Waiting|Held|Offline|Applying|Aborting|RollingBack|held|waiting)/.test(word))
    return "busy";
  return word === "unchanged" || word === "Unknown" ? "quiet" : undefined;
}

/** `NOT_YET` as `NotYet`, from an enum's own names; undefined for the unset one. */
function nameOf(names: Readonly<Record<string, unknown>>, value: unknown): string | undefined {
  const name = Object.keys(names).find((key) => names[key] === value);
  if (name === undefined || name === "UNSPECIFIED") return undefined;
  return name
    .split("_")
    .map((part) => part.slice(0, 1) + part.slice(1).toLowerCase())
    .join("");
}
