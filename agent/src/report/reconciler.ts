import type { Clock } from "@capstan/proto";
import type { ReportBatch } from "@capstan/proto/agent";
import type { Outbox } from "./outbox.ts";

/** What the reporter works with. */
export interface ReporterPorts {
  readonly clock: Clock;
  readonly outbox: Outbox;
  /** Whether a session stands and has room. */
  ready(): boolean;
  /** False: nothing was sent. */
  send(batch: ReportBatch): boolean;
}

/** Sends what the outbox has due, while a session stands. */
export class Reporter {
  readonly #ports: ReporterPorts;
  #wake: AbortController | undefined;

  constructor(ports: ReporterPorts) {
    this.#ports = ports;
  }

  /** Something changed: in the outbox, or in the session. */
  wake(): void {
    this.#wake?.abort();
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, outbox, ready, send } = this.#ports;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      let afterMs = 60_000;
      if (ready()) {
        const due = outbox.next(clock.monotonic());
        if (due.kind === "batch") {
          if (!send(due.batch)) outbox.connected();
          continue;
        }
        if (due.kind === "later") afterMs = due.afterMs;
      }
      await clock.sleep(afterMs, AbortSignal.any([signal, this.#wake.signal])).catch(() => undefined);
    }
  }
}
