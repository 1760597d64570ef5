import type { ServerResponse } from "node:http";
import type { SimulatedCluster } from "./cluster.ts";
import { apiVersionOf } from "./kinds.ts";
import { bucketOf, inVersion, type Place } from "./place.ts";
import { type Filter, filterOf } from "./selector.ts";
import { type Shape, shaped } from "./shape.ts";
import { ApiRefusal, statusOf } from "./status.ts";
import type { StoreEvent } from "./store.ts";

/** One open watch. */
export interface Watch {
  /** Ends the stream cleanly, as a server does at its timeout. */
  end(): void;
  /** Breaks the connection. */
  reset(): void;
}

/** What a watch asks for. */
export interface WatchRequest {
  readonly place: Place;
  readonly query: URLSearchParams;
  readonly shape: Shape;
  /** Milliseconds between bookmarks. */
  readonly bookmarkEvery: number;
}

/** Streams events until the client or the server ends it. A version that is too old gets one ERROR event with 410. */
export function startWatch(cluster: SimulatedCluster, request: WatchRequest, response: ServerResponse): Watch {
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  const stream = new Stream(cluster, request, response);
  stream.begin();
  return stream;
}

class Stream implements Watch {
  readonly #cluster: SimulatedCluster;
  readonly #request: WatchRequest;
  readonly #response: ServerResponse;
  readonly #filter: Filter;
  readonly #timers: NodeJS.Timeout[] = [];
  #unsubscribe: () => void = () => undefined;

  constructor(cluster: SimulatedCluster, request: WatchRequest, response: ServerResponse) {
    const { query, place } = request;
    this.#cluster = cluster;
    this.#request = request;
    this.#response = response;
    const selected = filterOf(query.get("labelSelector") ?? "", query.get("fieldSelector") ?? "");
    this.#filter = (object) =>
      (place.namespace === "" || object.metadata.namespace === place.namespace) &&
      (place.name === "" || object.metadata.name === place.name) &&
      selected(object);
    response.on("close", () => this.#stop());
  }

  begin(): void {
    try {
      this.#catchUp();
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
      this.#write("ERROR", statusOf(error));
      this.end();
      return;
    }
    this.#unsubscribe = this.#cluster.store.onEvent((event) => this.#event(event));
    const seconds = Number(this.#request.query.get("timeoutSeconds") ?? 0);
    if (seconds > 0) this.#timers.push(setTimeout(() => this.end(), seconds * 1_000));
    if (this.#request.query.get("allowWatchBookmarks") === "true") {
      this.#timers.push(setInterval(() => this.#bookmark({}), this.#request.bookmarkEvery));
    }
    for (const timer of this.#timers) timer.unref();
  }

  end(): void {
    this.#stop();
    this.#response.end();
  }

  reset(): void {
    this.#stop();
    this.#response.destroy();
  }

  #stop(): void {
    this.#unsubscribe();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #catchUp(): void {
    const { query, place } = this.#request;
    const version = Number(query.get("resourceVersion") ?? 0);
    const initial = query.get("sendInitialEvents") === "true";
    if (version > 0 && !initial) {
      for (const event of this.#cluster.store.since(version)) this.#event(event);
      return;
    }
    for (const object of this.#cluster.store.list(bucketOf(place.kind), "")) {
      if (this.#filter(object)) this.#send("ADDED", object);
    }
    if (initial) this.#bookmark({ annotations: { "k8s.io/initial-events-end": "true" } });
  }

  #event(event: StoreEvent): void {
    if (event.bucket !== bucketOf(this.#request.place.kind)) return;
    const passes = this.#filter(event.object);
    const passed = event.before !== undefined && this.#filter(event.before);
    if (event.type === "MODIFIED") {
      if (passes) this.#send(passed ? "MODIFIED" : "ADDED", event.object);
      else if (passed) this.#send("DELETED", event.object);
    } else if (passes) {
      this.#send(event.type, event.object);
    }
  }

  #send(type: string, object: StoreEvent["object"]): void {
    this.#write(type, shaped(inVersion(object, this.#request.place.kind), this.#request.shape));
  }

  #bookmark(extra: Readonly<Record<string, unknown>>): void {
    const { kind } = this.#request.place;
    const metadata = { resourceVersion: String(this.#cluster.store.version), ...extra };
    const full = { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata };
    const partial = { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };
    this.#write("BOOKMARK", this.#request.shape === "full" ? full : partial);
  }

  #write(type: string, object: unknown): void {
    this.#response.write(`${JSON.stringify({ type, object })}\n`);
  }
}
