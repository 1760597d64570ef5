import { type ClusterId, type Digest, parseDigest, type TargetKey, targetKey } from "@capstan/proto";
import type { TargetContent } from "../targets/content.ts";
import type { Ledger } from "./ledger.ts";

/** A target that stands in a desired state. */
export interface Standing {
  readonly key: TargetKey;
  readonly cluster: ClusterId;
  /** `namespace/name` of its set, or of itself where it stands alone. */
  readonly owner: string;
  /** Of a set; a standalone application has no set's rules. */
  readonly ofSet: boolean;
  readonly lane: string;
  readonly content: Digest;
}

/** What the desired states hold, by owner: made once a change of them, for many ask. */
export class StandingIndex {
  readonly #ledger: Ledger;
  /** Who asks for a target now, where that is not what its state says: a lane or a set may have another name since. */
  readonly #places = new Map<TargetKey, Place>();
  #made: Made | undefined;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** The desired states changed. */
  invalidate(): void {
    this.#made = undefined;
  }

  /** These are all that the owner asks for now: they count as its own, in these lanes, whatever the states still say. */
  place(owner: string, targets: ReadonlyMap<TargetKey, Omit<Place, "owner">>): void {
    for (const [key, place] of this.#places) if (place.owner === owner && !targets.has(key)) this.#places.delete(key);
    for (const [key, place] of targets) this.#places.set(key, { ...place, owner });
    this.invalidate();
  }

  /** Nothing is asked for yet: a term begins. */
  forget(): void {
    this.#places.clear();
    this.invalidate();
  }

  of(owner: string): readonly Standing[] {
    return this.#index().owners.get(owner) ?? [];
  }

  /** What stands of one lane. */
  ofLane(owner: string, lane: string): readonly Standing[] {
    return this.#index().lanes.get(`${owner}:${lane}`) ?? [];
  }

  /** Who has the name; undefined: nobody. */
  ownerOf(target: TargetKey): string | undefined {
    return this.#index().names.get(target)?.owner;
  }

  /** The lane of a target that stands, as `OWNER:LANE`. */
  laneOf(target: TargetKey): string | undefined {
    const standing = this.#index().names.get(target);
    return standing === undefined ? undefined : `${standing.owner}:${standing.lane}`;
  }

  all(): readonly Standing[] {
    return this.#index().all;
  }

  /** The content in force, for what must stay as it is or be taken back. */
  content(cluster: ClusterId, target: TargetKey): TargetContent | undefined {
    const held = this.#ledger.target(cluster, target);
    const digest = this.#ledger.get(cluster)?.targets.get(target)?.content;
    if (held?.bundle === undefined || digest === undefined) return undefined;
    const { digest: bundle, chunks, size, keyId } = held.bundle;
    return { digest, target: held, bundle: { digest: parseDigest(bundle), size: Number(size), chunks, keyId } };
  }

  #index(): Made {
    this.#made ??= make(this.#ledger, this.#places);
    return this.#made;
  }
}

/** Where a target belongs. */
export interface Place {
  readonly owner: string;
  readonly ofSet: boolean;
  readonly lane: string;
}

interface Made {
  readonly all: readonly Standing[];
  readonly owners: ReadonlyMap<string, readonly Standing[]>;
  readonly lanes: ReadonlyMap<string, readonly Standing[]>;
  readonly names: ReadonlyMap<TargetKey, Standing>;
}

function make(ledger: Ledger, places: ReadonlyMap<TargetKey, Place>): Made {
  const all: Standing[] = [];
  for (const [cluster, { state, targets }] of ledger.entries()) {
    for (const { namespace, name, set, lane } of state.targets) {
      const key = targetKey(namespace, name);
      const content = targets.get(key)?.content;
      const said = { owner: set === "" ? key : set, ofSet: set !== "", lane };
      if (content !== undefined) all.push({ key, cluster, ...(places.get(key) ?? said), content });
    }
  }
  return {
    all,
    owners: Map.groupBy(all, ({ owner }) => owner),
    lanes: Map.groupBy(all, ({ owner, lane }) => `${owner}:${lane}`),
    names: new Map(all.map((one) => [one.key, one] as const)),
  };
}
