import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../testing/index.ts";
import { done } from "./outcome.ts";
import { KeyedLoop } from "./queue.ts";

test("what is asked for between two runs of a loop is handled in the second", async () => {
  const clock = new FakeClock();
  const seen: string[] = [];
  const loop = new KeyedLoop({
    clock,
    chance: () => 0,
    concurrency: 1,
    backoff: { base: 1, factor: 1, cap: 1 },
    handle: async (key) => {
      seen.push(key);
      return done;
    },
    onFault: () => undefined,
  });
  for (const key of ["a", "b"]) {
    const stop = new AbortController();
    loop.addWithin(key, 10);
    const running = loop.run(stop.signal);
    await clock.advance(20);
    stop.abort();
    await running;
  }
  assert.deepEqual(seen, ["a", "b"]);
});
