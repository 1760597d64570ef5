import { again, type Chance, type Clock, done, Fault, type Instant, KeyedLoop, type Outcome } from "@capstan/proto";
import { type CredentialRule, credentialFor } from "./credentials.ts";
import type { Commit, CommitInfo, Repository, RepositoryKey, SourceState, Tree } from "./model.ts";
import type { GitMirror, SecretReader, Sources } from "./port.ts";
import { parseRepository, placeOf } from "./repository.ts";
import { parseRevision } from "./revision.ts";
import { nextLookMs, type Schedule } from "./schedule.ts";

/** What the sources need of the world. */
export interface SourcesOptions {
  readonly mirror: GitMirror;
  readonly secrets: SecretReader;
  readonly rules: readonly CredentialRule[];
  readonly schedule: Schedule;
  readonly concurrency: number;
  /** A fetch that takes longer is given up as unreachable, in milliseconds. */
  readonly fetchTimeoutMs: number;
  readonly clock: Clock;
  readonly chance: Chance;
}

interface Watched {
  users: number;
  info?: CommitInfo;
  asOf?: Instant;
  fault?: Fault;
}

interface Mirrored {
  readonly repository: Repository;
  readonly revisions: Map<string, Watched>;
  failures: number;
  /** Called at the end of the next look. */
  readonly settled: (() => void)[];
}

/**
 * Keeps one mirror a repository, whoever uses it. A repository that fails serves its last good commits with the fault
 * beside them, and is tried again with backoff; the others do not notice.
 */
export class SourcesReconciler implements Sources {
  readonly #options: SourcesOptions;
  readonly #mirrored = new Map<RepositoryKey, Mirrored>();
  readonly #listeners = new Set<(repository: Repository) => void>();
  readonly #loop: KeyedLoop;

  constructor(options: SourcesOptions) {
    this.#options = options;
    this.#loop = new KeyedLoop({
      clock: options.clock,
      chance: options.chance,
      concurrency: options.concurrency,
      backoff: options.schedule.backoff,
      handle: (key, signal) => this.#look(key as RepositoryKey, signal),
      onFault: () => undefined,
    });
  }

  watch(repositoryURL: string, revision: string): () => void {
    const repository = parseRepository(repositoryURL);
    parseRevision(revision);
    const mirrored = this.#mirroredOf(repository);
    const watched = mirrored.revisions.get(revision) ?? { users: 0 };
    watched.users += 1;
    if (watched.users === 1) {
      mirrored.revisions.set(revision, watched);
      this.#loop.add(repository.key);
    }
    let watching = true;
    return () => {
      if (watching) this.#unwatch(mirrored, revision);
      watching = false;
    };
  }

  current(repositoryURL: string, revision: string): SourceState | undefined {
    const { key } = parseRepository(repositoryURL);
    const mirrored = this.#mirrored.get(key);
    const watched = mirrored?.revisions.get(revision);
    if (mirrored === undefined || watched?.info === undefined || watched.asOf === undefined) return undefined;
    const { info, asOf, fault } = watched;
    const state = { repository: mirrored.repository, revision, commit: info.commit, info, asOf };
    return fault === undefined ? state : { ...state, fault };
  }

  faultOf(repositoryURL: string, revision: string): Fault | undefined {
    return this.#mirrored.get(parseRepository(repositoryURL).key)?.revisions.get(revision)?.fault;
  }

  tree(repositoryURL: string, commit: Commit): Tree {
    return this.#options.mirror.tree(parseRepository(repositoryURL), commit);
  }

  refresh(repositoryURL: string): void {
    // Hints come from outside, and may hold anything.
    const place = placeOf(repositoryURL);
    if (place === undefined) return;
    for (const key of this.#mirrored.keys()) if (placeOf(key) === place) this.#loop.add(key);
  }

  async settle(repositoryURL: string, signal: AbortSignal): Promise<void> {
    const mirrored = this.#mirrored.get(parseRepository(repositoryURL).key);
    if (mirrored === undefined || signal.aborted) return;
    await new Promise<void>((resolve) => {
      mirrored.settled.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
      this.#loop.add(mirrored.repository.key);
    });
  }

  onChange(listener: (repository: Repository) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#loop.run(signal);
    await this.#options.mirror.close();
  }

  #mirroredOf(repository: Repository): Mirrored {
    const known = this.#mirrored.get(repository.key);
    if (known !== undefined) return known;
    const mirrored: Mirrored = { repository, revisions: new Map(), failures: 0, settled: [] };
    this.#mirrored.set(repository.key, mirrored);
    return mirrored;
  }

  #unwatch(mirrored: Mirrored, revision: string): void {
    const watched = mirrored.revisions.get(revision);
    if (watched === undefined) return;
    watched.users -= 1;
    if (watched.users === 0) mirrored.revisions.delete(revision);
    if (mirrored.revisions.size > 0) return;
    this.#mirrored.delete(mirrored.repository.key);
    for (const resolve of mirrored.settled.splice(0)) resolve();
  }

  async #look(key: RepositoryKey, signal: AbortSignal): Promise<Outcome> {
    const mirrored = this.#mirrored.get(key);
    if (mirrored === undefined) return done;
    const waiting = mirrored.settled.splice(0);
    const fault = await this.#fetch(mirrored, signal);
    if (signal.aborted) return done;
    mirrored.failures = fault === undefined ? 0 : mirrored.failures + 1;
    let changed = false;
    for (const [revision, watched] of mirrored.revisions) {
      const moved = await this.#settleRevision(mirrored.repository, revision, watched, fault, signal);
      changed = moved || changed;
    }
    if (changed) for (const listener of this.#listeners) listener(mirrored.repository);
    for (const resolve of waiting) resolve();
    return again(nextLookMs(this.#options.schedule, mirrored.failures, this.#options.chance));
  }

  async #fetch(mirrored: Mirrored, signal: AbortSignal): Promise<Fault | undefined> {
    const timeout = new AbortController();
    const bounded = AbortSignal.any([signal, timeout.signal]);
    const timer = this.#options.clock.sleep(this.#options.fetchTimeoutMs, bounded).then(
      () => timeout.abort(),
      () => undefined,
    );
    try {
      const credential = await this.#credential(mirrored.repository);
      await this.#options.mirror.fetch(mirrored.repository, credential, bounded);
      return undefined;
    } catch (thrown) {
      if (timeout.signal.aborted && !signal.aborted) return this.#timedOut(mirrored.repository);
      return Fault.from(thrown, "repository-unreachable").at({ repository: mirrored.repository.url });
    } finally {
      timeout.abort();
      await timer;
    }
  }

  #timedOut(repository: Repository): Fault {
    return new Fault("repository-unreachable", {
      message: `the repository did not answer a fetch within ${Math.round(this.#options.fetchTimeoutMs / 1000)} s.`,
      where: { repository: repository.url },
      next: "See whether the Git server is up and reachable from the hub.",
    });
  }

  #credential(repository: Repository) {
    return credentialFor(this.#options.rules, repository, this.#options.secrets);
  }

  /** Whether the revision's commit moved, or its fault came, changed or went. */
  async #settleRevision(
    repository: Repository,
    revision: string,
    watched: Watched,
    fetchFault: Fault | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const before = { commit: watched.info?.commit, fault: faultId(watched.fault) };
    if (fetchFault === undefined) await this.#resolve(repository, revision, watched, signal);
    // A mirror kept on disk from before a restart still serves while its repository is away.
    else await this.#keep(repository, revision, watched, fetchFault);
    return before.commit !== watched.info?.commit || before.fault !== faultId(watched.fault);
  }

  async #resolve(repository: Repository, revision: string, watched: Watched, signal: AbortSignal): Promise<void> {
    try {
      const { fault, ...info } = await this.#find(repository, revision, signal);
      watched.info = info;
      watched.asOf = this.#options.clock.now();
      if (fault === undefined) delete watched.fault;
      else watched.fault = fault.at({ repository: repository.url, revision });
    } catch (thrown) {
      watched.fault = Fault.from(thrown).at({ repository: repository.url, revision });
    }
  }

  async #find(repository: Repository, revision: string, signal: AbortSignal): Promise<CommitInfo> {
    const parsed = parseRevision(revision);
    try {
      return await this.#options.mirror.resolve(repository, parsed);
    } catch (thrown) {
      if (Fault.from(thrown).code !== "revision-not-found") throw thrown;
      const credential = await this.#credential(repository);
      await this.#options.mirror.fetchRevision(repository, parsed, { credential, signal });
      return await this.#options.mirror.resolve(repository, parsed);
    }
  }

  async #keep(repository: Repository, revision: string, watched: Watched, fault: Fault): Promise<void> {
    watched.fault = fault;
    if (watched.info !== undefined) return;
    try {
      watched.info = await this.#options.mirror.resolve(repository, parseRevision(revision));
      watched.asOf = await this.#options.mirror.fetchedAt(repository);
    } catch {
      // Nothing on disk either: the fetch's fault says why.
    }
  }
}

function faultId(fault: Fault | undefined): string {
  return fault === undefined ? "" : `${fault.code} ${fault.message}`;
}
