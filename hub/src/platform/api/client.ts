import { lookup as resolveName } from "node:dns";
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { rootCertificates } from "node:tls";
import { Fault } from "@capstan/proto";
import type { ApiClient, ApiReply, ApiRequest } from "../../listings/port.ts";
import { parseRepository } from "../../sources/repository.ts";
import { type ServerRule, serverFor } from "../../sources/servers.ts";
import { readFileIfThere } from "../disk/files.ts";
import { isInnerAddress } from "./addresses.ts";

/** Longest body in bytes; what is longer is cut off while it comes. */
const bodyLimit = 8 * 1024 * 1024;
const maxRedirects = 5;
const redirects = new Set([301, 302, 303, 307, 308]);

/** How servers are reached. */
export interface ReachOptions {
  /** For `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Certificates and proxies of single servers. */
  readonly servers: readonly ServerRule[];
}

/** What the hub's config says of one server. */
interface Reach {
  readonly proxies: Readonly<Record<string, string | undefined>>;
  readonly tls: { readonly ca?: string; readonly cert?: Uint8Array; readonly key?: Uint8Array };
}

/** HTTP to the servers that generators ask. Each request stands alone: no cookies, no state. */
export class HttpApiClient implements ApiClient {
  readonly #options: ReachOptions;

  constructor(options: ReachOptions) {
    this.#options = options;
  }

  async send(request: ApiRequest, signal: AbortSignal): Promise<ApiReply> {
    const first = urlOf(request.url);
    const reach = await this.#reach(first);
    let url = first;
    for (let hops = 0; ; hops += 1) {
      const reply = await once({ ...request, headers: headersFor(request, first, url) }, { url, first, reach }, signal);
      const location = reply.headers["location"];
      if (!redirects.has(reply.status) || location === undefined) return reply;
      if (hops >= maxRedirects) throw odd(first, "redirects without end");
      url = follow(request, { first, from: url, location });
    }
  }

  async #reach({ href }: URL): Promise<Reach> {
    const { environment, servers } = this.#options;
    const rule = serverFor(servers, parseRepository(href));
    const read = async (file: string | undefined) => (file === undefined ? undefined : await readFileIfThere(file));
    const [ca, cert, key] = await Promise.all([read(rule.ca), read(rule.certificate), read(rule.key)]);
    return {
      proxies: rule.proxy === undefined ? environment : { HTTP_PROXY: rule.proxy, HTTPS_PROXY: rule.proxy },
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
    message: "expected an http or https URL of an API, without a user in it.",
    next: "Mend the generator's api.",
  });
}

/** Where a redirect leads, if it may be followed. */
function follow(
  request: ApiRequest,
  { first, from, location }: { readonly first: URL; readonly from: URL; readonly location: string },
): URL {
  const to = URL.parse(location, from.href);
  if (request.method !== "GET") throw odd(first, "redirects a POST");
  if (to === null || (to.protocol !== "https:" && to.protocol !== "http:")) throw odd(first, "redirects to no URL");
  if (from.protocol === "https:" && to.protocol === "http:") throw odd(first, "redirects to plain http");
  // A literal address is never looked up, so that it has to be checked here.
  if (to.origin !== first.origin && isIP(bare(to.hostname)) !== 0 && isInnerAddress(bare(to.hostname)))
    throw inside(first);
  return to;
}

/** Credentials stay at the origin that they are for. */
function headersFor(request: ApiRequest, first: URL, url: URL): ApiRequest["headers"] {
  if (url.origin === first.origin) return request.headers;
  return Object.fromEntries(
    Object.entries(request.headers).filter(([name]) => name !== "authorization" && !name.includes("token")),
  );
}

/** Where a request goes, where it went at first, and how that server is reached. */
interface Way {
  readonly url: URL;
  readonly first: URL;
  readonly reach: Reach;
}

function once(request: ApiRequest, at: Way, signal: AbortSignal): Promise<ApiReply> {
  const { first } = at;
  return new Promise((resolve, reject) => {
    const timeout = AbortSignal.timeout(request.timeoutMs);
    const fail = (thrown: unknown) => reject(signal.aborted ? thrown : translated(thrown, { first, timeout, request }));
    const sent = start(request, at, AbortSignal.any([signal, timeout]));
    sent.once("error", fail);
    sent.once("response", (response) => {
      bodyOf(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: flat(response), body }),
        fail,
      );
    });
    sent.end(request.body);
  });
}

function start({ method, headers, trust }: ApiRequest, { url, first, reach }: Way, signal: AbortSignal): ClientRequest {
  const plain = url.protocol === "http:";
  if (url.origin !== first.origin) {
    // Elsewhere it is reached straight, where addresses can be checked, and without what is meant for the first.
    const options = { method, headers, signal, agent: false as const, lookup: outerLookup(first) };
    return plain ? httpRequest(url, options) : httpsRequest(url, options);
  }
  const proxyEnv = proxiesOf(reach.proxies);
  if (plain) return httpRequest(url, { method, headers, signal, agent: new HttpAgent({ proxyEnv }) });
  const own = [reach.tls.ca, trust.ca].filter((pem) => pem !== undefined);
  const ca = own.length === 0 ? {} : { ca: [...rootCertificates, ...own] };
  const cert = reach.tls.cert === undefined ? {} : { cert: Buffer.from(reach.tls.cert) };
  const key = reach.tls.key === undefined ? {} : { key: Buffer.from(reach.tls.key) };
  const tls = { ...ca, ...cert, ...key, rejectUnauthorized: !trust.insecure };
  return httpsRequest(url, { method, headers, signal, ...tls, agent: new HttpsAgent({ proxyEnv, ...tls }) });
}

function proxiesOf(environment: Reach["proxies"]): Record<string, string> {
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

async function bodyOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > bodyLimit) {
      response.destroy();
      throw new Fault("too-large", {
        message: `an answer is at most ${bodyLimit} bytes; this one is longer.`,
        next: "Ask for less: a smaller group, or labels.",
      });
    }
    parts.push(part);
  }
  if (!response.complete) throw new Error("the answer ended before its time");
  return Buffer.concat(parts).toString("utf8");
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
  at: { readonly first: URL; readonly timeout: AbortSignal; readonly request: ApiRequest },
): Fault {
  if (thrown instanceof Fault) return thrown;
  const { origin } = at.first;
  if (at.timeout.aborted) {
    return new Fault("timeout", {
      message: `${origin} did not answer within ${Math.round(at.request.timeoutMs / 1000)} s.`,
      next: "Nothing: it is tried again by itself. See whether the server is up.",
      cause: thrown,
    });
  }
  return new Fault("api-unreachable", {
    message: `${origin} cannot be reached: ${thrown instanceof Error ? thrown.message || causeCode(thrown) : String(thrown)}.`,
    next: "Nothing: it is tried again by itself. See address, network and certificate.",
    cause: thrown,
  });
}

function causeCode(error: Error): string {
  return "code" in error ? String(error.code) : error.name;
}

function inside(first: URL): Fault {
  return odd(first, "redirects to a private address of another server");
}

function odd(first: URL, what: string): Fault {
  return new Fault("api-answer", {
    message: `${first.origin} ${what}; that is not followed.`,
    next: "Give the address that it leads to as the generator's api.",
    retryable: false,
  });
}

/** `[::1]` without its brackets. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}
