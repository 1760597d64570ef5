import { type Clock, Fault } from "@capstan/proto";

/** Does work that may take `ms` milliseconds at most; its signal then aborts with a `timeout`, as the caller's does with its own. */
export async function within<T>(
  clock: Pick<Clock, "sleep">,
  { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const finished = new AbortController();
  const waiting = clock.sleep(ms, AbortSignal.any([finished.signal, signal])).then(
    () => late.abort(new Fault("timeout", { message: `it took longer than ${ms / 1000} s.` })),
    () => undefined,
  );
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } finally {
    finished.abort();
    await waiting;
  }
}
