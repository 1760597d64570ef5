import { setTimeout as sleep } from "node:timers/promises";

/** Looks every 10 ms until the look gives something, for at most `ms`. For tests that wait for a level. */
export async function until<Found>(
  look: () => Found | undefined | false | Promise<Found | undefined | false>,
  ms = 30_000,
) {
  const end = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain for: ${look.toString()}`);
    await sleep(10);
  }
}
