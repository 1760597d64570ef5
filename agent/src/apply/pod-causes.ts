import type { Clock } from "@capstan/proto";
import type { Health } from "../health/model.ts";
import { makingCause, podCause, wantsEvents } from "../health/pods/cause.ts";
import { podsLine } from "../health/pods/fold.ts";
import type { PodCause } from "../health/pods/model.ts";
import { isOwned, type Workload, workloadOf } from "../health/pods/workload.ts";
import type { KubeObject } from "../inventory/object.ts";
import type { PodLooks } from "./port.ts";

/** Pods that one look reads, and pods of them whose events it reads. */
const limits = { pods: 50, asked: 3 } as const;
/** Least time between two looks at anything, and the first and the longest wait between two at one workload. */
const pace = { between: 250, first: 1_000, longest: 60_000, growth: 1.6 } as const;

/** What the causes are found with. */
export interface PodCausesPorts {
  readonly looks: PodLooks;
  readonly clock: Clock;
}

interface Ill {
  readonly workload: Workload;
  /** When to look next, monotonic milliseconds. */
  due: number;
  wait: number;
  line: string;
}

/**
 * Finds out why the pods of unhealthy workloads do not work. One look at a time, at only those workloads: a page of their
 * pods is read, folded to one line and forgotten. What stays ill without change is looked at ever more seldom.
 */
export class PodCauses {
  readonly #ports: PodCausesPorts;
  readonly #ill = new Map<string, Ill>();
  #wake: () => void = () => undefined;

  constructor(ports: PodCausesPorts) {
    this.#ports = ports;
  }

  /** The watch saw an object, and its verdict is this. */
  saw(key: string, object: KubeObject, health: Health): void {
    const workload = health.status === "Progressing" || health.status === "Degraded" ? workloadOf(object) : undefined;
    if (workload === undefined) {
      this.#ill.delete(key);
      return;
    }
    const before = this.#ill.get(key);
    // Not later than it was due: what changes all the time would never be looked at.
    const due = Math.min(before?.due ?? Number.POSITIVE_INFINITY, this.#ports.clock.monotonic() + pace.first);
    this.#ill.set(key, { workload, due, wait: pace.first, line: before?.line ?? "" });
    this.#wake();
  }

  lost(key: string): void {
    this.#ill.delete(key);
  }

  /** What is wrong with the workload's pods; empty where nothing is known. */
  line(key: string): string {
    return this.#ill.get(key)?.line ?? "";
  }

  /** Looks until the signal aborts; tells when a line changed. */
  async run(changed: (key: string) => void, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    while (!signal.aborted) {
      const next = this.#next();
      const wait = next === undefined ? undefined : next[1].due - clock.monotonic();
      if (next === undefined || wait === undefined || wait > 0) {
        await this.#rest(wait, signal);
        continue;
      }
      await this.#visit(next, changed, signal);
      await clock.sleep(pace.between, signal).catch(() => undefined);
    }
  }

  #next(): readonly [string, Ill] | undefined {
    let first: readonly [string, Ill] | undefined;
    for (const entry of this.#ill) if (first === undefined || entry[1].due < first[1].due) first = entry;
    return first;
  }

  /** Until something is due, or somebody falls ill. */
  async #rest(wait: number | undefined, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true, signal: stop.signal });
    });
    const both = AbortSignal.any([signal, stop.signal]);
    const slept = wait === undefined ? woken : this.#ports.clock.sleep(wait, both).catch(() => undefined);
    await Promise.race([woken, slept]);
    stop.abort();
  }

  async #visit([key, ill]: readonly [string, Ill], changed: (key: string) => void, signal: AbortSignal): Promise<void> {
    const line = await this.#look(ill.workload, signal).catch(() => undefined);
    // Well by now, or seen anew meanwhile: the next look is the newer entry's.
    if (this.#ill.get(key) !== ill) return;
    ill.wait = Math.min(pace.longest, ill.wait * pace.growth);
    ill.due = this.#ports.clock.monotonic() + ill.wait;
    if (line === undefined || line === ill.line) return;
    ill.line = line;
    ill.wait = pace.first;
    changed(key);
  }

  async #look(workload: Workload, signal: AbortSignal): Promise<string> {
    const { namespace } = workload.address;
    const asked = { namespace, selector: workload.selector, limit: limits.pods };
    const { pods, more } = await this.#ports.looks.pods(asked, signal);
    const owned = pods.filter((pod) => isOwned(pod, workload));
    const causes: (PodCause | undefined)[] = [];
    let questions = limits.asked as number;
    for (const pod of owned) {
      const events = wantsEvents(pod) && questions-- > 0 ? await this.#events(namespace, pod.metadata.uid, signal) : [];
      causes.push(podCause({ pod, events, now: this.#ports.clock.now() }));
    }
    const making = await this.#making(workload, owned.length, signal);
    return podsLine({ wanted: workload.wanted, causes, more, making });
  }

  /** Why there are fewer pods than wanted: a Deployment's status tells, of others only events. */
  async #making({ address, uid, wanted = 1, refused }: Workload, there: number, signal: AbortSignal) {
    if (there >= wanted) return undefined;
    if (refused !== "") return makingCause(refused);
    const events = await this.#events(address.namespace, uid, signal);
    const newest = events.filter(({ reason }) => reason === "FailedCreate").sort((a, b) => b.at - a.at)[0];
    return newest === undefined ? undefined : makingCause(newest.message.replace(/^.*?Error creating: /s, ""));
  }

  #events(namespace: string, uid: string | undefined, signal: AbortSignal) {
    return uid === undefined ? Promise.resolve([]) : this.#ports.looks.events({ namespace, uid }, signal);
  }
}

/** The verdict with its pods' line in place of its own, where there is one. */
export function explained(health: Health, line: string): Health {
  return line === "" || health.status === "Healthy" ? health : { status: health.status, message: line };
}
