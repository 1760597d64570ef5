import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

/** Any Kubernetes object, as JSON. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** How to reach an API server. */
export interface KubeAccess {
  /** Base URL, with a path prefix where the server has one. */
  readonly url: string;
  readonly caData?: string;
  readonly token?: string;
}

/** An answer of the API server; `body` is the parsed JSON. */
export interface KubeAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** One event of a watch. */
export interface KubeEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubeObject;
}

/** What one request carries besides its path. */
export interface KubeCall {
  readonly body?: unknown;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A bare client with kept connections, for assertions and floors; it knows no kinds and retries nothing. */
export class KubeClient implements Disposable {
  readonly #access: KubeAccess;
  readonly #agent: HttpAgent | HttpsAgent;
  /** Paths of all that was deleted through it: nobody else is to be blamed for that. */
  readonly deleted = new Set<string>();

  constructor(access: KubeAccess, connections = 16) {
    this.#access = access;
    const options = { keepAlive: true, maxSockets: connections };
    this.#agent = access.url.startsWith("https:")
      ? new HttpsAgent({ ...options, ...(access.caData === undefined ? {} : { ca: access.caData }) })
      : new HttpAgent(options);
  }

  /** One request; every status is an answer, only a broken connection throws. */
  send(method: string, path: string, call: KubeCall = {}): Promise<KubeAnswer> {
    const send = this.#access.url.startsWith("https:") ? httpsRequest : httpRequest;
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const headers: Record<string, string> = { accept: "application/json", ...call.headers };
    if (this.#access.token !== undefined) headers["authorization"] = `Bearer ${this.#access.token}`;
    if (body !== undefined) {
      headers["content-type"] = call.contentType ?? "application/json";
      headers["content-length"] = String(Buffer.byteLength(body));
    }
    return new Promise((resolve, reject) => {
      const request = send(`${this.#access.url}${path}`, { method, headers, agent: this.#agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          resolve({ status: response.statusCode ?? 0, body: parse(text) });
        });
      });
      request.on("error", reject);
      request.end(body);
    });
  }

  /** The object or list at a path; undefined where it is not found, throws on any other refusal. */
  async get<T = KubeObject>(path: string): Promise<T | undefined> {
    const answer = await this.send("GET", path);
    return answer.status === 404 ? undefined : (expectOk(answer, `GET ${path}`) as T);
  }

  /** The items of a list; throws when it is refused. */
  async list(path: string): Promise<KubeObject[]> {
    const body = expectOk(await this.send("GET", path), `GET ${path}`) as { readonly items?: KubeObject[] };
    return body.items ?? [];
  }

  /** Creates an object below a collection's path. */
  async create(path: string, body: unknown): Promise<KubeObject> {
    return expectOk(await this.send("POST", path, { body }), `POST ${path}`) as KubeObject;
  }

  /** Replaces what is at a path. */
  async update(path: string, body: unknown): Promise<KubeObject> {
    return expectOk(await this.send("PUT", path, { body }), `PUT ${path}`) as KubeObject;
  }

  /** Server-side apply at an object's path, by force. */
  async apply(path: string, body: unknown, manager = "e2e"): Promise<KubeObject> {
    const full = `${path}?fieldManager=${manager}&force=true`;
    const answer = await this.send("PATCH", full, { body, contentType: "application/apply-patch+yaml" });
    return expectOk(answer, `PATCH ${full}`) as KubeObject;
  }

  /** A JSON merge patch, as `kubectl patch --type=merge` does; `manager` shows in managedFields. */
  async merge(path: string, body: unknown, manager = "kubectl-edit"): Promise<KubeObject> {
    const full = `${path}?fieldManager=${manager}`;
    const answer = await this.send("PATCH", full, { body, contentType: "application/merge-patch+json" });
    return expectOk(answer, `PATCH ${full}`) as KubeObject;
  }

  /** Deletes what is at a path; gone already is fine. */
  async delete(path: string): Promise<void> {
    this.deleted.add(path);
    const answer = await this.send("DELETE", path);
    if (answer.status !== 404) expectOk(answer, `DELETE ${path}`);
  }

  /**
   * Watches a collection from its present state on: `onEvent` hears of every object as ADDED first. Resolves when the
   * stream ends, for whatever reason; the caller starts again if it wants to go on.
   */
  watch(path: string, onEvent: (event: KubeEvent) => void, signal: AbortSignal): Promise<void> {
    const send = this.#access.url.startsWith("https:") ? httpsRequest : httpRequest;
    const headers: Record<string, string> = { accept: "application/json" };
    if (this.#access.token !== undefined) headers["authorization"] = `Bearer ${this.#access.token}`;
    const options = { headers, signal, ...(this.#access.caData === undefined ? {} : { ca: this.#access.caData }) };
    return new Promise((resolve) => {
      const request = send(`${this.#access.url}${path}?watch=true`, options, (response) => {
        let rest = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          const lines = (rest + chunk).split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) onEvent(JSON.parse(line) as KubeEvent);
        });
        response.on("error", () => undefined);
        response.on("close", resolve);
      });
      request.on("error", () => resolve());
      request.end();
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function expectOk(answer: KubeAnswer, what: string): unknown {
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  throw new Error(`${what}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 1_000)}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
