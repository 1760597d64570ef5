import { type Clock, Fault } from "@capstan/proto";
import { mapAt, mapsAt, numberAt, textAt } from "@capstan/proto/verdict";
import type { KubeObject } from "../inventory/object.ts";
import type { Mask } from "./mask.ts";
import { type LogLine, type LogOptions, type LogSource, viewLimits } from "./model.ts";
import type { LiveObjects } from "./port.ts";

/** The containers that are meant. `previous` leaves out those that never restarted. Throws `not-found`. */
export function sourcesOf(
  pods: readonly KubeObject[],
  asked: { readonly pod: string; readonly container: string; readonly previous: boolean },
): readonly LogSource[] {
  const meant = asked.pod === "" ? pods : pods.filter(({ metadata }) => metadata.name === asked.pod);
  if (meant.length === 0) {
    const names = pods.map(({ metadata }) => metadata.name).slice(0, 10);
    throw new Fault("not-found", {
      message: asked.pod === "" ? "the target has no pods." : `the target has no pod ${asked.pod}.`,
      next: names.length === 0 ? "See its tree: it may own no workload." : `It has: ${names.join(", ")}.`,
    });
  }
  const all = meant.flatMap((pod) => containersOf(pod).map((container) => ({ pod, container })));
  const found = all
    .filter(({ container }) => asked.container === "" || container === asked.container)
    .filter(({ pod, container }) => !asked.previous || restartsOf(pod, container) > 0)
    .map(({ pod, container }) => ({ namespace: pod.metadata.namespace ?? "", pod: pod.metadata.name, container }));
  if (found.length > 0) return found.slice(0, viewLimits.sources);
  const names = [...new Set(all.map(({ container }) => container))];
  throw new Fault("not-found", {
    message: asked.previous
      ? "no container of it has restarted, so that there is no log of an instance before."
      : `no pod of it has a container ${asked.container}.`,
    next: asked.previous ? "Ask without --previous." : `There are: ${names.join(", ")}.`,
  });
}

/** Init containers are meant too while they have not all ended well: they are what one looks for then. */
function containersOf(pod: KubeObject): readonly string[] {
  const spec = mapAt(pod, "spec");
  const names = (field: string) => mapsAt(spec, field).map((each) => textAt(each, "name"));
  const init = mapsAt(mapAt(pod, "status"), "initContainerStatuses");
  const done = init.every((each) => textAt(mapAt(each, "state", "terminated"), "reason") === "Completed");
  return [...(done ? [] : names("initContainers")), ...names("containers")];
}

function restartsOf(pod: KubeObject, container: string): number {
  const status = mapAt(pod, "status");
  const all = [...mapsAt(status, "initContainerStatuses"), ...mapsAt(status, "containerStatuses")];
  return numberAt(all.find((each) => textAt(each, "name") === container) ?? {}, "restartCount");
}

/** What logs are read with. */
export interface LogReading {
  readonly live: Pick<LiveObjects, "log">;
  readonly clock: Clock;
  readonly mask: Mask;
}

/**
 * Reads the logs of all sources, masked, in parts. Without `follow` all lines are put in the order of their times; with it
 * they come as they come, and what is more than the wire should carry is left out and counted.
 */
export async function* readLogs(
  reading: LogReading,
  sources: readonly LogSource[],
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<readonly LogLine[]> {
  if (options.follow) yield* followed(reading, sources, options, signal);
  else yield await whole(reading, sources, options, signal);
}

async function whole(
  reading: LogReading,
  sources: readonly LogSource[],
  options: LogOptions,
  signal: AbortSignal,
): Promise<readonly LogLine[]> {
  const box = new Box(Math.floor(viewLimits.logChars / Math.max(1, sources.length)));
  const all: LogLine[] = [];
  for (const source of sources) {
    await drain(reading, { source, options, box }, signal);
    all.push(...box.take());
  }
  // A stable sort: lines of one time keep their order.
  return all.sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : timeOf(a) > timeOf(b) ? 1 : 0));
}

function timeOf(line: LogLine): string {
  // What is no line of a log stands at the end.
  return "at" in line ? line.at : "~";
}

async function* followed(
  reading: LogReading,
  sources: readonly LogSource[],
  options: LogOptions,
  outer: AbortSignal,
): AsyncGenerator<readonly LogLine[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([outer, stop.signal]);
  const box = new Box(viewLimits.partChars);
  let open = sources.length;
  const until = reading.clock.monotonic() + viewLimits.followMs;
  for (const source of sources) {
    void drain(reading, { source, options, box }, signal).finally(() => {
      open--;
    });
  }
  try {
    while (!signal.aborted && reading.clock.monotonic() < until) {
      const last = open === 0;
      const lines = box.take();
      if (lines.length > 0) yield lines;
      if (last) return;
      await reading.clock.sleep(viewLimits.partMs, signal).catch(() => undefined);
    }
  } finally {
    stop.abort();
  }
}

interface Draining {
  readonly source: LogSource;
  readonly options: LogOptions;
  readonly box: Box;
}

/** Never rejects: a log that cannot be read is a line that says so. */
async function drain(reading: LogReading, { source, options, box }: Draining, signal: AbortSignal): Promise<void> {
  const { pod, container } = source;
  try {
    for await (const text of reading.live.log(source, options, signal)) {
      const space = text.indexOf(" ");
      const masked = reading.mask.apply(text.slice(space + 1));
      box.put({ pod, container, at: text.slice(0, Math.max(0, space)), line: masked.slice(0, viewLimits.lineChars) });
    }
  } catch (thrown) {
    if (!signal.aborted) box.put({ pod, container, problem: reading.mask.apply(Fault.from(thrown).message) });
  }
}

/** Lines that wait to be sent, up to a number of characters. */
class Box {
  readonly #limit: number;
  #lines: LogLine[] = [];
  #chars = 0;
  #left = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  put(line: LogLine): void {
    const chars = "line" in line ? line.line.length + 100 : 0;
    if (this.#chars + chars > this.#limit) this.#left++;
    else {
      this.#lines.push(line);
      this.#chars += chars;
    }
  }

  take(): readonly LogLine[] {
    const lines = this.#left === 0 ? this.#lines : [...this.#lines, { left: this.#left }];
    this.#lines = [];
    this.#chars = 0;
    this.#left = 0;
    return lines;
  }
}
