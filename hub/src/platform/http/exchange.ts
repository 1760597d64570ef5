import { lookup as resolveName } from "node:dns";
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { rootCertificates } from "node:tls";
import { Fault } from "@capstan/proto";
import { parseRepository } from "../../sources/repository.ts";
import { type ServerRule, serverFor } from "../../sources/servers.ts";
import { readFileIfThere } from "../disk/files.ts";
import { isInnerAddress } from "./addresses.ts";

/** How servers of others are reached. */
export interface ReachOptions {
  /** For `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Certificates and proxies of single servers. */
  readonly servers: readonly ServerRule[];
  /** Hosts that another server may lead to although their addresses are private. */
  readonly privateHosts?: readonly string[];
}

/** One request. */
export interface Question {
  readonly method: "GET" | "POST";
  readonly url: string;
  /** Lower case. Authorization and tokens never leave the first origin. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Of this request alone, besides what the config says of the server. */
  readonly trust?: { readonly ca?: string; readonly insecure: boolean };
  /** Until the whole answer is there. */
  readonly timeoutMs: number;
  /** Longest body; what is longer is cut off while it comes. */
  readonly limitBytes: number;
  /** The server whose answer named the URL: it is followed only where a redirect would be. */
  readonly namedBy?: string;
}

/** One whole answer, of any status. */
export interface Reply {
  readonly status: number;
  /** Lower case; of several the first. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const maxRedirects = 5;
const redirects = new Set([301, 302, 303, 307, 308]);

/** What the hub's config says of one server. */
interface Reach {
  readonly proxies: Readonly<Record<string, string>>;
  readonly tls: { readonly ca?: string; readonly cert?: Uint8Array; readonly key?: Uint8Array };
}

/**
 * HTTP to servers of others, for all that the hub asks: bounded in size and time, few redirects, none to a private address
 * of another origin. Each request stands alone: no cookies, no state. Throws `api-unreachable`, `timeout`, `too-large`, and
 * `api-answer` for a redirect that is not followed.
 */
export class HttpExchange {
  readonly #options: ReachOptions;

  constructor(options: ReachOptions) {
    this.#options = options;
  }

  async send(question: Question, signal: AbortSignal): Promise<Reply> {
    const first = urlOf(question.url);
    if (question.namedBy !== undefined) this.#refuse(first, urlOf(question.namedBy));
    let url = first;
    for (let hops = 0; ; hops += 1) {
      const way = { url, first, outer: this.#isOuter(url, question), reach: await this.#reach(url) };
      const reply = await once({ ...question, headers: headersFor(question, first, url) }, way, signal);
      const location = reply.headers["location"];
      if (!redirects.has(reply.status) || location === undefined) return reply;
      if (hops >= maxRedirects) throw odd(first, "redirects without end");
      url = this.#follow(question, { first, from: url, location });
    }
  }

  /** Where a redirect leads, if it may be followed. */
  #follow(
    question: Question,
    { first, from, location }: { readonly first: URL; readonly from: URL; readonly location: string },
  ): URL {
    const to = URL.parse(location, from.href);
    if (question.method !== "GET") throw odd(first, "redirects a POST");
    if (to === null || (to.protocol !== "https:" && to.protocol !== "http:")) throw odd(first, "redirects to no URL");
    if (from.protocol === "https:" && to.protocol === "http:") throw odd(first, "redirects to plain http");
    this.#refuse(to, first);
    return to;
  }

  /** A literal address is never looked up, so that it has to be checked here. */
  #refuse(to: URL, first: URL): void {
    const host = bare(to.hostname);
    if (to.origin !== first.origin && isIP(host) !== 0 && !this.#isListed(to) && isInnerAddress(host))
      throw inside(first);
  }

  /** Whether the address that is connected to must be one of the public internet's. */
  #isOuter(url: URL, { url: first, namedBy }: Question): boolean {
    return url.origin !== new URL(namedBy ?? first).origin && !this.#isListed(url);
  }

  #isListed({ hostname }: URL): boolean {
    return this.#options.privateHosts?.includes(bare(hostname)) === true;
  }

  async #reach({ href }: URL): Promise<Reach> {
    const { environment, servers } = this.#options;
    const rule = serverFor(servers, parseRepository(href));
    const read = async (file: string | undefined) => (file === undefined ? undefined : await readFileIfThere(file));
    const [ca, cert, key] = await Promise.all([read(rule.ca), read(rule.certificate), read(rule.key)]);
    const own = { HTTP_PROXY: rule.proxy, HTTPS_PROXY: rule.proxy };
    return {
      proxies: proxiesOf(rule.proxy === undefined ? environment : own),
      tls: {
        ...(ca === undefined ? {} : { ca: new TextDecoder().decode(ca) }),
        ...(cert === undefined || key === undefined ? {} : { cert, key }),
      },
    };
  }
}

function urlOf(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && (url.protocol === "https:" || url.protocol === "http:") && url.username === "") return url;
  throw new Fault("bad-input", {
    message: "expected an http or https URL of a server, without a user in it.",
    next: "Correct the URL; credentials are given in the hub's config.",
  });
}

/** Credentials stay at the origin that they are for. */
function headersFor(question: Question, first: URL, url: URL): Question["headers"] {
  if (url.origin === first.origin) return question.headers;
  return Object.fromEntries(
    Object.entries(question.headers).filter(([name]) => name !== "authorization" && !name.includes("token")),
  );
}

/** Where a request goes, where it went at first, and how that server is reached. */
interface Way {
  readonly url: URL;
  readonly first: URL;
  readonly outer: boolean;
  readonly reach: Reach;
}

function once(question: Question, at: Way, signal: AbortSignal): Promise<Reply> {
  const { first } = at;
  return new Promise((resolve, reject) => {
    const timeout = AbortSignal.timeout(question.timeoutMs);
    const fail = (thrown: unknown) =>
      reject(signal.aborted ? thrown : translated(thrown, { first, timeout, question }));
    const sent = start(question, at, AbortSignal.any([signal, timeout]));
    sent.once("error", fail);
    sent.once("response", (response) => {
      bodyOf(response, question.limitBytes).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: flat(response), body }),
        fail,
      );
    });
    sent.end(question.body);
  });
}

function start(question: Question, { url, first, outer, reach }: Way, signal: AbortSignal): ClientRequest {
  const { method, headers, trust } = question;
  // Behind a proxy names are the proxy's to look up, and it guards what lies behind it.
  const proxyEnv = reach.proxies;
  const guarded = outer && Object.keys(proxyEnv).length === 0 ? { lookup: outerLookup(first) } : {};
  const common = { method, headers, signal, ...guarded };
  if (url.protocol === "http:") return httpRequest(url, { ...common, agent: new HttpAgent({ proxyEnv }) });
  const extra = url.origin === first.origin ? trust : undefined;
  const own = [reach.tls.ca, extra?.ca].filter((pem) => pem !== undefined);
  const ca = own.length === 0 ? {} : { ca: [...rootCertificates, ...own] };
  const cert = reach.tls.cert === undefined ? {} : { cert: Buffer.from(reach.tls.cert) };
  const key = reach.tls.key === undefined ? {} : { key: Buffer.from(reach.tls.key) };
  const tls = { ...ca, ...cert, ...key, rejectUnauthorized: extra?.insecure !== true };
  return httpsRequest(url, { ...common, ...tls, agent: new HttpsAgent({ proxyEnv, ...tls }) });
}

/** The proxies among variables, by their names. */
export function proxiesOf(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]);
  return Object.fromEntries(names.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
}

/** Looks a name up and gives only addresses of the public internet: the check is made on what is connected to. */
function outerLookup(first: URL): LookupFunction {
  return (hostname, options, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      if (addresses.some(({ address }) => isInnerAddress(address))) return callback(inside(first), []);
      const [one] = addresses;
      if (options.all === true) callback(null, addresses);
      else callback(null, one?.address ?? "", one?.family);
    });
  };
}

async function bodyOf(response: IncomingMessage, limitBytes: number): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > limitBytes) {
      response.destroy();
      throw new Fault("too-large", {
        message: `an answer is at most ${limitBytes} bytes; this one is longer.`,
        next: "Ask for less, or look what the server sends.",
      });
    }
    parts.push(part);
  }
  if (!response.complete) throw new Error("the answer ended before its time");
  return Buffer.concat(parts);
}

function flat({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      const text = Array.isArray(value) ? value[0] : value;
      return text === undefined ? [] : [[name, text]];
    }),
  );
}

function translated(
  thrown: unknown,
  at: { readonly first: URL; readonly timeout: AbortSignal; readonly question: Question },
): Fault {
  if (thrown instanceof Fault) return thrown;
  const { origin, hostname } = at.first;
  if (at.timeout.aborted) {
    return new Fault("timeout", {
      message: `${origin} did not answer within ${Math.round(at.question.timeoutMs / 1000)} s.`,
      next: "Nothing: it is tried again by itself. See whether the server is up.",
      cause: thrown,
    });
  }
  return new Fault("api-unreachable", {
    message: `${origin} cannot be reached: ${reason(thrown, hostname)}.`,
    next: "Nothing: it is tried again by itself. See address, network and certificate.",
    cause: thrown,
  });
}

/** Which step failed, in words. */
function reason(thrown: unknown, host: string): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const code = "code" in thrown ? String(thrown.code) : "";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `the name ${host} is not known (${code})`;
  if (code === "ECONNREFUSED") return `it refuses the connection (${code})`;
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code))
    return `its certificate is not trusted (${thrown.message})`;
  return thrown.message || code || thrown.name;
}

function inside(first: URL): Fault {
  return odd(first, "leads to a private address of another server");
}

function odd(first: URL, what: string): Fault {
  return new Fault("api-answer", {
    message: `${first.origin} ${what}; that is not followed.`,
    next: "Give the address that it leads to.",
    retryable: false,
  });
}

/** `[::1]` without its brackets. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}
