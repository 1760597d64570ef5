import { readFile, writeFile } from "node:fs/promises";
import { checkHistory, checkTraffic, type HistoryEvent } from "./history-check.ts";

/** The record of a scenario: what was committed, signed, applied, written and deleted, in the order of arrival. */
export class History {
  readonly #events: HistoryEvent[] = [];

  record(event: HistoryEvent): void {
    this.#events.push(event);
  }

  get events(): readonly HistoryEvent[] {
    return this.#events;
  }

  /** Brackets a fault: what `act` does is recorded as during it. */
  async fault<T>(name: string, act: () => Promise<T>): Promise<T> {
    this.record({ kind: "fault", name, phase: "begin" });
    try {
      return await act();
    } finally {
      this.record({ kind: "fault", name, phase: "end" });
    }
  }

  /** Throws with all broken promises, or when the run proved nothing for lack of traffic. */
  assertHolds(): void {
    const violations = checkHistory(this.#events).map(
      (one) => `${one.invariant} at event ${one.index}: ${one.message}`,
    );
    const idle = checkTraffic(this.#events).map((missing) => `the run does not count: ${missing}`);
    const wrong = [...violations, ...idle];
    if (wrong.length > 0) throw new Error(`the history breaks its promises:\n${wrong.join("\n")}`);
  }

  /** Writes the record as JSON lines, so that it can be checked again later. */
  save(path: string): Promise<void> {
    return writeFile(path, this.#events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  }

  static async load(path: string): Promise<History> {
    const history = new History();
    for (const line of (await readFile(path, "utf8")).split("\n")) {
      if (line !== "") history.record(JSON.parse(line) as HistoryEvent);
    }
    return history;
  }
}
