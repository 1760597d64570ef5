import { lookup as resolveName } from "node:dns";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { rootCertificates } from "node:tls";
import { Fault } from "@capstan/proto";
import type { ApiClient, ApiReply, ApiRequest } from "../../listings/port.ts";
import { isInnerAddress } from "./addresses.ts";

/** Longest body in bytes; what is longer is cut off while it comes. */
const bodyLimit = 8 * 1024 * 1024;
const maxRedirects = 5;
const redirects = new Set([301, 302, 303, 307, 308]);

/** HTTP to the servers that generators ask. Each request stands alone: no cookies, no state. */
export const apiClient: ApiClient = {
  async send(request, signal) {
    const first = urlOf(request.url);
    let url = first;
    for (let hops = 0; ; hops += 1) {
      const reply = await once({ ...request, headers: headersFor(request, first, url) }, { url, first }, signal);
      const location = reply.headers["location"];
      if (!redirects.has(reply.status) || location === undefined) return reply;
      if (hops >= maxRedirects) throw odd(first, "redirects without end");
      url = follow(request, { first, from: url, location });
    }
  },
};

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

function once(
  request: ApiRequest,
  at: { readonly url: URL; readonly first: URL },
  signal: AbortSignal,
): Promise<ApiReply> {
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

function start(
  { method, headers, trust }: ApiRequest,
  { url, first }: { readonly url: URL; readonly first: URL },
  signal: AbortSignal,
): ClientRequest {
  const strange = url.origin !== first.origin;
  const options = {
    method,
    headers,
    signal,
    agent: false as const,
    ...(strange ? { lookup: outerLookup(first) } : {}),
  };
  if (url.protocol === "http:") return httpRequest(url, options);
  const ca = trust.ca === undefined ? {} : { ca: [...rootCertificates, trust.ca] };
  return httpsRequest(url, { ...options, ...ca, rejectUnauthorized: strange || !trust.insecure });
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
