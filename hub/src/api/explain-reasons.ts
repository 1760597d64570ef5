import type { Reason } from "@capstan/proto/common";
import { approveCommand, faultReason, reason, whyTarget } from "./reasons.ts";
import type { Row } from "./rows.ts";
import type { Seen } from "./seen.ts";

/** What one answer to "why" is made of. */
export interface Told {
  readonly headline: string;
  readonly reasons: readonly Reason[];
  /** Command and effect. */
  readonly advice: readonly (readonly [string, string])[];
}

/** Reasons of single targets or clusters that one answer lists. */
export const shown = 20;

/** `1 target`, `2 targets`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** What single targets wait for, beyond what is told already; rules in `taken` are left out. */
export function rowReasons(
  rows: readonly Row[],
  seen: Seen,
  told: readonly Reason[],
  taken: ReadonlySet<string> = new Set(),
): Reason[] {
  const found: Reason[] = [];
  const messages = new Set(told.flatMap(({ message, details }) => [message, ...details]));
  for (const row of rows) {
    if (found.length >= shown) break;
    const status = seen.world.status.of(row.cluster).targets.get(row.key);
    const waits = whyTarget(row, status, seen);
    if (waits === undefined || taken.has(waits.rule)) continue;
    // What is told already, of this target or of one like it, is not told again.
    if ([...messages].some((message) => message.includes(waits.message))) continue;
    messages.add(waits.message);
    found.push(waits);
  }
  return found;
}

/** Lists that the deletion guard holds, as far as they concern something. */
export function heldReasons(
  concerns: (one: { readonly set: string | null; readonly target: string; readonly cluster: string }) => boolean,
  { world }: Seen,
): Reason[] {
  return world.guard
    .lists()
    .filter(({ list }) => list.some(concerns))
    .map(({ digest, rules, list, scope }) =>
      reason(scope, {
        rule: "held-delete-guard",
        message: `${list.length} removals are held: ${rules.map(({ text }) => text).join("; ")}`,
        unblock: [approveCommand(digest)],
        details: list.slice(0, 10).map(({ target, cluster }) => `${target} on ${cluster}`),
      }),
    );
}

/** Repositories of a set that cannot be read now: what was read last is served. */
export function sourceReasons(owner: string, { world }: Seen): Reason[] {
  return [...(world.releases.state(owner)?.repositories ?? [])].flatMap((each) => {
    const [url = "", revision = ""] = each.split(" ");
    const fault = world.repositories.faultOf(url, revision);
    if (fault === undefined) return [];
    const state = world.repositories.current(url, revision);
    const served = state === undefined ? "" : ` What was read last is used: ${state.commit.slice(0, 7)}.`;
    return [faultReason(owner, fault, { message: `${fault.message}${served}`, since: state?.asOf })];
  });
}
