import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ClusterId, type Digest, Fault, limits, parseDigest } from "@capstan/proto";
import { BundleRefSchema, type DesiredState, DesiredStateSchema, TargetListSchema } from "@capstan/proto/desired";
import type { BundleVault, DesiredCrypto } from "./port.ts";

/** Target lists that are too large for a message: each is a bundle of its own. */
export class TargetLists {
  readonly #vault: BundleVault;
  readonly #crypto: DesiredCrypto;
  readonly #lists = new Map<ClusterId, Digest>();

  constructor({ vault, crypto }: { readonly vault: BundleVault; readonly crypto: DesiredCrypto }) {
    this.#vault = vault;
    this.#crypto = crypto;
  }

  /** A term begins. */
  forget(): void {
    this.#lists.clear();
  }

  /** The lists that states in force name. */
  named(): Iterable<Digest> {
    return this.#lists.values();
  }

  /** The state as it is signed: with its list in a bundle where that is too large. */
  async fold(
    state: DesiredState,
    recipient: { readonly cluster: ClusterId; readonly sealingKey: string } | undefined,
    signal: AbortSignal,
  ): Promise<DesiredState> {
    const list = create(TargetListSchema, {});
    list.targets = state.targets;
    list.tombstones = state.tombstones;
    const content = toBinary(TargetListSchema, list);
    if (content.length <= limits.inlineListBytes || recipient === undefined) {
      this.#lists.delete(state.cluster as ClusterId);
      return state;
    }
    const digest = this.#crypto.sha256(content);
    this.#lists.set(recipient.cluster, digest);
    const bundle = await this.#vault.store(digest, content, signal);
    const folded = create(DesiredStateSchema, { ...state, targets: [], tombstones: [] });
    folded.list = create(BundleRefSchema, {
      digest,
      size: BigInt(bundle.size),
      chunks: bundle.chunks,
      keyId: bundle.keyId,
      key: this.#crypto.seal(bundle, recipient),
    });
    return folded;
  }

  /** The reverse of `fold`. Throws `digest-mismatch` for a list that is not stored. */
  async unfold(state: DesiredState, signal: AbortSignal): Promise<DesiredState> {
    if (state.list === undefined) return state;
    const digest = parseDigest(state.list.digest);
    this.#lists.set(state.cluster as ClusterId, digest);
    const content = await this.#vault.read(digest, signal);
    if (content === undefined) {
      throw new Fault("digest-mismatch", { message: `the target list ${digest} of a desired state is not stored.` });
    }
    const list = fromBinary(TargetListSchema, content);
    const unfolded = create(DesiredStateSchema, state);
    unfolded.targets = list.targets;
    unfolded.tombstones = list.tombstones;
    delete unfolded.list;
    return unfolded;
  }

  /** The list that a state names and that is not stored. */
  async missing({ list }: DesiredState, signal: AbortSignal): Promise<Digest | undefined> {
    if (list === undefined) return undefined;
    const digest = parseDigest(list.digest);
    return (await this.#vault.has(digest, signal)) ? undefined : digest;
  }

  /** Stores a list that an agent brings. Throws `digest-mismatch`. */
  async take(
    { digest, gzip }: { readonly digest: Digest; readonly gzip: Uint8Array },
    signal: AbortSignal,
  ): Promise<void> {
    const content = this.#unpacked(gzip);
    if (content === undefined || this.#crypto.sha256(content) !== digest) {
      throw new Fault("digest-mismatch", { message: `expected the target list ${digest}, found other bytes.` });
    }
    await this.#vault.store(digest, content, signal);
  }

  #unpacked(gzip: Uint8Array): Uint8Array | undefined {
    try {
      return this.#crypto.gunzip(gzip, limits.bundleBytes);
    } catch {
      // Its digest is not right then either.
      return undefined;
    }
  }
}
