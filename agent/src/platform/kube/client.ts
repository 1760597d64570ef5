import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { type Chance, type Clock, Fault } from "@capstan/proto";
import type { KubeAccess } from "./access.ts";

/** One request to the API server. */
export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From the root, encoded, with its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  /** The user to act as; none: the agent itself. */
  readonly as?: string;
}

/** The answer: any status, and the body as parsed JSON (undefined where it is empty or no JSON). */
export interface KubeAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** What a client is made of. */
export interface KubeClientOptions {
  readonly access: KubeAccess;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Requests in flight at once; watches are not counted. */
  readonly inFlight: number;
  readonly timeoutMs: number;
  /** Told of every request as it is sent: for counts and tests. A throw here fails the request unsent. */
  readonly onRequest?: (request: KubeRequest) => void;
}

const busyTries = 6;
const longestBusyMs = 30_000;
const longestAnswer = 128 * 1024 * 1024;

/**
 * A REST client of one API server: kept-alive connections, a bound on requests in flight, 429 with Retry-After honoured.
 * Answers of any status are returned; only what never got an answer is thrown, as `cluster-unreachable`, `timeout` or
 * `cancelled`.
 */
export class KubeClient {
  readonly #options: KubeClientOptions;
  readonly #server: URL;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #streams: HttpAgent | HttpsAgent;

  constructor(options: KubeClientOptions) {
    this.#options = options;
    const { access } = options;
    this.#server = new URL(access.server);
    const tls = {
      ...(access.ca === undefined ? {} : { ca: access.ca }),
      ...(access.cert === undefined ? {} : { cert: access.cert }),
      ...(access.key === undefined ? {} : { key: access.key }),
      ...(access.serverName === undefined ? {} : { servername: access.serverName }),
      rejectUnauthorized: access.insecure !== true,
    };
    const kept = { keepAlive: true, maxSockets: options.inFlight, scheduling: "lifo" } as const;
    const secure = this.#server.protocol === "https:";
    this.#agent = secure ? new HttpsAgent({ ...kept, ...tls }) : new HttpAgent(kept);
    this.#streams = secure ? new HttpsAgent({ keepAlive: false, ...tls }) : new HttpAgent();
  }

  /** Sends one request; waits as the server asks where it is busy. */
  async send(request: KubeRequest, signal: AbortSignal): Promise<KubeAnswer> {
    for (let tried = 1; ; tried++) {
      const answer = await this.#once(request, signal);
      if (answer.status !== 429 || tried >= busyTries) return { status: answer.status, body: parseBody(answer.text) };
      const asked = Number(answer.retryAfter);
      const base = Number.isFinite(asked) && asked >= 0 ? asked * 1000 : 250 * 2 ** tried;
      const wait = Math.min(longestBusyMs, base + this.#options.chance() * Math.max(100, base));
      await this.#options.clock.sleep(wait, signal).catch((thrown: unknown) => {
        throw cancelled(thrown);
      });
    }
  }

  /** Opens a stream and hands over its lines as parsed JSON. Ends when the server ends it; throws as `send` does. */
  async *lines(path: string, accept: string, options: LinesOptions, signal: AbortSignal): AsyncGenerator<unknown> {
    for await (const line of this.text({ path, accept }, options, signal)) {
      if (line.length > 0) yield JSON.parse(line);
    }
  }

  /** Opens a stream and hands over its lines as they are, without their ends; else as `lines`. */
  async *text(
    { path, accept }: { readonly path: string; readonly accept: string },
    options: LinesOptions,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    const request: KubeRequest = { method: "GET", path, accept };
    this.#options.onRequest?.(request);
    const headers = await this.#headers(request);
    const response = await this.#open({ path: this.#path(path), method: "GET", headers, agent: this.#streams, signal });
    // 204: a log without a line.
    if (response.statusCode !== 200 && response.statusCode !== 204) {
      const answer = { status: response.statusCode ?? 0, body: parseBody(await readText(response)) };
      throw new StreamRefused(answer);
    }
    options.opened();
    response.setTimeout(options.silenceMs, () => response.destroy(new Error("the stream fell silent")));
    try {
      yield* splitLines(response);
    } catch (thrown) {
      throw unreached(thrown, signal);
    } finally {
      response.destroy();
    }
  }

  /** Closes idle connections; requests under way end by their own signals. */
  close(): void {
    this.#agent.destroy();
    this.#streams.destroy();
  }

  async #once(request: KubeRequest, signal: AbortSignal): Promise<RawAnswer> {
    if (signal.aborted) throw cancelled(signal.reason);
    this.#options.onRequest?.(request);
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers = await this.#headers(request, body);
    const options = { path: this.#path(request.path), method: request.method, headers, agent: this.#agent };
    try {
      return await exchange(this.#requestOptions(options), body, { signal, timeoutMs: this.#options.timeoutMs });
    } catch (thrown) {
      // The server closed a kept-alive connection just as we used it: nothing was answered, and all our requests may
      // be sent twice (applies and merge patches are idempotent, deletes carry a UID, creates name their object).
      if (!(thrown instanceof StaleConnection)) throw unreached(thrown, signal);
    }
    return exchange(this.#requestOptions(options), body, { signal, timeoutMs: this.#options.timeoutMs }).catch(
      (thrown: unknown) => {
        throw unreached(thrown, signal);
      },
    );
  }

  #requestOptions(options: RequestOptions): RequestOptions {
    const { protocol, hostname, port } = this.#server;
    return { ...options, protocol, hostname: hostname.replace(/^\[|\]$/g, ""), port };
  }

  #path(path: string): string {
    return `${this.#server.pathname.replace(/\/$/, "")}${path}`;
  }

  async #headers(request: KubeRequest, body?: string): Promise<Record<string, string>> {
    const token = await this.#options.access.token();
    return {
      accept: request.accept ?? "application/json",
      "user-agent": "capstan-agent",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(request.as === undefined ? {} : { "impersonate-user": request.as }),
      ...(body === undefined
        ? {}
        : {
            "content-type": request.contentType ?? "application/json",
            "content-length": String(Buffer.byteLength(body)),
          }),
    };
  }

  #open(options: RequestOptions & { readonly signal: AbortSignal }): Promise<IncomingMessage> {
    const send = this.#server.protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const sent = send(this.#requestOptions(options), resolve);
      sent.setTimeout(this.#options.timeoutMs, () => sent.destroy(new Error("no answer in time")));
      sent.once("error", (thrown) => reject(unreached(thrown, options.signal)));
      sent.once("response", () => sent.setTimeout(0));
      sent.end();
    });
  }
}

/** How a stream is watched over. */
export interface LinesOptions {
  /** Longest silence before the connection counts as lost, in milliseconds. */
  readonly silenceMs: number;
  /** Told when the server has accepted the stream. */
  opened(): void;
}

/** A stream that was answered with something else than 200. */
export class StreamRefused extends Error {
  readonly answer: KubeAnswer;
  constructor(answer: KubeAnswer) {
    super(`HTTP ${answer.status}`);
    this.answer = answer;
  }
}

class StaleConnection extends Error {}

interface RawAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

interface ExchangeLimits {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

function exchange(options: RequestOptions, body: string | undefined, limits: ExchangeLimits): Promise<RawAnswer> {
  const send = options.protocol === "https:" ? httpsRequest : httpRequest;
  if (limits.signal.aborted) return Promise.reject(cancelled(limits.signal.reason));
  return new Promise((resolve, reject) => {
    let answered = false;
    const sent = send(options, (response) => {
      answered = true;
      readText(response).then(
        (text) => {
          settle();
          resolve({ status: response.statusCode ?? 0, text, retryAfter: response.headers["retry-after"] });
        },
        (thrown: unknown) => {
          settle();
          reject(thrown as Error);
        },
      );
    });
    const abort = () => sent.destroy(cancelled(limits.signal.reason));
    const timer = setTimeout(() => sent.destroy(timedOut(limits.timeoutMs)), limits.timeoutMs);
    const settle = () => {
      clearTimeout(timer);
      limits.signal.removeEventListener("abort", abort);
    };
    limits.signal.addEventListener("abort", abort, { once: true });
    sent.once("error", (thrown: NodeJS.ErrnoException) => {
      if (answered) return;
      settle();
      const stale = sent.reusedSocket && (thrown.code === "ECONNRESET" || thrown.code === "EPIPE");
      reject(stale ? new StaleConnection("stale", { cause: thrown }) : thrown);
    });
    sent.end(body);
  });
}

function readText(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > longestAnswer) response.destroy(new Error("the answer is too long"));
      else chunks.push(chunk);
    });
    response.once("end", () => resolve(chunks.length === 1 ? String(chunks[0]) : Buffer.concat(chunks).toString()));
    response.once("error", reject);
    response.once("close", () => reject(new Error("the connection closed in the middle of an answer")));
  });
}

async function* splitLines(response: IncomingMessage): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = Buffer.concat([...rest, chunk.subarray(start, end)]);
      rest = [];
      start = end + 1;
      yield line.toString();
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
  // A log may end without a line's end; a watch that does was torn, and its half line is not for parsing.
  if (rest.length > 0 && response.headers["content-type"]?.startsWith("text/plain") === true) {
    yield Buffer.concat(rest).toString();
  }
}

function parseBody(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // A proxy's page, or plain text of the server's own mux: only the status counts then.
    return { message: text.slice(0, 300) };
  }
}

function cancelled(reason: unknown): Fault {
  return new Fault("cancelled", { message: "the request was cancelled.", cause: reason });
}

function timedOut(ms: number): Fault {
  return new Fault("timeout", { message: `the API server gave no answer within ${ms / 1000} s.` });
}

function unreached(thrown: unknown, signal: AbortSignal): Error {
  if (thrown instanceof Fault || thrown instanceof StreamRefused) return thrown;
  if (signal.aborted) return cancelled(signal.reason);
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  return new Fault("cluster-unreachable", {
    message: `the API server cannot be reached: ${why}.`,
    next: "See that it runs, and that its address and certificate are right.",
    cause: thrown,
  });
}
