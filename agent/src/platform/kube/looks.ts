import type { PodLooks } from "../../apply/port.ts";
import { refusalFault } from "../../apply/refusal.ts";
import { isMap } from "../../drift/compare.ts";
import type { PodEvent } from "../../health/pods/model.ts";
import type { KubeObject } from "../../inventory/object.ts";
import type { KubeClient } from "./client.ts";

/** Most events of one object that are read. */
const mostEvents = 50;

/** Pods and events over a REST client. */
export class KubeLooks implements PodLooks {
  readonly #client: KubeClient;

  constructor(client: KubeClient) {
    this.#client = client;
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
    if (answer.status === 200 && isMap(answer.body)) return answer.body as unknown as ListBody;
    const address = { group: "", version: "v1", kind, namespace: "", name: "*" };
    throw refusalFault(answer.status, answer.body, { verb: "read", address });
  }
}

interface ListBody {
  readonly items: readonly KubeObject[] | null;
  readonly metadata: { readonly continue?: string };
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
