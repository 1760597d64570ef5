import type { PodLooks } from "../../apply/port.ts";
import { refusalFault } from "../../apply/refusal.ts";
import { isMap } from "../../drift/compare.ts";
import type { PodEvent } from "../../health/pods/model.ts";
import { type KindRef, type KubeObject, parseApiVersion, printApiVersion } from "../../inventory/object.ts";
import type { LiveEvent, LogOptions, LogSource } from "../../views/model.ts";
import type { LiveObjects } from "../../views/port.ts";
import { type KubeAnswer, type KubeClient, StreamRefused } from "./client.ts";
import { collectionPath } from "./cluster.ts";
import type { Kinds } from "./kinds.ts";

/** Most events of one object that are read. */
const mostEvents = 50;
const metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
/** A program may be silent for hours; the question's own end is the bound. */
const logSilenceMs = 4_000_000;

/** Pods, events, logs and whatever else is looked at, over a REST client. */
export class KubeLooks implements PodLooks, LiveObjects {
  readonly #client: KubeClient;
  readonly #kinds: Kinds;

  constructor(client: KubeClient, kinds: Kinds) {
    this.#client = client;
    this.#kinds = kinds;
  }

  served() {
    return this.#kinds.list();
  }

  async list(
    asked: {
      readonly group: string;
      readonly kind: string;
      readonly namespace: string;
      readonly limit: number;
      readonly body: boolean;
    },
    signal: AbortSignal,
  ): Promise<{ readonly objects: readonly KubeObject[]; readonly more: boolean }> {
    const resource = await this.#kinds.findAny(asked, signal);
    if (resource?.verbs.includes("list") !== true) return { objects: [], more: false };
    const path = `${collectionPath(resource, { namespace: asked.namespace, name: "" })}?limit=${asked.limit}`;
    const answer = await this.#client.send(
      { method: "GET", path, ...(asked.body ? {} : { accept: metadataOnly }) },
      signal,
    );
    // Not served any more, or not for us to see: the view says that there may be more.
    if (answer.status === 404 || answer.status === 403) return { objects: [], more: answer.status === 403 };
    const { items, metadata } = this.#checked(answer, resource);
    const apiVersion = printApiVersion(resource);
    const objects = (items ?? []).map((item) => ({ ...item, apiVersion, kind: resource.kind }));
    return { objects, more: (metadata.continue ?? "") !== "" };
  }

  async namespaceEvents(namespace: string, limit: number, signal: AbortSignal): Promise<readonly LiveEvent[]> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events?limit=${limit}`;
    const { items } = await this.#list(path, "Event", signal);
    return (items ?? []).map(liveEvent);
  }

  async *log(source: LogSource, options: LogOptions, signal: AbortSignal): AsyncGenerator<string> {
    const query = new URLSearchParams({ container: source.container, timestamps: "true" });
    query.set("tailLines", String(options.tail));
    if (options.sinceSeconds > 0) query.set("sinceSeconds", String(options.sinceSeconds));
    if (options.previous) query.set("previous", "true");
    if (options.follow) query.set("follow", "true");
    const { namespace, pod } = source;
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log?${query.toString()}`;
    const watched = { silenceMs: logSilenceMs, opened: () => undefined };
    try {
      yield* this.#client.text({ path, accept: "text/plain, application/json" }, watched, signal);
    } catch (thrown) {
      if (!(thrown instanceof StreamRefused)) throw thrown;
      const address = { group: "", version: "v1", kind: "Pod", namespace, name: pod };
      throw refusalFault(thrown.answer.status, thrown.answer.body, { verb: "read", address });
    }
  }

  async pods(
    asked: { readonly namespace: string; readonly selector: string; readonly limit: number },
    signal: AbortSignal,
  ) {
    const query = new URLSearchParams({ labelSelector: asked.selector, limit: String(asked.limit) });
    const path = `/api/v1/namespaces/${encodeURIComponent(asked.namespace)}/pods?${query.toString()}`;
    const { items, metadata } = await this.#list(path, "Pod", signal);
    return { pods: items ?? [], more: (metadata.continue ?? "") !== "" };
  }

  async events(asked: { readonly namespace: string; readonly uid: string }, signal: AbortSignal): Promise<PodEvent[]> {
    const query = new URLSearchParams({ fieldSelector: `involvedObject.uid=${asked.uid}`, limit: String(mostEvents) });
    const path = `/api/v1/namespaces/${encodeURIComponent(asked.namespace)}/events?${query.toString()}`;
    const { items } = await this.#list(path, "Event", signal);
    return (items ?? []).map((event) => ({
      reason: textOf(event["reason"]),
      message: textOf(event["message"]),
      at: eventTime(event),
    }));
  }

  async #list(path: string, kind: string, signal: AbortSignal): Promise<ListBody> {
    const answer = await this.#client.send({ method: "GET", path }, signal);
    return this.#checked(answer, { group: "", version: "v1", kind });
  }

  #checked(answer: KubeAnswer, kind: KindRef): ListBody {
    if (answer.status === 200 && isMap(answer.body)) return answer.body as unknown as ListBody;
    const address = { ...kind, namespace: "", name: "*" };
    throw refusalFault(answer.status, answer.body, { verb: "read", address });
  }
}

interface ListBody {
  readonly items: readonly KubeObject[] | null;
  readonly metadata: { readonly continue?: string };
}

function liveEvent(event: KubeObject): LiveEvent {
  const about = isMap(event["involvedObject"]) ? event["involvedObject"] : {};
  const series = isMap(event["series"]) ? event["series"] : {};
  const count = series["count"] ?? event["count"];
  return {
    at: eventTime(event),
    type: textOf(event["type"]),
    reason: textOf(event["reason"]),
    message: textOf(event["message"]),
    count: typeof count === "number" ? count : 1,
    object: {
      group: parseApiVersion(textOf(about["apiVersion"])).group,
      kind: textOf(about["kind"]),
      namespace: textOf(about["namespace"]),
      name: textOf(about["name"]),
    },
  };
}

/** When an event was seen last, in milliseconds; 0 where it does not say. */
function eventTime(event: KubeObject): number {
  const { series } = event;
  const observed = isMap(series) ? textOf(series["lastObservedTime"]) : "";
  const text =
    observed ||
    textOf(event["lastTimestamp"]) ||
    textOf(event["eventTime"]) ||
    textOf(event.metadata.creationTimestamp);
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : at;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
