/** What a record says that one target of a cluster should hold or holds. */
export interface TargetState {
  /** `namespace/name`. */
  readonly target: string;
  readonly generation: number;
  readonly digest: string;
}

/** Why an object went, as the one who recorded it knows. */
export type DeletionCause =
  | { readonly kind: "prune"; readonly target: string; readonly generation: number }
  | { readonly kind: "tombstone"; readonly target: string }
  /** The scenario deleted it by hand. */
  | { readonly kind: "person" }
  | { readonly kind: "unknown" };

/** One thing that happened. `at` is a position that grows along the record, not a time. */
export type HistoryEvent =
  | { readonly kind: "commit"; readonly sha: string }
  | { readonly kind: "fault"; readonly name: string; readonly phase: "begin" | "end" }
  /** A desired state that was signed for a cluster: all it says of targets, objects and removals. */
  | {
      readonly kind: "desired";
      readonly cluster: string;
      readonly revision: number;
      readonly epoch: number;
      readonly targets: readonly (TargetState & { readonly prune: boolean; readonly objects?: readonly string[] })[];
      readonly tombstones: readonly { readonly target: string; readonly keep: boolean }[];
    }
  /** An agent took a desired state as its own. */
  | {
      readonly kind: "applied";
      readonly cluster: string;
      readonly revision: number;
      readonly targets: readonly TargetState[];
    }
  /** A hub wrote a key, or tried to; `accepted` is the server's answer. */
  | {
      readonly kind: "wrote";
      readonly hub: string;
      readonly key: string;
      readonly epoch: number;
      readonly accepted: boolean;
    }
  /** An object that was managed is gone. `object` is its key as `DesiredState` lists it. */
  | { readonly kind: "deleted"; readonly cluster: string; readonly object: string; readonly cause: DeletionCause };

/** A broken promise: which, by which event (its index), and in words. */
export interface Violation {
  readonly invariant: Invariant;
  readonly index: number;
  readonly message: string;
}

/** The invariants by name; the first number is the promise of the design that it belongs to. */
export type Invariant =
  | "1-revision-never-back"
  | "1-generation-never-back"
  | "1-one-content"
  | "2-deletion-explained"
  | "7-epoch-never-back"
  | "7-one-leader-an-epoch";

/** All violations in a record, in its order. Pure: the same record gives the same answer, today or later. */
export function checkHistory(events: readonly HistoryEvent[]): Violation[] {
  const checks = [revisions(), generations(), contents(), deletions(), epochs(), leaders()];
  return events.flatMap((event, index) =>
    checks.flatMap(({ invariant, check }) => check(event).map((message) => ({ invariant, index, message }))),
  );
}

/**
 * A run counts only if traffic flowed before, during and after each fault; else it proved nothing. Returns what is
 * missing, empty when the run counts. A record without faults needs one commit.
 */
export function checkTraffic(events: readonly HistoryEvent[]): string[] {
  const commits = (from: number, to: number) => events.slice(from, to).some((event) => event.kind === "commit");
  const faults = events.flatMap((event, index) =>
    event.kind === "fault" && event.phase === "begin" ? [{ event, index }] : [],
  );
  if (faults.length === 0) return commits(0, events.length) ? [] : ["no commit in the whole record"];
  return faults.flatMap(({ event, index }) => {
    const length = events
      .slice(index)
      .findIndex((other) => other.kind === "fault" && other.name === event.name && other.phase === "end");
    if (length < 0) return [`the fault ${event.name} never ended`];
    const spans = {
      before: [0, index],
      during: [index, index + length],
      after: [index + length, events.length],
    } as const;
    return Object.entries(spans)
      .filter(([, [from, to]]) => !commits(from, to))
      .map(([name]) => `no commit ${name} the fault ${event.name}`);
  });
}

interface Check {
  readonly invariant: Invariant;
  /** Looks at the next event; returns what is wrong with it. */
  check(event: HistoryEvent): string[];
}

function revisions(): Check {
  const highest = new Map<string, number>();
  return {
    invariant: "1-revision-never-back",
    check(event) {
      if (event.kind !== "applied") return [];
      const before = highest.get(event.cluster) ?? -1;
      highest.set(event.cluster, Math.max(before, event.revision));
      return event.revision < before ? [`${event.cluster} went from revision ${before} to ${event.revision}`] : [];
    },
  };
}

function generations(): Check {
  const highest = new Map<string, number>();
  return {
    invariant: "1-generation-never-back",
    check(event) {
      if (event.kind !== "applied") return [];
      return event.targets.flatMap(({ target, generation }) => {
        const key = `${event.cluster} ${target}`;
        const before = highest.get(key) ?? -1;
        highest.set(key, Math.max(before, generation));
        return generation < before ? [`${key} went from generation ${before} to ${generation}`] : [];
      });
    },
  };
}

/** The same revision of a cluster, and the same generation of a target there, always mean the same content. */
function contents(): Check {
  const known = new Map<string, string>();
  const differs = (key: string, content: string) => {
    const before = known.get(key);
    known.set(key, before ?? content);
    return before === undefined || before === content ? [] : [`${key} is ${content}, and was ${before}`];
  };
  return {
    invariant: "1-one-content",
    check(event) {
      if (event.kind !== "applied" && event.kind !== "desired") return [];
      const { cluster, revision } = event;
      const digests = event.targets.map(({ target, generation, digest }) => `${target}@${generation}=${digest}`).sort();
      return [
        ...differs(`${cluster} revision ${revision}`, digests.join(" ")),
        ...event.targets.flatMap(({ target, generation, digest }) =>
          differs(`${cluster} ${target} generation ${generation}`, digest),
        ),
      ];
    },
  };
}

/** Absence never deletes: a deletion needs a signed tombstone, or a newer bundle that lacks the object and may prune. */
function deletions(): Check {
  const signed = new Map<string, (HistoryEvent & { readonly kind: "desired" })[]>();
  return {
    invariant: "2-deletion-explained",
    check(event) {
      if (event.kind === "desired") signed.set(event.cluster, [...(signed.get(event.cluster) ?? []), event]);
      if (event.kind !== "deleted" || event.cause.kind === "person") return [];
      const states = signed.get(event.cluster) ?? [];
      return explained(event.object, event.cause, states)
        ? []
        : [`${event.cluster} lost ${event.object} (${event.cause.kind}) and nothing that was signed asked for it`];
    },
  };
}

type Desired = HistoryEvent & { readonly kind: "desired" };

function explained(object: string, cause: DeletionCause, states: readonly Desired[]): boolean {
  if (cause.kind === "tombstone") {
    return states.some((state) => state.tombstones.some((stone) => stone.target === cause.target && !stone.keep));
  }
  if (cause.kind !== "prune") return false;
  return states.some((state) =>
    state.targets.some(
      (one) =>
        one.target === cause.target &&
        one.generation === cause.generation &&
        one.prune &&
        one.objects?.includes(object) !== true,
    ),
  );
}

/** What the server accepts of a key never carries an older epoch than what it accepted before, of any key. */
function epochs(): Check {
  let highest = -1;
  return {
    invariant: "7-epoch-never-back",
    check(event) {
      if (event.kind !== "wrote" || !event.accepted) return [];
      const before = highest;
      highest = Math.max(highest, event.epoch);
      if (event.epoch >= before) return [];
      return [`${event.key} was written by ${event.hub} in epoch ${event.epoch}, after epoch ${before} had begun`];
    },
  };
}

function leaders(): Check {
  const leader = new Map<number, string>();
  return {
    invariant: "7-one-leader-an-epoch",
    check(event) {
      if (event.kind !== "wrote" || !event.accepted) return [];
      const before = leader.get(event.epoch) ?? event.hub;
      leader.set(event.epoch, before);
      return before === event.hub ? [] : [`epoch ${event.epoch} was written by ${before} and by ${event.hub}`];
    },
  };
}
