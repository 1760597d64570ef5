import type { ClusterId, Digest, Instant } from "@capstan/proto";
import { Fault } from "@capstan/proto";
import type { Approval, GuardInput, GuardResult, GuardRule, HeldList, HoldingCounts, Removal, Share } from "./model.ts";

const day = 24 * 3_600_000;
const approvalLife = 14 * day;

/** Counts what there is; for `GuardInput.counts`. */
export function countHoldings(holdings: Iterable<Removal>): HoldingCounts {
  const sets = new Map<string, number>();
  const clusters = new Map<ClusterId, number>();
  let fleet = 0;
  for (const { set, cluster } of holdings) {
    fleet += 1;
    if (set !== null) sets.set(set, (sets.get(set) ?? 0) + 1);
    clusters.set(cluster, (clusters.get(cluster) ?? 0) + 1);
  }
  return { sets, clusters, fleet };
}

/**
 * Which removals may go, and which a person must look at first. A list that breaks a limit is held whole: letting a few of
 * a mistaken list through would not be safer. Sets marked ephemeral have no guard. Linear in what it is given.
 */
export function holdRemovals(input: GuardInput): GuardResult {
  const approved = approvedPlaces(input);
  const counted = input.removals.filter((one) => !isFree(one, input) && !approved.has(lineOf(one)));
  const past = input.history.filter((one) => input.now - one.at < day && !one.approved && !isFree(one, input));
  const reasons = new Map<Removal, Map<GuardRule, string>>();
  const hold = (list: readonly Removal[], rule: GuardRule, text: string) => {
    for (const one of list) {
      const mine = reasons.get(one) ?? new Map<GuardRule, string>();
      reasons.set(one, mine.set(rule, text));
    }
  };
  const losses = counted.filter(isLoss);
  const before = past.filter(isLoss);
  const earlier = grouped(before, setOf);
  const going = grouped(input.removals.filter(isLoss), setOf);
  for (const [set, list] of grouped(losses, setOf)) {
    const numbers = { before: earlier.get(set)?.length ?? 0, going: going.get(set)?.length ?? 0 };
    holdSet(set, list, { input, numbers, hold });
  }
  const away = grouped(past, clusterOf);
  for (const [cluster, list] of grouped(counted, clusterOf)) {
    holdCluster(cluster, list, { input, numbers: { before: away.get(cluster)?.length ?? 0 }, hold });
  }
  if (losses.length + before.length > input.limits.fleet) {
    hold(losses, "fleet-limit", overText("the fleet", losses.length, before.length, input.limits.fleet));
  }
  for (const one of counted) {
    const text = input.protects?.(one);
    if (text !== undefined) hold([one], "protected-kind", text);
  }
  const allowed = input.removals.filter((one) => !reasons.has(one));
  return { allowed, held: listsOf(reasons, input.hash) };
}

interface Holding<Numbers> {
  readonly input: GuardInput;
  /** `before`: removed in the last 24 hours; `going`: all that are asked for now, approved ones among them. */
  readonly numbers: Numbers;
  hold(list: readonly Removal[], rule: GuardRule, text: string): void;
}

type SetNumbers = { readonly before: number; readonly going: number };

function holdSet(set: string, list: readonly Removal[], { input, numbers, hold }: Holding<SetNumbers>): void {
  const { before, going } = numbers;
  const now = input.counts.sets.get(set) ?? 0;
  if (going >= now) hold(list, "last-of-set", `nothing of ${set} would be left`);
  const limit = limitOf(input.sets.get(set)?.limit ?? input.limits.set, now + before);
  if (list.length + before > limit) hold(list, "share-of-set", overText(set, list.length, before, limit));
}

type ClusterNumbers = Pick<SetNumbers, "before">;

function holdCluster(cluster: ClusterId, list: readonly Removal[], holding: Holding<ClusterNumbers>): void {
  const { input, numbers, hold } = holding;
  const { before } = numbers;
  const limit = limitOf(input.limits.cluster, (input.counts.clusters.get(cluster) ?? 0) + before);
  if (list.length + before > limit) hold(list, "share-of-cluster", overText(cluster, list.length, before, limit));
}

function limitOf({ count, percent }: Share, of: number): number {
  return Math.max(count, Math.floor((of * percent) / 100));
}

function overText(what: string, asked: number, before: number, limit: number): string {
  const more = before === 0 ? "" : `, after ${before} in the last 24 h`;
  return `${asked} targets of ${what} would be removed${more}; at most ${limit} may go without a person`;
}

function isLoss(one: Removal): boolean {
  return one.moves !== true;
}

function isFree({ set }: Removal, input: GuardInput): boolean {
  return set !== null && input.sets.get(set)?.ephemeral === true;
}

/** Places that an approval in force covers; it is used up by the removal that it allowed. */
function approvedPlaces({ approvals, history, now }: GuardInput): ReadonlySet<string> {
  const since = new Map<string, Instant>();
  for (const { at, list } of approvals) {
    if (now - at >= approvalLife) continue;
    for (const one of list) since.set(lineOf(one), Math.max(at, since.get(lineOf(one)) ?? at));
  }
  for (const past of history) {
    if (past.at >= (since.get(lineOf(past)) ?? Number.POSITIVE_INFINITY)) since.delete(lineOf(past));
  }
  return new Set(since.keys());
}

/** What the guard remembers between questions. */
export type Remembered = Pick<GuardInput, "history" | "approvals">;

/**
 * What is worth keeping: removals of the last 24 hours, and approvals in force less the lines that were used. Without this
 * an approval would be good again once the removal that used it up is forgotten.
 */
export function forget({ history, approvals }: Remembered, now: Instant): Remembered {
  const used = (one: Approval["list"][number], at: Instant) =>
    (last.get(lineOf(one)) ?? Number.NEGATIVE_INFINITY) >= at;
  const last = new Map<string, Instant>();
  for (const past of history) last.set(lineOf(past), Math.max(past.at, last.get(lineOf(past)) ?? past.at));
  const left = approvals.map((one) => ({ ...one, list: one.list.filter((place) => !used(place, one.at)) }));
  return {
    history: history.filter(({ at }) => now - at < day),
    approvals: left.filter(({ at, list }) => now - at < approvalLife && list.length > 0),
  };
}

function setOf(one: Removal): string | null {
  return one.set;
}

function clusterOf(one: Removal): ClusterId {
  return one.cluster;
}

function grouped<Key>(list: readonly Removal[], keyOf: (one: Removal) => Key | null): Map<Key, Removal[]> {
  const groups = new Map<Key, Removal[]>();
  for (const one of list) {
    const key = keyOf(one);
    if (key === null) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}

function listsOf(reasons: ReadonlyMap<Removal, ReadonlyMap<GuardRule, string>>, hash: GuardInput["hash"]): HeldList[] {
  const scopes = grouped([...reasons.keys()], (one) => one.set ?? `application ${one.target}`);
  return [...scopes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([scope, removals]) => {
      const list = removals.sort((a, b) => (lineOf(a) < lineOf(b) ? -1 : 1));
      const rules = new Map(list.flatMap((one) => [...(reasons.get(one) ?? [])]).map(([rule, text]) => [text, rule]));
      return {
        scope,
        rules: [...rules].map(([text, rule]) => ({ rule, text })),
        list,
        digest: listDigest(list, hash),
      };
    });
}

function lineOf({ cluster, target }: Pick<Removal, "target" | "cluster">): string {
  return `${cluster} ${target}`;
}

/** Over exactly these removals, in any order. */
function listDigest(list: readonly Pick<Removal, "target" | "cluster">[], hash: GuardInput["hash"]): Digest {
  return hash(list.map(lineOf).sort().join("\n"));
}

export interface ApproveIntent {
  readonly by: string;
  readonly reason: string;
  readonly at: Instant;
}

/**
 * A person approves the list they were shown. Throws `conflict` when the list is another one by now, `not-found` when
 * nothing of that scope is held.
 */
export function approveList(result: GuardResult, scope: string, digest: Digest, intent: ApproveIntent): Approval {
  const held = result.held.find((one) => one.scope === scope);
  if (held === undefined) {
    const scopes = result.held.map((one) => one.scope).join(", ");
    throw new Fault("not-found", {
      message: `the deletion guard holds nothing of ${scope}${scopes === "" ? "" : `; it holds ${scopes}`}.`,
    });
  }
  if (held.digest !== digest) {
    throw new Fault("conflict", {
      message: `the list of ${scope} has changed since it was shown: it names ${held.list.length} targets now.`,
      next: "Look at the list again and approve that one.",
    });
  }
  const list = held.list.map(({ target, cluster }) => ({ target, cluster }));
  return { scope, digest, list, ...intent };
}
