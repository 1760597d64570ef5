import { backoffDelay, type Chance, type Clock, Fault, type Instant } from "@capstan/proto";
import type { z } from "zod";
import type { Json } from "../documents/model.ts";
import type { ApiClient, ApiReply, ServerTrust } from "./port.ts";
import { limitedUntil } from "./rate.ts";

/** A server asks to be left alone until a moment. */
export class RateLimited extends Fault {
  readonly until: Instant;
  constructor(server: string, until: Instant) {
    super("rate-limited", {
      message: `${server} limits how often it may be asked; it is asked again at ${new Date(until).toISOString()}.`,
      next: "Nothing, or give the generator a token with a higher limit, or a longer requeueAfterSeconds.",
    });
    this.until = until;
  }
}

/** Answers of before, by URL, to be asked for by ETag. */
export type EtagCache = Map<string, { readonly etag: string; readonly reply: ApiReply }>;

/** What asking takes. */
export interface ApiOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Base URL, without a slash at the end. */
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly trust: ServerTrust;
  readonly timeoutMs: number;
  readonly cache: EtagCache;
  readonly signal: AbortSignal;
}

/** A decoded answer with what its headers say of further pages. */
export interface Page<T> {
  readonly value: T;
  readonly headers: ApiReply["headers"];
}

const tries = 3;
const retryBackoff = { base: 500, factor: 3, cap: 5000 };
/** Limits that end sooner are waited out within the listing, in ms. */
const shortLimit = 5000;
/** Pages of one listing; more is a mistake of the server, or no set of applications. */
const maxPages = 1000;
/** Characters of answers that are kept for their ETags, for one query. */
const cacheBytes = 16 * 1024 * 1024;

/** One server's API during one listing: tries again what may pass, asks by ETag, and knows what its statuses mean. */
export class Api {
  readonly #options: ApiOptions;
  /** More than one page was read: somebody may have been shifted out of sight between two of them. */
  paged = false;
  #seen: EtagCache = new Map();
  #failed: unknown;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  get server(): string {
    return this.#options.server;
  }

  /** GET of a path below the server (or a whole URL of its origin). Throws faults; 404 is `repository-not-found`. */
  async get<T>(path: string, schema: z.ZodType<T>): Promise<Page<T>> {
    const reply = await this.#answer(path);
    if (reply.status === 404) throw this.#notFound(path);
    return { value: this.#decode(path, reply, schema), headers: reply.headers };
  }

  /** As `get`, but undefined where nothing is there. */
  async find<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const reply = await this.#answer(path);
    return reply.status === 404 || reply.status === 204 ? undefined : this.#decode(path, reply, schema);
  }

  /** Whether something is at the path; its content is not looked at. */
  async exists(path: string): Promise<boolean> {
    return (await this.#answer(path)).status !== 404;
  }

  /** POST of a document; the answer decoded. */
  async post<T>(path: string, body: Json, schema: z.ZodType<T>): Promise<T> {
    const reply = await this.#answer(path, JSON.stringify(body));
    if (reply.status === 404) throw this.#notFound(path);
    return this.#decode(path, reply, schema);
  }

  /** All pages from a first path on; `next` reads where the next one is, undefined: nowhere. */
  async pages<T>(first: string, schema: z.ZodType<T>, next: (page: Page<T>, at: number) => string | undefined) {
    const values: T[] = [];
    for (let path: string | undefined = first; path !== undefined; ) {
      if (values.length >= maxPages) {
        throw new Fault("too-large", {
          message: `${this.server} lists more than ${maxPages} pages.`,
          next: "Ask for less: a smaller group, or labels.",
        });
      }
      const page: Page<T> = await this.get(path, schema);
      values.push(page.value);
      path = next(page, values.length);
      if (path !== undefined) this.paged = true;
    }
    return values;
  }

  /** What was answered now is what the next listing asks for by ETag. Call when the listing is whole. */
  keepCache(): void {
    const { cache } = this.#options;
    cache.clear();
    let size = 0;
    for (const [url, entry] of this.#seen) {
      size += entry.reply.body.length;
      if (size > cacheBytes) return;
      cache.set(url, entry);
    }
  }

  /** What fails once is not asked on: the listing is none any more, and others of its questions may be under way. */
  async #answer(path: string, body?: string): Promise<ApiReply> {
    if (this.#failed !== undefined) throw this.#failed;
    try {
      return await this.#patientAnswer(path, body);
    } catch (thrown) {
      this.#failed ??= thrown;
      throw thrown;
    }
  }

  async #patientAnswer(path: string, body?: string): Promise<ApiReply> {
    const url = this.#url(path);
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#try(url, body);
      if (!(outcome instanceof Fault)) return outcome;
      if (outcome instanceof RateLimited) {
        const wait = outcome.until - this.#options.clock.now();
        if (wait > shortLimit || attempt >= tries) throw outcome;
        await this.#options.clock.sleep(wait, this.#options.signal);
        continue;
      }
      if (!outcome.retryable || outcome.code === "api-auth" || attempt >= tries) throw outcome;
      const { clock, chance, signal } = this.#options;
      await clock.sleep(100 + backoffDelay(retryBackoff, attempt - 1, chance), signal);
    }
  }

  async #try(url: string, body: string | undefined): Promise<ApiReply | Fault> {
    const { client, headers, trust, timeoutMs, cache, signal, clock } = this.#options;
    const known = body === undefined ? cache.get(url) : undefined;
    try {
      const reply = await client.send(
        {
          method: body === undefined ? "GET" : "POST",
          url,
          headers: {
            accept: "application/json",
            "user-agent": "capstan",
            ...headers,
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...(known === undefined ? {} : { "if-none-match": known.etag }),
          },
          ...(body === undefined ? {} : { body }),
          trust,
          timeoutMs,
        },
        signal,
      );
      return this.#judge(url, reply, clock.now());
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      return Fault.from(thrown, "api-unreachable");
    }
  }

  #judge(url: string, reply: ApiReply, now: Instant): ApiReply | Fault {
    const { status, headers } = reply;
    const known = this.#options.cache.get(url);
    if (status === 304 && known !== undefined) {
      this.#seen.set(url, known);
      return known.reply;
    }
    const until = limitedUntil(reply, now);
    if (until !== undefined) return new RateLimited(this.server, until);
    if ((status >= 200 && status < 300) || status === 404) {
      const etag = headers["etag"];
      if (etag !== undefined && status === 200) this.#seen.set(url, { etag, reply });
      return reply;
    }
    if (status === 401 || status === 403) {
      return new Fault("api-auth", {
        message: `${this.server} answered ${status}: the credential is missing, wrong, or may not read this.`,
        next: "See the generator's secret: is it there, is it valid still, may it read this?",
      });
    }
    const message = `${this.server} answered ${status} to ${pathOf(url)}.`;
    if (status >= 500 || status === 408) return new Fault("api-unreachable", { message, next: tryAgain });
    return new Fault("api-answer", { message, next: "Look at the generator's fields: does the server know them?" });
  }

  #decode<T>(path: string, reply: ApiReply, schema: z.ZodType<T>): T {
    const parsed = schema.safeParse(this.#json(path, reply));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw new Fault("api-answer", {
      message: `${this.server} answered ${pathOf(path)} with something unexpected at ${issue?.path.join(".") || "its root"}: ${issue?.message}.`,
      next: "See whether the address is that of the API.",
    });
  }

  #json(path: string, reply: ApiReply): unknown {
    try {
      return JSON.parse(reply.body);
    } catch {
      throw new Fault("api-answer", {
        message: `${this.server} answered ${pathOf(path)} with something that is no JSON.`,
        next: "See whether the address is that of the API, and not of a sign-in page.",
      });
    }
  }

  #url(path: string): string {
    if (path.startsWith("/")) return `${this.server}${path}`;
    // A whole URL is one that the server gave for its next page.
    if (URL.parse(path)?.origin === URL.parse(this.server)?.origin) return path;
    throw new Fault("api-answer", {
      message: `${this.server} names a next page at another server.`,
      next: "Give the server's own address as api.",
    });
  }

  #notFound(path: string): Fault {
    return new Fault("repository-not-found", {
      message: `${this.server} knows nothing at ${pathOf(path)}, or hides it from this credential.`,
      next: "Look for a typing error, and at what the credential may read.",
    });
  }
}

const tryAgain = "Nothing: it is tried again by itself. See whether the server is up.";

/** The path alone: a query may hold what is not for everybody. */
function pathOf(url: string): string {
  return (URL.parse(url)?.pathname ?? url.split("?")[0] ?? "").slice(0, 200);
}
