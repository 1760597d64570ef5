import { Fault } from "@capstan/proto";
import type { Credential } from "../../sources/model.ts";
import { authorization, httpCredential } from "./authorization.ts";
import type { HttpExchange, Reply } from "./exchange.ts";

/** One request to a repository of packages. */
export interface HttpRequest {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent to the host of `url` only, never along a redirect to another. */
  readonly credential?: Credential | undefined;
  readonly limitBytes: number;
  readonly signal: AbortSignal;
  /** The server whose answer named the URL. */
  readonly namedBy?: string;
}

/** Milliseconds for a whole answer: an index of a hundred megabytes takes its time. */
const patience = 120_000;

/** Asks repositories of packages. Throws `repository-unreachable` naming what failed, `too-large`, and `remote-refused`. */
export class HttpClient {
  readonly #exchange: HttpExchange;

  constructor(exchange: HttpExchange) {
    this.#exchange = exchange;
  }

  /** Whatever the server answers in the end, redirects followed. */
  async get({ url, headers, credential, limitBytes, signal, namedBy }: HttpRequest): Promise<Reply> {
    const sent = httpCredential(credential);
    const signed = sent === undefined ? {} : { authorization: authorization(sent) };
    const named = namedBy === undefined ? {} : { namedBy };
    const question = { method: "GET", url, limitBytes, timeoutMs: patience, ...named } as const;
    try {
      return await this.#exchange.send({ ...question, headers: { ...headers, ...signed } }, signal);
    } catch (thrown) {
      throw translated(thrown, url);
    }
  }
}

function translated(thrown: unknown, url: string): Fault {
  const fault = Fault.from(thrown, "repository-unreachable");
  const where = { repository: url.replace(/\?.*$/, "") };
  const { message, cause } = fault;
  if (fault.code === "api-answer") {
    return new Fault("remote-refused", {
      message,
      where,
      cause,
      next: "Write the URL that it leads to, or list its host in sources.privateHosts.",
    });
  }
  if (fault.code !== "api-unreachable" && fault.code !== "timeout") return fault.at(where);
  return new Fault("repository-unreachable", {
    message,
    where,
    cause,
    next: "See whether the server is up and reachable from the hub.",
  });
}
