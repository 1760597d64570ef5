import { type ClusterId, Fault, type Instant } from "@capstan/proto";

/** The processes that have spoken for one cluster, by boot id. */
export interface Boots {
  /** Who spoke last. */
  readonly now: string;
  /** Who spoke before, newest first. */
  readonly before: readonly string[];
  /** When one that another had taken over from spoke again; undefined: never. */
  readonly cameBackAt: Instant | undefined;
}

const kept = 8;
/** So long after the last such return the two are taken for one again, in milliseconds. */
const remembered = 15 * 60_000;

/**
 * A process says hello. One that restarts has a new boot id, and the old one is never heard again; so an old one that comes
 * back lives beside another: a second agent, or a copy of the whole cluster with the same identity and incarnation.
 */
export function heard(boots: Boots | undefined, bootId: string, now: Instant): Boots {
  if (boots === undefined) return { now: bootId, before: [], cameBackAt: undefined };
  if (boots.now === bootId) return boots;
  const cameBackAt = boots.before.includes(bootId) ? now : boots.cameBackAt;
  const before = [boots.now, ...boots.before.filter((each) => each !== bootId)].slice(0, kept);
  return { now: bootId, before, cameBackAt };
}

/** What a person should know of two agents that live under one identity; undefined: there is one, as far as is seen. */
export function clones(cluster: ClusterId, boots: Boots | undefined, now: Instant): Fault | undefined {
  if (boots?.cameBackAt === undefined || now > boots.cameBackAt + remembered) return undefined;
  return new Fault("conflict", {
    message: `two agents speak for ${cluster} in turn, with one identity and one incarnation (boots ${boots.now} and ${boots.before[0]}): a second agent runs there, or the cluster was copied.`,
    where: { cluster },
    next: "Stop one of them; a copy that is to stay joins under an id of its own. If you do not know the other: capstan cluster revoke.",
  });
}
