import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Digest, Fault, limits, missingFeatures, parseDigest } from "@capstan/proto";
import { type HeldList, HeldListSchema } from "@capstan/proto/agent";
import {
  type BundleRef,
  type DesiredState,
  type DesiredTarget,
  SignedDesiredStateSchema,
  TargetListSchema,
} from "@capstan/proto/desired";
import { lacking, open } from "./accept.ts";
import { type FetchPorts, fetchBundle } from "./bundle.ts";
import type { CurrentState, HeldState, Scope } from "./model.ts";
import type { Shelf } from "./port.ts";

/** What the holder works with. */
export interface HolderPorts extends FetchPorts {
  readonly shelf: Shelf;
  /** Ed25519. */
  verify(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean;
  /** A state is held, and all that it needs is durable as far as it could be fetched. */
  accepted(current: CurrentState): void;
  /** A bundle could not be fetched; its target will ask again. */
  missing(target: string, fault: Fault): void;
}

/** Name of the entry with the signed state in the cache. */
const stateEntry = "desired";
const fetchesAtOnce = 8;
/** Of a target list that is brought to the hub: far below what a gRPC message takes. */
const pieceBytes = 512 * 1024;
/** Fetched bundles are stored when so many bytes of them are waiting. */
const storeAtBytes = 4 * 1024 * 1024;

/**
 * Holds the desired state: takes a new one (bundles first, then state and high-water revision in one durable step, then
 * use), brings the last one back after a restart, and hands out bundles, from the cache or else from the hub.
 */
export class StateHolder {
  readonly #ports: HolderPorts;
  #current: CurrentState | undefined;

  constructor(ports: HolderPorts) {
    this.#ports = ports;
  }

  get current(): CurrentState | undefined {
    return this.#current;
  }

  /** The state of the last run, if the cache has one that is ours. Returns why not, where it has one that is not. */
  async restore(
    scope: Pick<Scope, "verification" | "cluster" | "incarnation" | "features">,
    signal: AbortSignal,
  ): Promise<Fault | undefined> {
    const { shelf, crypto } = this.#ports;
    const bytes = await shelf.get(stateEntry, signal);
    if (bytes === undefined) return undefined;
    const signed = fromBinary(SignedDesiredStateSchema, bytes);
    const state = open(signed, scope, { verify: this.#ports.verify, gunzip: crypto.gunzip });
    if (state instanceof Fault) return state;
    if (state.cluster !== scope.cluster || state.incarnation !== scope.incarnation) {
      return new Fault("wrong-incarnation", {
        message: "the cache in this cluster is another cluster's; it is not used.",
      });
    }
    // Written by a newer agent: what this one does not understand it must not act on.
    const missing = missingFeatures(state.requiredFeatures, scope.features);
    if (missing.length > 0) return lacking(missing, state);
    const lists = await this.#lists(state, signal);
    this.#use({ signed, state, lists });
    return undefined;
  }

  /** Makes a state the held one. */
  async take(held: HeldState, signal: AbortSignal): Promise<void> {
    const { shelf } = this.#ports;
    const lists = await this.#lists(held.state, signal);
    const put = await this.#fetchMissing(lists.targets, signal);
    put.set(stateEntry, toBinary(SignedDesiredStateSchema, held.signed));
    const digests = lists.targets.flatMap(({ bundle }) => bundle?.digest ?? []);
    const list = held.state.list === undefined ? [] : [held.state.list.digest];
    const keep = new Set([...digests, ...list, ...shelf.reserve()]);
    await shelf.commit({ highWater: held.state.revision, put, keep }, signal);
    this.#use({ ...held, lists });
  }

  /** A target's bundle, fetched and stored first where the cache lacks it. */
  async bundle(target: DesiredTarget, signal: AbortSignal): Promise<Uint8Array> {
    const ref = target.bundle;
    if (ref === undefined) throw new Fault("bad-input", { message: "the target names no bundle." });
    return (await this.#ports.shelf.get(ref.digest, signal)) ?? this.#store(ref, signal);
  }

  /** Any bundle whose key is sealed to us; it is not stored. */
  async look(ref: BundleRef, signal: AbortSignal): Promise<Uint8Array> {
    const kept = await this.#ports.shelf.get(ref.digest, signal);
    return kept ?? (await fetchBundle(this.#ports, ref, signal)).gzip;
  }

  /** A bundle of the cache alone. */
  held(digest: Digest, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#ports.shelf.get(digest, signal);
  }

  /** The target list of the held state, cut for a hub that has lost it; one empty piece where it is not the one that is asked for. */
  async listPieces(digest: string, signal: AbortSignal): Promise<HeldList[]> {
    const list = this.#current?.state.list;
    const kept = list?.digest === digest ? await this.#ports.shelf.get(list.digest, signal) : undefined;
    const bytes = kept ?? new Uint8Array();
    const count = Math.max(1, Math.ceil(bytes.length / pieceBytes));
    return Array.from({ length: count }, (_, at) => {
      const data = bytes.subarray(at * pieceBytes, (at + 1) * pieceBytes);
      return create(HeldListSchema, { digest, data, more: at + 1 < count });
    });
  }

  async #store(ref: BundleRef, signal: AbortSignal): Promise<Uint8Array> {
    const { digest, gzip } = await fetchBundle(this.#ports, ref, signal);
    await this.#ports.shelf.commit({ put: new Map([[digest, gzip]]) }, signal);
    return gzip;
  }

  async #lists(state: DesiredState, signal: AbortSignal): Promise<CurrentState["lists"]> {
    if (state.list === undefined) return state;
    const gzip = (await this.#ports.shelf.get(state.list.digest, signal)) ?? (await this.#store(state.list, signal));
    return fromBinary(TargetListSchema, this.#ports.crypto.gunzip(gzip, limits.bundleBytes));
  }

  /** Bundles that the cache lacks. What cannot be fetched now does not hold up the others. */
  async #fetchMissing(targets: readonly DesiredTarget[], signal: AbortSignal): Promise<Map<string, Uint8Array>> {
    const { shelf, missing } = this.#ports;
    const wanted = new Map<string, DesiredTarget>();
    for (const target of targets) {
      const digest = target.bundle?.digest;
      if (digest !== undefined && !shelf.has(digest)) wanted.set(digest, target);
    }
    const queue = [...wanted.values()].values();
    let put = new Map<string, Uint8Array>();
    let bytes = 0;
    const worker = async () => {
      for (const target of queue) {
        try {
          if (target.bundle === undefined) continue;
          const packed = await fetchBundle(this.#ports, target.bundle, signal);
          put.set(parseDigest(packed.digest), packed.gzip);
          bytes += packed.gzip.length;
        } catch (thrown) {
          if (signal.aborted) throw thrown;
          missing(`${target.namespace}/${target.name}`, Fault.from(thrown));
        }
        if (bytes < storeAtBytes) continue;
        const full = put;
        put = new Map();
        bytes = 0;
        await shelf.commit({ put: full }, signal);
      }
    };
    await Promise.all(Array.from({ length: fetchesAtOnce }, worker));
    return put;
  }

  #use(current: CurrentState): void {
    this.#current = current;
    this.#ports.accepted(current);
  }
}
