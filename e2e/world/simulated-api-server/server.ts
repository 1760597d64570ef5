import { createServer as createHttp, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttps } from "node:https";
import type { KubeAccess, KubeObject } from "../kube-client.ts";
import type { Certificate } from "./certificate.ts";
import { SimulatedCluster, type SimulatedClusterInit } from "./cluster.ts";
import { aggregated, coreVersions, groupList, oneGroup, resourceList } from "./discovery.ts";
import { Faults, type RequestInfo } from "./faults.ts";
import { bucketOf, inVersion, type Place } from "./place.ts";
import { parsePath, placeOf, type ResourcePath, readBody, requestInfo } from "./request.ts";
import { type Authoriser, answerReview, userOfToken } from "./reviews.ts";
import { filterOf } from "./selector.ts";
import { listOf, shaped, shapeOf } from "./shape.ts";
import { ApiRefusal, badRequest, statusOf } from "./status.ts";
import { startWatch, type Watch } from "./watch.ts";

/** A simulated API server to start. */
export interface SimulatedInit extends SimulatedClusterInit {
  /** Serves HTTPS with it; plain HTTP without. One certificate does for many clusters. */
  readonly certificate?: Certificate;
  /** Kubernetes version that it reports, as `v1.35.4`. */
  readonly version?: string;
  readonly bookmarkEvery?: number;
  /** 0 takes a free port. */
  readonly port?: number;
}

/** One simulated cluster behind a port of its own. Its state outlives `stop` and `restart`. */
export class SimulatedApiServer implements AsyncDisposable {
  readonly cluster: SimulatedCluster;
  readonly faults = new Faults();
  /** Asked before each request on a resource; allows all until it is set. */
  authorise: Authoriser = () => true;
  /** Called with each request, faults included. */
  onRequest: (request: RequestInfo) => void = () => undefined;
  readonly #init: SimulatedInit;
  readonly #counts = new Map<string, number>();
  readonly #watches = new Set<Watch>();
  #server: Server;
  #port: number;

  private constructor(init: SimulatedInit) {
    this.#init = init;
    this.cluster = new SimulatedCluster(init);
    this.#server = this.#make();
    this.#port = init.port ?? 0;
  }

  static async start(init: SimulatedInit): Promise<SimulatedApiServer> {
    const self = new SimulatedApiServer(init);
    await self.#listen();
    return self;
  }

  get url(): string {
    return `${this.#init.certificate === undefined ? "http" : "https"}://127.0.0.1:${this.#port}`;
  }

  /** Access with all rights. */
  get admin(): KubeAccess {
    const certificate = this.#init.certificate;
    return { url: this.url, token: "admin", ...(certificate === undefined ? {} : { caData: certificate.certificate }) };
  }

  /** Requests so far by `verb resource`, as `patch deployments`; dry-runs are counted as `dry-run patch deployments`. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Requests so far that were to change something (no dry-runs), by any of the given verbs. */
  writes(verbs: readonly string[] = ["create", "update", "patch", "delete", "deletecollection"]): number {
    return [...this.#counts].reduce(
      (sum, [key, count]) => (verbs.includes(key.split(" ")[0] ?? "") ? sum + count : sum),
      0,
    );
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  /** Ends all watches cleanly, or breaks their connections. */
  dropWatches(how: "end" | "reset" = "end"): void {
    for (const watch of this.#watches) watch[how]();
    this.#watches.clear();
  }

  /** Drops all watches and forgets the past, so that resuming gets 410. */
  expireWatches(): void {
    this.cluster.store.compact();
    this.dropWatches();
  }

  /** Closes the port and all connections. */
  async stop(): Promise<void> {
    this.dropWatches("reset");
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  /** Listens again on the same port, with the same state. */
  async restart(): Promise<void> {
    this.#server = this.#make();
    await this.#listen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.stop();
    this.cluster[Symbol.dispose]();
  }

  #make(): Server {
    const answer = (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response);
    const certificate = this.#init.certificate;
    if (certificate === undefined) return createHttp(answer);
    return createHttps({ key: certificate.key, cert: certificate.certificate }, answer);
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, "127.0.0.1", () => {
        const address = this.#server.address();
        if (typeof address === "object" && address !== null) this.#port = address.port;
        resolve();
      });
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    const path = parsePath(url.pathname);
    const asked = requestInfo(request, url, path);
    const info = request.headers["impersonate-user"]
      ? asked
      : { ...asked, user: userOfToken(request.headers.authorization) };
    this.#count(info, url.searchParams.has("dryRun"));
    try {
      const lost = await this.#strike(info, response);
      if (lost === "answered") return;
      const body = await readBody(request);
      const result = this.#handle({ request, response, url, path, info, body });
      if (lost === "lost") response.destroy();
      else if (result !== streaming) send(response, result.code, result.body);
    } catch (error) {
      const refusal = error instanceof ApiRefusal ? error : new ApiRefusal(500, "InternalError", String(error));
      if (!response.headersSent && !response.destroyed) send(response, refusal.code, statusOf(refusal));
    }
  }

  #count(info: RequestInfo, dryRun: boolean): void {
    const key = `${dryRun ? "dry-run " : ""}${info.verb} ${info.resource || info.path}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.onRequest(info);
  }

  async #strike(info: RequestInfo, response: ServerResponse): Promise<"none" | "lost" | "answered"> {
    const fault = this.faults.strike(info);
    switch (fault?.kind) {
      case undefined:
        return "none";
      case "lost":
        return "lost";
      case "hang":
        return "answered"; // never: the request stays open
      case "reset":
        response.destroy();
        return "answered";
      case "delay": {
        const { ms } = fault;
        await new Promise((resolve) => {
          setTimeout(resolve, ms);
        });
        return "none";
      }
      case "status": {
        if (fault.retryAfterSeconds !== undefined) response.setHeader("retry-after", fault.retryAfterSeconds);
        const reason = fault.code === 429 ? "TooManyRequests" : "InternalError";
        send(response, fault.code, statusOf(new ApiRefusal(fault.code, reason, fault.message ?? "planted failure")));
        return "answered";
      }
    }
  }

  #handle(call: Call): Result {
    if (call.path === undefined) return { code: 200, body: this.#plain(call.url.pathname, call.request) };
    const verdict = this.authorise(call.info);
    if (verdict !== true) throw new ApiRefusal(403, "Forbidden", verdict);
    const review = call.info.verb === "create" ? answerReview(call.info, call.body, this.authorise) : undefined;
    if (review !== undefined) return { code: 201, body: review };
    const kind = this.cluster.kind(call.path.group, call.path.version, call.path.plural);
    if (kind === undefined) {
      throw new ApiRefusal(404, "NotFound", "the server could not find the requested resource");
    }
    return this.#onResource({ ...call, place: placeOf(call.path, kind) });
  }

  #plain(path: string, request: IncomingMessage): unknown {
    const { kinds } = this.cluster;
    const wantsAggregated = (request.headers.accept ?? "").includes("as=APIGroupDiscoveryList");
    const parts = path.split("/").filter(Boolean);
    if (["healthz", "readyz", "livez"].includes(parts[0] ?? "")) return "ok";
    if (path === "/version") return versionInfo(this.#init.version ?? "v1.35.4");
    if (path === "/api") return wantsAggregated ? aggregated(kinds, true) : coreVersions();
    if (path === "/apis") return wantsAggregated ? aggregated(kinds, false) : groupList(kinds);
    const found =
      path === "/api/v1"
        ? resourceList(kinds, "v1")
        : parts[0] === "apis" && parts.length === 2
          ? oneGroup(kinds, parts[1] ?? "")
          : parts[0] === "apis"
            ? resourceList(kinds, parts.slice(1).join("/"))
            : undefined;
    if (found === undefined) throw new ApiRefusal(404, "NotFound", "the server could not find the requested resource");
    return found;
  }

  #onResource(call: ResourceCall): Result {
    const { place, url, request } = call;
    const shape = shapeOf(request.headers.accept ?? "");
    const options = writeOptions(url, request);
    const body = call.body as KubeObject;
    switch (call.info.verb) {
      case "get":
        return { code: 200, body: shaped(this.cluster.get(place), shape) };
      case "list":
        return { code: 200, body: this.#list(place, url, shape) };
      case "watch":
        return this.#watch(call);
      case "create":
        if (body === undefined) throw badRequest("a body is needed, as JSON");
        return { code: 201, body: shaped(this.cluster.create(place, body, options), shape) };
      case "update":
        return { code: 200, body: shaped(this.cluster.update(place, body, options), shape) };
      case "patch": {
        const known = this.cluster.store.get(bucketOf(place.kind), `${place.namespace}/${place.name}`) !== undefined;
        const contentType = request.headers["content-type"] ?? "";
        const patched = this.cluster.patch(place, call.body, { ...options, contentType });
        return { code: known ? 200 : 201, body: shaped(patched, shape) };
      }
      case "delete":
        return { code: 200, body: this.#delete(place, call) };
      default:
        return this.#deleteAll(place, call);
    }
  }

  #list(place: Place, url: URL, shape: ReturnType<typeof shapeOf>): unknown {
    const query = url.searchParams;
    const filter = filterOf(query.get("labelSelector") ?? "", query.get("fieldSelector") ?? "");
    const all = this.cluster.store.list(bucketOf(place.kind), place.namespace).filter(filter);
    const after = decodeContinue(query.get("continue"));
    const rest = all.filter((object) => after === undefined || placeText(object) > after);
    const limit = Number(query.get("limit") ?? 0) || rest.length;
    const items = rest.slice(0, limit).map((object) => inVersion(object, place.kind));
    const last = items.at(-1);
    const more = rest.length > items.length && last !== undefined;
    const continueToken = more ? Buffer.from(placeText(last)).toString("base64url") : "";
    const page = { items, version: this.cluster.store.version, continueToken, remaining: rest.length - items.length };
    return listOf(place.kind, page, shape);
  }

  #watch(call: ResourceCall): Result {
    const { place, url, request, response } = call;
    const shape = shapeOf(request.headers.accept ?? "");
    const bookmarkEvery = this.#init.bookmarkEvery ?? 15_000;
    const watch = startWatch(this.cluster, { place, query: url.searchParams, shape, bookmarkEvery }, response);
    this.#watches.add(watch);
    response.on("close", () => this.#watches.delete(watch));
    return streaming;
  }

  #delete(place: Place, call: ResourceCall): unknown {
    const before = this.cluster.get(place);
    const last = this.cluster.delete(place, deleteOptions(call));
    if (last.metadata["deletionTimestamp"] !== undefined) return last;
    const details = { name: place.name, kind: place.kind.plural, uid: before.metadata.uid };
    return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
  }

  #deleteAll(place: Place, call: ResourceCall): Result {
    const query = call.url.searchParams;
    const filter = filterOf(query.get("labelSelector") ?? "", query.get("fieldSelector") ?? "");
    const chosen = this.cluster.store.list(bucketOf(place.kind), place.namespace).filter(filter);
    for (const object of chosen) {
      const at = { ...place, namespace: object.metadata.namespace ?? "", name: object.metadata.name };
      this.cluster.delete(at, deleteOptions(call));
    }
    const page = { items: chosen, version: this.cluster.store.version, continueToken: "", remaining: 0 };
    return { code: 200, body: listOf(place.kind, page, "full") };
  }
}

const streaming = { code: 0, body: undefined };
type Result = { readonly code: number; readonly body: unknown };

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly path: ResourcePath | undefined;
  readonly info: RequestInfo;
  readonly body: unknown;
}

interface ResourceCall extends Call {
  readonly place: Place;
}

function writeOptions(url: URL, request: IncomingMessage) {
  const agent = (request.headers["user-agent"] ?? "").split("/")[0] ?? "";
  return {
    manager: url.searchParams.get("fieldManager") ?? agent,
    force: url.searchParams.get("force") === "true",
    dryRun: url.searchParams.has("dryRun"),
  };
}

function deleteOptions(call: ResourceCall) {
  const body = (call.body ?? {}) as {
    readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
    readonly propagationPolicy?: string;
    readonly dryRun?: readonly string[];
  };
  return {
    dryRun: call.url.searchParams.has("dryRun") || (body.dryRun ?? []).length > 0,
    uid: body.preconditions?.uid,
    resourceVersion: body.preconditions?.resourceVersion,
    propagation: body.propagationPolicy ?? call.url.searchParams.get("propagationPolicy") ?? undefined,
  };
}

function placeText(object: KubeObject): string {
  return `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
}

function decodeContinue(token: string | null): string | undefined {
  return token === null || token === "" ? undefined : Buffer.from(token, "base64url").toString("utf8");
}

function versionInfo(gitVersion: string): unknown {
  const [major = "1", minor = "0"] = gitVersion.replace(/^v/, "").split(".");
  return { major, minor, gitVersion, platform: "linux/amd64" };
}

function send(response: ServerResponse, code: number, body: unknown): void {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const type = typeof body === "string" ? "text/plain" : contentType(body);
  response.writeHead(code, { "content-type": type, "content-length": Buffer.byteLength(text) });
  response.end(text);
}

/** Clients tell the aggregated discovery from the plain one by the content type of the answer. */
function contentType(body: unknown): string {
  const { kind } = (body ?? {}) as { readonly kind?: string };
  const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  return kind === "APIGroupDiscoveryList" ? aggregated : "application/json";
}
