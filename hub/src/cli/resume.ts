import { Fault } from "@capstan/proto";
import type { Call } from "./call.ts";
import { exit, exitOf } from "./exit.ts";

const againMs = 1000;
const patienceMs = 120_000;

/**
 * A watch that outlives its connection: hubs bound the age of connections, and are restarted. It is opened again from
 * the last token; only two minutes without any answer end it, with the fault. Ends quietly by Ctrl-C.
 */
export async function* resumed<E extends { readonly token: string }>(
  { signal, ports: { clock } }: Call,
  open: (token: string) => AsyncIterable<E>,
): AsyncIterable<E> {
  let token = "";
  let heardAt = clock.monotonic();
  while (!signal.aborted) {
    try {
      for await (const event of open(token)) {
        token = event.token;
        heardAt = clock.monotonic();
        yield event;
      }
    } catch (thrown) {
      const fault = Fault.from(thrown);
      if (exitOf(fault) !== exit.unreachable || clock.monotonic() - heardAt > patienceMs) throw fault;
    }
    await clock.sleep(againMs, signal).catch(() => undefined);
  }
}
