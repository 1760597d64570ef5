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
  /** What a bundle holds, as keys of objects without a namespace where it leaves that to its target. */
  | { readonly kind: "bundle"; readonly digest: string; readonly objects: readonly string[] }
  /** A desired state that was signed for a cluster: all it says of targets and removals. */
  | {
      readonly kind: "desired";
      readonly cluster: string;
      readonly revision: number;
      readonly epoch: number;
      readonly targets: readonly (TargetState & { readonly prune: boolean })[];
      readonly tombstones: readonly { readonly target: string; readonly keep: boolean }[];
    }
  /** An agent took a desired state as its own. */
  | {
      readonly kind: "applied";
      readonly cluster: string;
      readonly revision: number;
      readonly targets: readonly TargetState[];
    }
  /** A hub's connection began to lead: `epoch` is the sequence of the lease write with which the term began. */
  | { readonly kind: "leads"; readonly writer: string; readonly hub: string; readonly epoch: number }
  /** A hub wrote a key, or tried to; `accepted` is the server's answer, `sequence` where it stands then, else 0. */
  | {
      readonly kind: "wrote";
      /** Of its connection. */
      readonly writer: string;
      readonly key: string;
      readonly sequence: number;
      readonly accepted: boolean;
    }
  /** An object that was managed is gone. `object` is `APIVERSION/KIND NAMESPACE/NAME`. */
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
  | "7-only-the-leader-writes"
  | "7-one-leader-an-epoch";

/** All violations in a record, in its order. Pure: the same record gives the same answer, today or later. */
export function checkHistory(events: readonly HistoryEvent[]): Violation[] {
  const bundles = new Map(events.flatMap((event) => (event.kind === "bundle" ? [[event.digest, event] as const] : [])));
  const checks = [revisions(), generations(), contents(), deletions(bundles), onlyLeaders(), leaders()];
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

type Bundles = ReadonlyMap<string, HistoryEvent & { readonly kind: "bundle" }>;

/** Absence never deletes: a deletion needs a signed tombstone, or a newer bundle that lacks the object and may prune. */
function deletions(bundles: Bundles): Check {
  const signed = new Map<string, (HistoryEvent & { readonly kind: "desired" })[]>();
  return {
    invariant: "2-deletion-explained",
    check(event) {
      if (event.kind === "desired") signed.set(event.cluster, [...(signed.get(event.cluster) ?? []), event]);
      if (event.kind !== "deleted" || event.cause.kind === "person") return [];
      const states = signed.get(event.cluster) ?? [];
      return explained(event, states, bundles)
        ? []
        : [`${event.cluster} lost ${event.object} (${event.cause.kind}) and nothing that was signed asked for it`];
    },
  };
}

type Desired = HistoryEvent & { readonly kind: "desired" };
type Deleted = HistoryEvent & { readonly kind: "deleted" };

function explained({ object, cause }: Deleted, states: readonly Desired[], bundles: Bundles): boolean {
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
        bundles.get(one.digest)?.objects.some((own) => isSame(own, object)) !== true,
    ),
  );
}

/** A bundle may leave the namespace to its target. */
function isSame(own: string, object: string): boolean {
  const [kind, place = ""] = own.split(" ");
  const [otherKind, otherPlace = ""] = object.split(" ");
  return kind === otherKind && (place === otherPlace || (place.startsWith("/") && otherPlace.endsWith(place)));
}

/**
 * What the server accepts behind the lease write that began a term is the new leader's. A store that was lost or set back
 * counts its sequences anew; the hub then writes which store it is, and the terms of the old one are over.
 */
function onlyLeaders(): Check {
  const terms = new Map<string, number>();
  let newest = -1;
  return {
    invariant: "7-only-the-leader-writes",
    check(event) {
      if (event.kind === "leads") {
        terms.set(event.writer, event.epoch);
        newest = Math.max(newest, event.epoch);
      }
      if (event.kind !== "wrote" || !event.accepted) return [];
      const own = terms.get(event.writer);
      if (own === undefined) return []; // its lease was written before the record began
      if (event.key === "lineage") newest = own;
      if (own >= newest || event.sequence <= newest) return [];
      return [`${event.key} was written by ${event.writer} of epoch ${own}, after epoch ${newest} had begun`];
    },
  };
}

function leaders(): Check {
  const leader = new Map<number, string>();
  return {
    invariant: "7-one-leader-an-epoch",
    check(event) {
      if (event.kind === "wrote" && event.accepted && event.key === "lineage") leader.clear();
      if (event.kind !== "leads") return [];
      const { epoch, hub } = event;
      const before = leader.get(epoch) ?? hub;
      leader.set(epoch, before);
      return before === hub ? [] : [`epoch ${epoch} is led by ${before} and by ${hub}`];
    },
  };
}
