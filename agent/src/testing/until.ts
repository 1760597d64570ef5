import { setTimeout as sleep } from "node:timers/promises";
import { generous } from "@capstan/proto/testing";

/** Looks every 10 ms until the look gives something, for at most `limit` ms times CAPSTAN_PATIENCE. For tests that wait for a level. */
export async function until<Found>(
  look: () => Found | undefined | false | Promise<Found | undefined | false>,
  limit = 30_000,
) {
  const ms = generous(limit);
  const end = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain for: ${look.toString()}`);
    await sleep(10);
  }
}
