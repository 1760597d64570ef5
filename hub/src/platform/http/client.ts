import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { rootCertificates } from "node:tls";
import { Fault } from "@capstan/proto";
import { Agent, type Dispatcher, EnvHttpProxyAgent, ProxyAgent, request } from "undici";
import type { Credential, RepositoryKey } from "../../sources/model.ts";
import { type ServerRule, serverFor } from "../../sources/servers.ts";
import { readFileIfThere } from "../disk/files.ts";
import { authorization, httpCredential } from "./authorization.ts";

/** What the hub's own requests to servers of others go through. */
export interface HttpClientOptions {
  /** `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of the hub's environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Host names that a redirect may lead to although they are private addresses. */
  readonly privateHosts: readonly string[];
  /** Certificates and proxies of single servers. */
  readonly servers?: readonly ServerRule[];
}

/** One request. The body of the answer is held whole, up to `limitBytes`. */
export interface HttpRequest {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent to the host of `url` only, never along a redirect to another. */
  readonly credential?: Credential | undefined;
  readonly limitBytes: number;
  readonly signal: AbortSignal;
}

/** What came back, redirects followed. Header names in lower case. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const redirects = new Set([301, 302, 303, 307, 308]);
const mostRedirects = 5;
/** Milliseconds until a silent server is given up. */
const patience = 30_000;

/**
 * Asks servers of others: bounded in size and time, through the environment's proxies, redirects followed without the
 * credential and never to a private address that was not listed.
 */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #privateHosts: ReadonlySet<string>;
  /** By the rule's own text: one pool of connections for all that are reached alike. */
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#privateHosts = new Set(options.privateHosts);
  }

  /**
   * Sends a GET and returns whatever the server answers in the end. Throws `repository-unreachable` naming the step that
   * failed (name, connection, certificate, silence), `too-large` and `remote-refused`.
   */
  async get(asked: HttpRequest): Promise<HttpAnswer> {
    let url = new URL(asked.url);
    for (let hops = 0; ; hops++) {
      const answer = await this.#once(url, asked);
      const target = redirects.has(answer.status) ? answer.headers["location"] : undefined;
      if (target === undefined) return answer;
      if (hops === mostRedirects) throw unreachable(asked.url, `it redirects more than ${mostRedirects} times`);
      const next = URL.parse(target, url.href);
      if (next === null) throw unreachable(asked.url, "it redirects to no URL");
      await this.refusePrivate(next, url);
      url = next;
    }
  }

  /**
   * Throws `remote-refused` where a server sends to a private address on another host: an attacker could reach what only
   * the hub can see.
   */
  async refusePrivate(next: URL, from: URL): Promise<void> {
    if (next.protocol !== "https:" && next.protocol !== from.protocol) throw refused(from, next, "it leaves HTTPS");
    const host = next.hostname.replace(/^\[|\]$/g, "");
    if (next.hostname === from.hostname || this.#privateHosts.has(host)) return;
    const addresses = isIP(host) > 0 ? [host] : await addressesOf(host);
    if (addresses.some(isPrivate)) throw refused(from, next, "that is a private address");
  }

  /** Ends all connections; what is under way fails. */
  async close(): Promise<void> {
    const made = await Promise.allSettled([...this.#dispatchers.values()]);
    this.#dispatchers.clear();
    for (const each of made) if (each.status === "fulfilled") await each.value.destroy();
  }

  async #once(url: URL, asked: HttpRequest): Promise<HttpAnswer> {
    const first = new URL(asked.url);
    const credential = url.origin === first.origin ? httpCredential(asked.credential) : undefined;
    const sent = credential === undefined ? {} : { authorization: authorization(credential) };
    try {
      const dispatcher = await this.#dispatcherFor(url);
      const answer = await request(url, { dispatcher, headers: { ...asked.headers, ...sent }, signal: asked.signal });
      const body = await bounded(answer.body, asked);
      return { status: answer.statusCode, headers: flat(answer.headers), body };
    } catch (thrown) {
      throw thrown instanceof Fault ? thrown : unreachable(asked.url, reason(thrown, url.hostname), thrown);
    }
  }

  #dispatcherFor(url: URL): Promise<Dispatcher> {
    const text = `${url.origin}${url.pathname}`;
    const rule = serverFor(this.#options.servers ?? [], { key: text as RepositoryKey, url: text });
    const id = JSON.stringify(rule);
    const known = this.#dispatchers.get(id);
    if (known !== undefined) return known;
    const made = makeDispatcher(rule, this.#options.environment);
    // A certificate that could not be read may be there the next time.
    made.catch(() => this.#dispatchers.delete(id));
    this.#dispatchers.set(id, made);
    return made;
  }
}

async function makeDispatcher(rule: ServerRule, environment: HttpClientOptions["environment"]): Promise<Dispatcher> {
  const pem = async (file: string | undefined) => (file === undefined ? undefined : await readFileIfThere(file));
  const [ca, cert, key] = await Promise.all([pem(rule.ca), pem(rule.certificate), pem(rule.key)]);
  const tls = {
    ...(ca === undefined ? {} : { ca: [...rootCertificates, new TextDecoder().decode(ca)] }),
    ...(cert === undefined || key === undefined ? {} : { cert: Buffer.from(cert), key: Buffer.from(key) }),
  };
  const timeouts = { headersTimeout: patience, bodyTimeout: patience };
  const connect = { timeout: patience, ...tls };
  if (rule.proxy !== undefined) return new ProxyAgent({ ...timeouts, uri: rule.proxy, requestTls: connect });
  const of = (name: string) => environment[name] ?? environment[name.toLowerCase()] ?? "";
  const [httpProxy, httpsProxy, noProxy] = [of("HTTP_PROXY"), of("HTTPS_PROXY"), of("NO_PROXY")];
  if (httpProxy === "" && httpsProxy === "") return new Agent({ ...timeouts, connect });
  return new EnvHttpProxyAgent({ ...timeouts, connect, requestTls: connect, httpProxy, httpsProxy, noProxy });
}

async function bounded(body: Dispatcher.ResponseData["body"], asked: HttpRequest): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body as AsyncIterable<Uint8Array>) {
    length += part.byteLength;
    if (length > asked.limitBytes) {
      body.destroy();
      throw new Fault("too-large", {
        message: `expected at most ${asked.limitBytes} bytes, found more.`,
        where: { repository: asked.url },
      });
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function flat(headers: Dispatcher.ResponseData["headers"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")]),
  );
}

async function addressesOf(host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    // The request itself will say that the name is unknown.
    return [];
  }
}

const privateBlocks = new BlockList();
for (const [net, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const) {
  privateBlocks.addSubnet(net, prefix, "ipv4");
}
for (const [net, prefix] of [
  ["::", 127],
  ["fc00::", 7],
  ["fe80::", 10],
] as const) {
  privateBlocks.addSubnet(net, prefix, "ipv6");
}

function isPrivate(address: string): boolean {
  return privateBlocks.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

function refused(from: URL, next: URL, why: string): Fault {
  return new Fault("remote-refused", {
    message: `${from.host} sends to ${next.protocol}//${next.host}: ${why}.`,
    where: { repository: `${from.origin}${from.pathname}` },
    next: "Write the URL that it leads to, or list the host in sources.privateHosts.",
  });
}

function unreachable(url: string, why: string, cause?: unknown): Fault {
  const { origin, pathname } = new URL(url);
  return new Fault("repository-unreachable", {
    message: `the server could not be asked: ${why}.`,
    where: { repository: `${origin}${pathname}` },
    next: "See whether it is up and reachable from the hub.",
    cause,
  });
}

/** Which step failed, in words. */
function reason(thrown: unknown, host: string): string {
  const error = thrown as { code?: string; message?: string; cause?: { code?: string; message?: string } };
  const code = error.code ?? error.cause?.code ?? "";
  const said = error.cause?.message ?? error.message ?? String(thrown);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `the name ${host} is not known`;
  if (code === "ECONNREFUSED") return `${host} refuses the connection`;
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|SSL/.test(code)) return `its certificate is not trusted (${said})`;
  if (/TIMEOUT/.test(code)) return `it did not answer within ${patience / 1000} s`;
  return said;
}
