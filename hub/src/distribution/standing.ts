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
  #made: Made | undefined;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** The desired states changed. */
  invalidate(): void {
    this.#made = undefined;
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
    return this.#index().names.get(target);
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
    this.#made ??= make(this.#ledger);
    return this.#made;
  }
}

interface Made {
  readonly all: readonly Standing[];
  readonly owners: ReadonlyMap<string, readonly Standing[]>;
  readonly lanes: ReadonlyMap<string, readonly Standing[]>;
  readonly names: ReadonlyMap<TargetKey, string>;
}

function make(ledger: Ledger): Made {
  const all: Standing[] = [];
  for (const [cluster, { state, targets }] of ledger.entries()) {
    for (const { namespace, name, set, lane } of state.targets) {
      const key = targetKey(namespace, name);
      const content = targets.get(key)?.content;
      const ofSet = set !== "";
      if (content !== undefined) all.push({ key, cluster, owner: ofSet ? set : key, ofSet, lane, content });
    }
  }
  return {
    all,
    owners: Map.groupBy(all, ({ owner }) => owner),
    lanes: Map.groupBy(all, ({ owner, lane }) => `${owner}:${lane}`),
    names: new Map(all.map(({ key, owner }) => [key, owner] as const)),
  };
}
