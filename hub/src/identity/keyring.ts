import { type Clock, type ClusterId, Fault } from "@capstan/proto";
import type { IdentityTimes, KeyNotes, Trust } from "./model.ts";
import type { Authority, KeyNoteStore, Signer } from "./port.ts";
import { dueAt, isBehind, missing, rotate } from "./rotation.ts";

/** What the keyring needs. */
export interface KeyringOptions {
  readonly clock: Clock;
  readonly times: IdentityTimes;
  readonly authority: Authority;
  readonly signer: Signer;
  readonly notes: KeyNoteStore;
  /** Every cluster that is welcome, with what it is known to trust. */
  clusters(): ReadonlyMap<ClusterId, Trust | undefined>;
  /** Asks a connected agent to renew within so many milliseconds; without a session it does nothing. */
  askToRenew(cluster: ClusterId, withinMs: number): void;
  /** The CA's certificates changed, or one was retired: the server's own certificate follows. */
  onRoots(): Promise<void>;
  onFault(fault: Fault): void;
  /** For the log: one sentence a step. */
  told(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** A key or CA as people see it. */
export interface KeyStatus {
  readonly kind: "signing" | "ca";
  readonly id: string;
  readonly state: "announced" | "active" | "trusted" | "retired";
  readonly announcedAt: number;
  readonly dueAt: number | undefined;
  /** Clusters that are welcome. */
  readonly clusters: number;
  /** Those of them that are not known to trust it. */
  readonly missing: readonly ClusterId[];
}

const lookEvery = 5_000;
/** For each cluster that is asked to renew: a thousand of them take 20 s. */
const spreadPerCluster = 20;
const spreadAtLeast = 1_000;

/** Carries signing keys and CA certificates from their first offer to their end; the files on disk are where they come from. */
export class Keyring {
  readonly #options: KeyringOptions;
  #notes: KeyNotes | undefined;
  #files = "";

  constructor(options: KeyringOptions) {
    this.#options = options;
  }

  /** Reads notes and key files and decides which key signs; call at the start of a term, before anything is signed. */
  async load(signal: AbortSignal): Promise<void> {
    this.#files = "";
    this.#notes = await this.#options.notes.read(signal);
    await this.#look(signal);
  }

  /** Looks every few seconds until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, onFault } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(lookEvery, signal).catch(() => undefined);
      if (signal.aborted) return;
      await this.#look(signal).catch((thrown: unknown) => {
        if (!signal.aborted) onFault(Fault.from(thrown));
      });
    }
  }

  /** How soon an agent with this trust should renew, in milliseconds; undefined: it lacks nothing. */
  renewal(trust: Trust | undefined): number | undefined {
    // One that does not say what it trusts is older than this question.
    if (trust === undefined || !isBehind(trust, this.#offered())) return undefined;
    return Math.max(spreadAtLeast, this.#options.clusters().size * spreadPerCluster);
  }

  /** All keys, newest first. */
  status(): readonly KeyStatus[] {
    return [...this.#signingStatus(), ...this.#rootStatus()];
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { authority, signer, clock, times, notes, clusters } = this.#options;
    await signer.reload();
    await authority.reload();
    const signing = signer
      .keys()
      .map(({ keyId }) => keyId)
      .reverse();
    const roots = authority.roots();
    const before = this.#notes;
    const next = rotate({ now: clock.now(), times, signing, roots, notes: before, clusters: clusters() });
    if (JSON.stringify(next.notes) !== JSON.stringify(before)) {
      // First the note: what is used must be known to whoever takes over.
      await notes.write(next.notes, signal);
      this.#notes = next.notes;
      this.#tell(before, next.notes);
    }
    signer.use(next.signWith);
    authority.retire(next.retired);
    await this.#follow([...signing, ...roots, ...next.retired].join());
  }

  /** What stands on disk, or counts, is another than a look ago. */
  async #follow(files: string): Promise<void> {
    if (files === this.#files) return;
    await this.#options.onRoots();
    this.#files = files;
    for (const [cluster, trust] of this.#options.clusters()) {
      const within = this.renewal(trust);
      if (within !== undefined) this.#options.askToRenew(cluster, within);
    }
  }

  #offered(): Trust {
    const { signer, authority } = this.#options;
    return { keys: signer.keys().map(({ keyId }) => keyId), roots: authority.trusted() };
  }

  #tell(before: KeyNotes | undefined, after: KeyNotes): void {
    const { told } = this.#options;
    for (const [key, { activeAt }] of Object.entries(after.signing)) {
      const known = before?.signing[key];
      if (known === undefined && activeAt === undefined) told("a new signing key is offered to agents", { key });
      if (activeAt !== undefined && known !== undefined && known.activeAt === undefined)
        told("a new signing key signs from now on", { key });
    }
    for (const [pin, { retiredAt }] of Object.entries(after.roots)) {
      const known = before?.roots[pin];
      if (before !== undefined && known === undefined) told("a new CA issues from now on", { pin });
      if (retiredAt !== undefined && known?.retiredAt === undefined) told("a CA is trusted no longer", { pin });
    }
  }

  #signingStatus(): KeyStatus[] {
    const { signer, times } = this.#options;
    const current = signer.current();
    return signer.keys().map(({ keyId: id }) => {
      const { announcedAt = 0, activeAt } = this.#notes?.signing[id] ?? {};
      const waits = activeAt === undefined;
      const state = waits ? "announced" : id === current ? "active" : "trusted";
      const due = waits ? dueAt(times).signing(announcedAt) : undefined;
      return { kind: "signing", id, state, announcedAt, dueAt: due, ...this.#reach("keys", id) };
    });
  }

  #rootStatus(): KeyStatus[] {
    const { authority, times } = this.#options;
    const roots = authority.roots();
    const newest = roots.at(-1);
    const offered = this.#notes?.roots[newest ?? ""]?.announcedAt ?? 0;
    return [...roots].reverse().map((id) => {
      const { announcedAt = 0, retiredAt } = this.#notes?.roots[id] ?? {};
      const state = id === newest ? "active" : retiredAt === undefined ? "trusted" : "retired";
      const due = state === "trusted" ? dueAt(times).root(offered) : undefined;
      return { kind: "ca", id, state, announcedAt, dueAt: due, ...this.#reach("roots", id) };
    });
  }

  #reach(kind: keyof Trust, id: string) {
    const clusters = this.#options.clusters();
    return { clusters: clusters.size, missing: missing(clusters, { kind, id }) };
  }
}
