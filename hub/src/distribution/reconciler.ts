import { toBinary } from "@bufbuild/protobuf";
import { type Clock, type ClusterId, type Digest, Fault, type TargetKey } from "@capstan/proto";
import { type DesiredState, type SignedDesiredState, SignedDesiredStateSchema } from "@capstan/proto/desired";
import type { Change } from "../targets/content.ts";
import { assemble } from "./assemble.ts";
import { decodeDesired, encodeDesired, openDesired } from "./codec.ts";
import { Ledger } from "./ledger.ts";
import type { Held, Recipient } from "./model.ts";
import type { BundleVault, DesiredCrypto, DesiredStore, Hinter } from "./port.ts";
import { StandingIndex } from "./standing.ts";
import { TargetLists } from "./target-lists.ts";

/** What distribution needs. */
export interface DistributionOptions {
  readonly fleet: string;
  readonly clock: Clock;
  readonly store: DesiredStore;
  readonly vault: BundleVault;
  readonly crypto: DesiredCrypto;
  readonly hints: Hinter;
  /** The cluster as it may be written to now; undefined: revoked, unknown, or not enrolled. */
  recipient(cluster: ClusterId): (Recipient & { readonly sealingKey: string }) | undefined;
  onFault(fault: Fault): void;
}

/** Revisions grow by one a change: beyond this an agent lies, and the next one would be no exact number. */
const maxRevision = 2n ** 52n;
/** How long a cluster waits whose state could not be made, in milliseconds. */
const retryMs = 5000;

/** A state on its way, with what it was made of. */
interface Draft {
  readonly state: DesiredState;
  readonly changes: ReadonlyMap<TargetKey, Change>;
  readonly removed: ReadonlyMap<TargetKey, bigint>;
}

/** What an agent said of itself when its session began. */
export interface Hailed {
  readonly highWater: bigint;
  readonly held: SignedDesiredState | undefined;
}

/** Clusters written at once: the first agents of a large fleet fetch theirs while the next are worked out. */
const roundSize = 200;

/**
 * Writes what each cluster should hold. Changes are gathered by cluster and written together: one state, one key, one
 * hint a cluster, whatever number of lanes move. A cluster is written to only after its hello in this term, at
 * 1 + max(stored, reported); until then its changes wait here and are worked out anew after a restart.
 */
export class DistributionReconciler {
  readonly #options: DistributionOptions;
  readonly #ledger: Ledger;
  /** What stands, by owner and lane. */
  readonly standing: StandingIndex;
  readonly #lists: TargetLists;
  /** Clusters whose stored state could not be read in this term. */
  readonly #unreadable = new Set<ClusterId>();
  readonly #pending = new Map<ClusterId, Map<TargetKey, Change>>();
  readonly #removed = new Map<ClusterId, Map<TargetKey, bigint>>();
  readonly #hailed = new Map<ClusterId, bigint>();
  readonly #listeners = new Set<(clusters: readonly ClusterId[]) => void>();
  readonly #dirty = new Set<ClusterId>();
  #epoch = 0n;
  #wake: (() => void) | undefined;

  constructor(options: DistributionOptions) {
    this.#options = options;
    this.#ledger = new Ledger((text) => options.crypto.sha256(new TextEncoder().encode(text)));
    this.standing = new StandingIndex(this.#ledger);
    this.#lists = new TargetLists(options);
  }

  /** Reads the states in force; call at the start of a term, before `run`. */
  async load(epoch: bigint, signal: AbortSignal): Promise<void> {
    this.#epoch = epoch;
    this.#ledger.clear();
    this.standing.forget();
    this.#pending.clear();
    this.#lists.forget();
    this.#unreadable.clear();
    this.#removed.clear();
    this.#hailed.clear();
    this.#dirty.clear();
    for (const [cluster, bytes] of await this.#options.store.load(signal)) {
      try {
        this.#ledger.set(cluster, await this.#lists.unfold(decodeDesired(bytes, this.#options.crypto), signal));
      } catch (thrown) {
        this.#unreadable.add(cluster);
        this.#options.onFault(Fault.from(thrown).at({ cluster }));
      }
    }
  }

  held(cluster: ClusterId): Held | undefined {
    return this.#ledger.get(cluster);
  }

  all(): IterableIterator<[ClusterId, Held]> {
    return this.#ledger.entries();
  }

  /** The target as the cluster's desired state has it. */
  target(cluster: ClusterId, target: TargetKey) {
    return this.#ledger.target(cluster, target);
  }

  /** The change that waits for the cluster, if one does. */
  waiting(cluster: ClusterId, target: TargetKey): Change | undefined {
    return this.#pending.get(cluster)?.get(target);
  }

  /** Bundles that desired states name, or will once what waits is written; undefined: a state could not be read. */
  named(): ReadonlySet<Digest> | undefined {
    if (this.#unreadable.size > 0) return undefined;
    const named = new Set<Digest>(this.#lists.named());
    for (const [, { state }] of this.#ledger.entries()) {
      for (const { bundle } of state.targets) if (bundle !== undefined) named.add(bundle.digest as Digest);
    }
    for (const changes of this.#pending.values()) {
      for (const change of changes.values()) if (change.kind === "hold") named.add(change.content.bundle.digest);
    }
    return named;
  }

  /** Whether the cluster has said hello in this term. */
  isHailed(cluster: ClusterId): boolean {
    return this.#hailed.has(cluster);
  }

  /** Called after states were written, with the clusters that have new ones. Returns how to stop. */
  onWritten(listener: (clusters: readonly ClusterId[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks for a change; a later one for the same target takes its place. Doing it again changes nothing. */
  assign(cluster: ClusterId, target: TargetKey, change: Change): void {
    const changes = this.#pending.get(cluster) ?? new Map<TargetKey, Change>();
    this.#pending.set(cluster, changes.set(target, change));
    this.#mark(cluster);
  }

  /** Takes back a change that was not written yet. */
  unassign(cluster: ClusterId, target: TargetKey): void {
    this.#pending.get(cluster)?.delete(target);
  }

  /** The agent carried out a tombstone. */
  confirmRemoved(cluster: ClusterId, target: TargetKey, generation: bigint): void {
    const removed = this.#removed.get(cluster) ?? new Map<TargetKey, bigint>();
    this.#removed.set(cluster, removed.set(target, generation));
    this.#mark(cluster);
  }

  /** Labels or the like changed: write the state anew if it differs. */
  review(cluster: ClusterId): void {
    if (this.#ledger.get(cluster) !== undefined) this.#mark(cluster);
  }

  /**
   * A session began. Where the agent holds a higher revision than the store (lost or set back), what it brings becomes
   * current as it is, once its signature holds. Returns the revision now in force.
   */
  async hail(cluster: ClusterId, hailed: Hailed, signal: AbortSignal): Promise<bigint> {
    if (hailed.highWater > maxRevision) {
      throw new Fault("bad-input", {
        message: `the agent of ${cluster} says that it held revision ${hailed.highWater}, which no hub ever wrote.`,
        where: { cluster },
      });
    }
    const stored = this.#ledger.get(cluster)?.state;
    if (hailed.held !== undefined) {
      const brought = await this.#lists.unfold(openDesired(hailed.held, this.#options.crypto), signal);
      if (brought.cluster === cluster && brought.revision > (stored?.revision ?? 0n)) {
        const bytes = toBinary(SignedDesiredStateSchema, hailed.held);
        await this.#options.store.saveAll(new Map([[cluster, bytes]]), signal);
        this.#ledger.set(cluster, brought);
        this.#unreadable.delete(cluster);
        this.standing.invalidate();
      }
    }
    this.#hailed.set(cluster, hailed.highWater);
    // Whatever waited for it, and labels that changed while it could not be written to.
    this.#mark(cluster);
    return this.#ledger.get(cluster)?.state.revision ?? 0n;
  }

  /** The target list of a state that an agent brings, where it will be needed and is not stored. Throws `signature-refused`. */
  async listMissing(cluster: ClusterId, held: SignedDesiredState | undefined, signal: AbortSignal) {
    if (held === undefined) return undefined;
    const state = openDesired(held, this.#options.crypto);
    const isNews = state.revision > (this.#ledger.get(cluster)?.state.revision ?? 0n);
    return isNews ? this.#lists.missing(state, signal) : undefined;
  }

  /** Stores a target list that an agent brings. Throws `digest-mismatch`. */
  takeList(list: { readonly digest: Digest; readonly gzip: Uint8Array }, signal: AbortSignal): Promise<void> {
    return this.#lists.take(list, signal);
  }

  /** The cluster's labels as a state that it brings has them. Throws `signature-refused`. */
  labelsIn(brought: SignedDesiredState | undefined): Readonly<Record<string, string>> {
    return brought === undefined ? {} : openDesired(brought, this.#options.crypto).labels;
  }

  /** The cluster is gone or cut off: its key goes, what it runs stays. */
  async purge(cluster: ClusterId, signal: AbortSignal): Promise<void> {
    this.#hailed.delete(cluster);
    this.#pending.delete(cluster);
    this.#removed.delete(cluster);
    this.#dirty.delete(cluster);
    this.#ledger.delete(cluster);
    this.standing.invalidate();
    await this.#options.store.delete(cluster, signal);
  }

  /** Writes until the signal aborts. A round that fails is tried again after a second. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#awaken(signal);
      if (signal.aborted) return;
      try {
        await this.#round(signal);
      } catch (thrown) {
        if (signal.aborted) return;
        const fault = Fault.from(thrown, "store-unavailable");
        this.#options.onFault(fault);
        if (fault.code === "not-leader") return;
        await this.#options.clock.sleep(1000, signal).catch(() => undefined);
      }
    }
  }

  /** One round: everything dirty whose cluster has said hello. Dirt is cleared only after the writes stand. */
  async #round(signal: AbortSignal): Promise<void> {
    const writes = new Map<ClusterId, Uint8Array>();
    const drafts = new Map<ClusterId, Draft>();
    for (const cluster of this.#dirty) {
      if (writes.size >= roundSize) break;
      this.#dirty.delete(cluster);
      await this.#prepare(cluster, { writes, drafts }, signal);
    }
    if (writes.size === 0) return;
    try {
      await this.#options.store.saveAll(writes, signal);
    } catch (thrown) {
      for (const cluster of writes.keys()) this.#dirty.add(cluster);
      throw thrown;
    }
    for (const [cluster, draft] of drafts) await this.#written(cluster, draft, signal);
    this.standing.invalidate();
    for (const listener of this.#listeners) listener([...writes.keys()]);
  }

  /** Makes one cluster's next state. What is wrong with one stops no other: it is told, and tried again. */
  async #prepare(
    cluster: ClusterId,
    { writes, drafts }: { readonly writes: Map<ClusterId, Uint8Array>; readonly drafts: Map<ClusterId, Draft> },
    signal: AbortSignal,
  ): Promise<void> {
    if (!this.#mayWrite(cluster)) return;
    const draft = {
      changes: new Map(this.#pending.get(cluster) ?? []),
      removed: new Map(this.#removed.get(cluster) ?? []),
    };
    try {
      const state = this.#next(cluster);
      if (state === undefined) {
        this.#settle(cluster, draft);
        return;
      }
      writes.set(
        cluster,
        encodeDesired(await this.#lists.fold(state, this.#options.recipient(cluster), signal), this.#options.crypto),
      );
      drafts.set(cluster, { ...draft, state });
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      this.#options.onFault(Fault.from(thrown).at({ cluster }));
      this.#options.clock.sleep(retryMs, signal).then(
        () => this.#mark(cluster),
        () => undefined,
      );
    }
  }

  /** Only after its hello in this term; what waits for one that is cut off goes on waiting. */
  #mayWrite(cluster: ClusterId): boolean {
    return this.#hailed.has(cluster) && this.#options.recipient(cluster) !== undefined;
  }

  async #written(cluster: ClusterId, draft: Draft, signal: AbortSignal): Promise<void> {
    if (!this.#hailed.has(cluster)) {
      // Cut off while its state was being written: the key goes again.
      await this.#options.store.delete(cluster, signal);
      return;
    }
    this.#ledger.set(cluster, draft.state);
    this.#settle(cluster, draft);
    this.#options.hints.hint(cluster, draft.state.revision);
  }

  #next(cluster: ClusterId): DesiredState | undefined {
    const recipient = this.#options.recipient(cluster);
    const highWater = this.#hailed.get(cluster);
    if (recipient === undefined || highWater === undefined) return undefined;
    return assemble({
      fleet: this.#options.fleet,
      recipient,
      epoch: this.#epoch,
      now: this.#options.clock.now(),
      previous: this.#ledger.get(cluster)?.state,
      highWater,
      changes: this.#pending.get(cluster) ?? new Map(),
      removed: this.#removed.get(cluster) ?? new Map(),
      seal: (bundle) => this.#options.crypto.seal(bundle, recipient),
      identity: (target) => this.#ledger.identity(target),
      isOf: (target, identity) => this.#ledger.remember(target, identity),
    });
  }

  /** What was written no longer waits, unless it was asked for anew meanwhile. */
  #settle(cluster: ClusterId, written: Omit<Draft, "state">): void {
    const pending = this.#pending.get(cluster);
    for (const [target, change] of written.changes) if (pending?.get(target) === change) pending.delete(target);
    if (pending?.size === 0) this.#pending.delete(cluster);
    const removed = this.#removed.get(cluster);
    for (const [target, generation] of written.removed) {
      if (removed?.get(target) === generation) removed.delete(target);
    }
    if (removed?.size === 0) this.#removed.delete(cluster);
  }

  #mark(cluster: ClusterId): void {
    this.#dirty.add(cluster);
    this.#wake?.();
  }

  #awaken(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener("abort", wake);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener("abort", wake, { once: true });
      if (signal.aborted || [...this.#dirty].some((cluster) => this.#hailed.has(cluster))) wake();
    });
  }
}
