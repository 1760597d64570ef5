import {
  again,
  backoffDelay,
  type Chance,
  type Clock,
  done,
  Fault,
  jittered,
  KeyedLoop,
  type Outcome,
} from "@capstan/proto";
import { Api, type EtagCache, RateLimited } from "./api.ts";
import { askingOf } from "./ask.ts";
import type { Asking, ConfigMaps } from "./asking.ts";
import type { GeneratorsConfig } from "./config.ts";
import { confirmed, lacks } from "./confirm.ts";
import { type Listing, type ListingQuery, type ListingState, listingKey } from "./model.ts";
import type { ApiClient, AppSigner, Listings, SecretReader } from "./port.ts";
import { signInHeaders } from "./sign-in.ts";

/** What asking servers outside needs. */
export interface ListingsOptions {
  readonly client: ApiClient;
  readonly secrets: SecretReader;
  readonly signer: AppSigner;
  readonly config: GeneratorsConfig;
  readonly configMaps: ConfigMaps;
  readonly clock: Clock;
  readonly chance: Chance;
}

interface Watched {
  readonly query: ListingQuery;
  /** Periods that watchers ask for, in ms; the shortest counts. */
  readonly periods: number[];
  state: ListingState | undefined;
  failures: number;
  readonly cache: EtagCache;
  /** Called at the end of the next try. */
  readonly settled: (() => void)[];
}

/** Tries after a failure: at first up to 5 s, doubling to 5 min. */
const backoff = { base: 5000, factor: 2, cap: 300_000 };
/** One listing, with all its pages, may take so long, in ms. */
const listingTimeout = 900_000;
/** Hints come in crowds (labels, commits, comments): gathered for so long, in ms. */
const hintMs = 2000;

/** Asks each query of the sets once for all who need it, again when it is due, and keeps the last complete answer. */
export class ListingsReconciler implements Listings {
  readonly #options: ListingsOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #listeners = new Set<(key: string) => void>();
  readonly #loop: KeyedLoop;
  /** Until when a server wants to be left alone by one of its users. */
  readonly #closed = new Map<string, RateLimited>();

  constructor(options: ListingsOptions) {
    this.#options = options;
    this.#loop = new KeyedLoop({
      clock: options.clock,
      chance: options.chance,
      concurrency: options.config.concurrency,
      backoff,
      handle: (key, signal) => this.#look(key, signal),
      onFault: () => undefined,
    });
  }

  watch(query: ListingQuery): () => void {
    const key = listingKey(query);
    const watched: Watched = this.#watched.get(key) ?? {
      query,
      periods: [],
      state: undefined,
      failures: 0,
      cache: new Map(),
      settled: [],
    };
    const period = Math.max(1, query.everySeconds) * 1000;
    watched.periods.push(period);
    if (!this.#watched.has(key)) {
      this.#watched.set(key, watched);
      this.#loop.add(key);
    }
    let watching = true;
    return () => {
      if (!watching) return;
      watching = false;
      watched.periods.splice(watched.periods.indexOf(period), 1);
      if (watched.periods.length > 0) return;
      this.#watched.delete(key);
      for (const resolve of watched.settled.splice(0)) resolve();
    };
  }

  current(query: ListingQuery): ListingState | undefined {
    return this.#watched.get(listingKey(query))?.state;
  }

  async settle(query: ListingQuery, signal: AbortSignal): Promise<void> {
    const watched = this.#watched.get(listingKey(query));
    if (watched === undefined || watched.state !== undefined || signal.aborted) return;
    await new Promise<void>((resolve) => {
      watched.settled.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  onChange(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  hint(repositoryURL: string): void {
    const path = (URL.parse(repositoryURL)?.pathname ?? "").replace(/\.git$/, "").toLowerCase();
    if (path === "") return;
    for (const [key, { query }] of this.#watched) {
      if (query.kind !== "plugin" && mayList(query, path)) this.#loop.addWithin(key, hintMs);
    }
  }

  settingsChanged(): void {
    for (const [key, { query, state }] of this.#watched) {
      if (query.kind === "plugin" || state?.fault !== undefined) this.#loop.add(key);
    }
  }

  start(signal: AbortSignal): Promise<void> {
    return this.#loop.run(signal);
  }

  async #look(key: string, signal: AbortSignal): Promise<Outcome> {
    const watched = this.#watched.get(key);
    if (watched === undefined) return done;
    const waiting = watched.settled.splice(0);
    const outcome = await this.#ask(watched, signal);
    if (signal.aborted) return done;
    const before = watched.state;
    const { clock, chance } = this.#options;
    if (outcome instanceof Fault) {
      watched.failures += 1;
      watched.state = { ...before, fault: outcome };
    } else {
      watched.failures = 0;
      watched.state = { listing: outcome, asOf: clock.now() };
    }
    if (differs(before, watched.state)) for (const listener of this.#listeners) listener(key);
    for (const resolve of [...waiting, ...watched.settled.splice(0)]) resolve();
    if (outcome instanceof RateLimited) return again(outcome.until - clock.now() + 1000 * chance());
    if (outcome instanceof Fault) return again(Math.max(1000, backoffDelay(backoff, watched.failures - 1, chance)));
    return again(jittered(Math.min(...watched.periods), 0.05, chance));
  }

  /** A whole listing, or why there is none. */
  async #ask({ query, state, cache }: Watched, signal: AbortSignal): Promise<Listing | Fault> {
    const { clock } = this.#options;
    const timeout = new AbortController();
    const bounded = AbortSignal.any([signal, timeout.signal]);
    const timer = clock.sleep(listingTimeout, bounded).then(
      () => timeout.abort(),
      () => undefined,
    );
    let gate = "";
    try {
      const asking = askingOf(query, this.#options);
      gate = JSON.stringify([query.namespace, asking.server.url, asking.signIn]);
      const closed = this.#closed.get(gate);
      if (closed !== undefined && closed.until > clock.now()) return closed;
      this.#closed.delete(gate);
      return await this.#list(asking, { query, before: state?.listing, cache }, bounded);
    } catch (thrown) {
      if (thrown instanceof RateLimited) this.#closed.set(gate, thrown);
      if (timeout.signal.aborted && !signal.aborted) return tooSlow();
      return Fault.from(thrown, "api-unreachable");
    } finally {
      timeout.abort();
      await timer;
    }
  }

  async #list(asking: Asking, of: ListedQuery, signal: AbortSignal): Promise<Listing> {
    const { client, clock, chance, config, secrets, signer } = this.#options;
    const { query, before, cache } = of;
    const common = {
      client,
      clock,
      chance,
      server: asking.server.url,
      trust: { insecure: asking.insecure, ...this.#ca(asking, query.namespace) },
      timeoutMs: asking.timeoutMs ?? config.timeoutSeconds * 1000,
      cache,
      signal,
    };
    const headers = await signInHeaders(asking, query.namespace, {
      config,
      secrets,
      signer,
      now: clock.now(),
      api: (other) => new Api({ ...common, headers: other }),
    });
    const api = new Api({ ...common, headers });
    const first = await asking.run(api);
    api.keepCache();
    if (!api.paged || before === undefined || !lacks(first, before)) return first;
    return confirmed(first, await asking.run(new Api({ ...common, cache: new Map(), headers })));
  }

  #ca({ caRef }: Asking, namespace: string): { readonly ca?: string } {
    if (caRef === undefined) return {};
    const pem = this.#options.configMaps(namespace, caRef.configMapName)?.[caRef.key];
    if (pem !== undefined) return { ca: pem };
    throw new Fault("bad-input", {
      message: `there is no key ${JSON.stringify(caRef.key)} in a ConfigMap ${namespace}/${caRef.configMapName}.`,
      where: { field: "caRef" },
      next: "Add the ConfigMap to a root of documents, or apply it with capstan apply.",
    });
  }
}

interface ListedQuery {
  readonly query: ListingQuery;
  readonly before: Listing | undefined;
  readonly cache: EtagCache;
}

/** Whether a repository may be among those that a query lists, by the names that stand in both. */
function mayList({ spec }: ListingQuery, path: string): boolean {
  const names = Object.values(spec).flatMap((fields) => {
    if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return [];
    const of = fields as Readonly<Record<string, unknown>>;
    return ["repo", "project", "organization", "group", "owner", "teamProject"].flatMap((name) =>
      typeof of[name] === "string" ? [of[name].toLowerCase()] : [],
    );
  });
  const parts = `${path}/`;
  return names.some((name) => name !== "" && (parts.includes(`/${name}/`) || parts.includes(`/~${name}/`)));
}

function differs(before: ListingState | undefined, now: ListingState): boolean {
  if (before === undefined || before.fault?.message !== now.fault?.message) return true;
  return JSON.stringify(before.listing) !== JSON.stringify(now.listing);
}

function tooSlow(): Fault {
  return new Fault("timeout", {
    message: `the whole listing took longer than ${listingTimeout / 60_000} minutes.`,
    next: "Ask for less: a smaller group, filters on repositories, or labels.",
  });
}
