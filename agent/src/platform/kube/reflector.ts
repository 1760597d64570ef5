import { type Backoff, backoffDelay, type Chance, type Clock, Fault } from "@capstan/proto";
import type { Watches, WatchSink } from "../../apply/port.ts";
import { refusalFault } from "../../apply/refusal.ts";
import { isMap } from "../../drift/compare.ts";
import { type KindRef, type KubeMeta, type KubeObject, printApiVersion } from "../../inventory/object.ts";
import { type KubeClient, StreamRefused } from "./client.ts";
import { collectionPath } from "./cluster.ts";
import type { Kinds, Resource } from "./kinds.ts";

const pageSize = 250;
/** Bookmarks come about once a minute; a connection silent for longer is taken for dead and opened again. */
const silenceMs = 150_000;
const backoff: Backoff = { base: 200, factor: 2, cap: 30_000 };

/** What a reflector is made of. */
export interface ReflectorOptions {
  readonly client: KubeClient;
  readonly kinds: Kinds;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Only objects with this label selector. */
  readonly selector: string;
}

/**
 * Lists a kind in pages and then watches it, for ever: bookmarks keep the place, 410 lists anew, a lost connection goes on
 * where it was, and failures wait with full jitter. Nothing is kept but the place: objects pass through.
 */
export class Reflector implements Watches {
  readonly #options: ReflectorOptions;

  constructor(options: ReflectorOptions) {
    this.#options = options;
  }

  async follow(kind: KindRef, what: { readonly body: boolean }, sink: WatchSink, signal: AbortSignal): Promise<void> {
    const following: Following = { kind, body: what.body, sink, place: undefined };
    for (let attempt = 0; !signal.aborted; ) {
      try {
        const resource = await this.#options.kinds.find(kind, signal);
        if (resource === undefined) return;
        following.place ??= await this.#list(resource, following, signal);
        if (await this.#watch(resource, following, signal)) attempt = 0;
        else await this.#pause(attempt++, signal);
      } catch (thrown) {
        if (signal.aborted) return;
        const fault = this.#faultOf(thrown, kind);
        if (fault.code === "kind-not-served") {
          this.#options.kinds.distrust(kind);
          if (await this.#isGone(kind, signal)) return;
        }
        if (isExpired(thrown)) following.place = undefined;
        else sink.trouble(fault);
        await this.#pause(attempt++, signal);
      }
    }
  }

  /** Discovery that fails tells nothing: only an answer without the kind ends its watch. */
  async #isGone(kind: KindRef, signal: AbortSignal): Promise<boolean> {
    try {
      return (await this.#options.kinds.find(kind, signal)) === undefined;
    } catch {
      return false;
    }
  }

  async #pause(attempt: number, signal: AbortSignal): Promise<void> {
    await this.#options.clock
      .sleep(backoffDelay(backoff, attempt, this.#options.chance), signal)
      .catch(() => undefined);
  }

  async #list(resource: Resource, following: Following, signal: AbortSignal): Promise<string> {
    const { client, selector } = this.#options;
    const accept = acceptOf(following.body, "List");
    following.sink.begin();
    for (let token = ""; ; ) {
      const query = new URLSearchParams({ labelSelector: selector, limit: String(pageSize) });
      if (token !== "") query.set("continue", token);
      const path = `${collectionPath(resource, { namespace: "", name: "" })}?${query.toString()}`;
      const answer = await client.send({ method: "GET", path, accept }, signal);
      if (answer.status !== 200 || !isMap(answer.body)) throw new StreamRefused(answer);
      const { items, metadata } = answer.body as unknown as ListBody;
      for (const item of items ?? []) following.sink.set(named(item, resource));
      token = metadata.continue ?? "";
      if (token !== "") continue;
      following.sink.synced();
      return metadata.resourceVersion;
    }
  }

  /** Returns when the server ends the watch; true if anything came through it. */
  async #watch(resource: Resource, following: Following, signal: AbortSignal): Promise<boolean> {
    const { client, chance, selector } = this.#options;
    const seconds = Math.round(300 + chance() * 300);
    const query = new URLSearchParams({
      watch: "1",
      labelSelector: selector,
      allowWatchBookmarks: "true",
      resourceVersion: following.place ?? "",
      timeoutSeconds: String(seconds),
    });
    const path = `${collectionPath(resource, { namespace: "", name: "" })}?${query.toString()}`;
    let heard = false;
    const started = this.#options.clock.monotonic();
    const opened = () => following.sink.steady();
    const stream = client.lines(path, acceptOf(following.body, ""), { silenceMs, opened }, signal);
    for await (const line of stream) {
      heard = true;
      deliver(line as WatchLine, resource, following);
    }
    return heard || this.#options.clock.monotonic() - started > 5000;
  }

  #faultOf(thrown: unknown, kind: KindRef): Fault {
    if (!(thrown instanceof StreamRefused)) return Fault.from(thrown);
    const asked = { verb: "watch", address: { ...kind, namespace: "", name: "*" } };
    return refusalFault(thrown.answer.status, thrown.answer.body, asked);
  }
}

interface Following {
  readonly kind: KindRef;
  readonly body: boolean;
  readonly sink: WatchSink;
  /** The resourceVersion to go on from; undefined: list first. */
  place: string | undefined;
}

/** Where the objects fill their pages exactly, the last page of a metadata-only list has no items but `null`. */
interface ListBody {
  readonly items: readonly KubeObject[] | null;
  readonly metadata: ListMeta;
}

interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
}

interface WatchLine {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubeObject & { readonly code?: number };
}

function deliver(line: WatchLine, resource: Resource, following: Following): void {
  if (line.type === "ERROR") throw new StreamRefused({ status: line.object.code ?? 500, body: line.object });
  const meta: KubeMeta = line.object.metadata;
  if (meta.resourceVersion !== undefined) following.place = meta.resourceVersion;
  if (line.type === "BOOKMARK") return;
  if (line.type === "DELETED") following.sink.gone(named(line.object, resource));
  else following.sink.set(named(line.object, resource));
}

/** Items of lists carry no kind, and metadata-only ones another. */
function named(object: KubeObject, resource: Resource): KubeObject {
  return { ...object, apiVersion: printApiVersion(resource), kind: resource.kind };
}

function isExpired(thrown: unknown): boolean {
  return thrown instanceof StreamRefused && thrown.answer.status === 410;
}

function acceptOf(body: boolean, suffix: "" | "List"): string {
  return body
    ? "application/json"
    : `application/json;as=PartialObjectMetadata${suffix};g=meta.k8s.io;v=v1,application/json`;
}
