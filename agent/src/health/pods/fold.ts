import { type PodCause, type PodsSeen, steps } from "./model.ts";

/** Different causes that one line tells. */
const told = 2;

/**
 * One line on what keeps a workload's pods from working: `3 of 3 pods cannot pull image x: not found`. Pods with the same
 * cause are counted together; what keeps pods furthest from running comes first. Empty where no pod tells.
 */
export function podsLine(seen: PodsSeen): string {
  const { causes, making, more, wanted } = seen;
  const missing = Math.max(0, (wanted ?? 0) - causes.length);
  const total = Math.max(wanted ?? 0, causes.length);
  const groups = grouped(causes);
  if (making !== undefined && missing > 0) groups.push({ cause: making, count: missing, restarts: 0 });
  groups.sort((a, b) => steps.indexOf(a.cause.step) - steps.indexOf(b.cause.step) || b.count - a.count);
  const of = more ? `the first ${causes.length}` : String(total);
  return groups
    .slice(0, told)
    .map(({ cause, count, restarts }) => {
      const text = `${count === 1 ? cause.one : cause.many}`.replace(/ :/, ":");
      const tail = restarts === 0 ? "" : ` (${cause.reason}, ${restarts} restart${restarts === 1 ? "" : "s"})`;
      return `${count} of ${of} pod${total === 1 ? "" : "s"} ${text}${tail}`;
    })
    .join("; ");
}

interface Group {
  readonly cause: PodCause;
  readonly count: number;
  /** The most of any pod. */
  readonly restarts: number;
}

function grouped(causes: PodsSeen["causes"]): Group[] {
  const groups = new Map<string, Group>();
  for (const cause of causes) {
    if (cause === undefined) continue;
    const group = groups.get(cause.one);
    const restarts = Math.max(group?.restarts ?? 0, cause.restarts);
    groups.set(cause.one, { cause: group?.cause ?? cause, count: (group?.count ?? 0) + 1, restarts });
  }
  return [...groups.values()];
}
