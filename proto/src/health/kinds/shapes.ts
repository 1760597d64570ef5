import type { RuleText } from "../rule.ts";

/** Rules by API group, then by kinds (several with commas); `*` as a kind is every other one of the group. */
export type KindTable = Readonly<Record<string, Readonly<Record<string, RuleText>>>>;

/** Ready or not, by one condition; not reported or `Unknown` is on its way. */
export function byCondition(type: string): RuleText {
  return `Degraded if ${type}=False
    Healthy if ${type}=True
    Progressing if ${type}=*
    Progressing "waiting for the condition ${type}"`;
}

/** The shape that most controllers have settled on. */
export const ready: RuleText = byCondition("Ready");

/** As `ready`, for kinds that can be paused by `spec.suspend`. */
export const readyOrSuspended: RuleText = `Suspended "suspended by spec.suspend" if .spec.suspend=true
  ${ready}`;

/** By words in one field; what none of them says is on its way. */
export function byWord(
  path: string,
  words: { readonly [V in "Healthy" | "Suspended" | "Degraded"]?: string },
): RuleText {
  const clauses = Object.entries(words).map(([verdict, list]) => `${verdict} "{${path}}" if ${path}=${list}`);
  return [...clauses, `Progressing "{${path}}" if ${path}`, `Progressing "waiting for ${path.slice(1)}"`].join("\n");
}

/** The number of ready parts against the number asked for. */
export const waitingForSpec = `Progressing "waiting for the controller to see the newest spec" if unseen`;
