import { type ClusterId, type Digest, type TargetKey, targetKey } from "@capstan/proto";
import type { DesiredState, DesiredTarget } from "@capstan/proto/desired";
import { contentDigest, type HashText } from "../targets/content.ts";
import type { Held } from "./model.ts";

/** The desired states in force, by cluster, with each target's content identity worked out once. */
export class Ledger {
  readonly #hash: HashText;
  readonly #held = new Map<ClusterId, Held>();
  /** Identities by target object: a target that did not change keeps its object from state to state. */
  readonly #identities = new WeakMap<DesiredTarget, Digest>();

  constructor(hash: HashText) {
    this.#hash = hash;
  }

  set(cluster: ClusterId, state: DesiredState): void {
    const targets = new Map<TargetKey, { generation: bigint; content: Digest }>();
    for (const target of state.targets) {
      targets.set(targetKey(target.namespace, target.name), {
        generation: target.generation,
        content: this.identity(target),
      });
    }
    this.#held.set(cluster, { state, targets });
  }

  get(cluster: ClusterId): Held | undefined {
    return this.#held.get(cluster);
  }

  delete(cluster: ClusterId): void {
    this.#held.delete(cluster);
  }

  clear(): void {
    this.#held.clear();
  }

  entries(): IterableIterator<[ClusterId, Held]> {
    return this.#held.entries();
  }

  /** The target as the cluster's desired state has it. */
  target(cluster: ClusterId, key: TargetKey): DesiredTarget | undefined {
    const held = this.#held.get(cluster);
    if (held?.targets.has(key) !== true) return undefined;
    return held.state.targets.find((target) => targetKey(target.namespace, target.name) === key);
  }

  /** Takes note of an identity that is known already. */
  remember(target: DesiredTarget, identity: Digest): void {
    this.#identities.set(target, identity);
  }

  /** The identity of a target's content, worked out once an object. */
  identity(target: DesiredTarget): Digest {
    const known = this.#identities.get(target);
    if (known !== undefined) return known;
    const digest = contentDigest(target, this.#hash);
    this.#identities.set(target, digest);
    return digest;
  }
}
