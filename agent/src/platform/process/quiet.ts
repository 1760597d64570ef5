const everyMs = 5_000;
const growth = 1.1;

/**
 * Collects garbage by itself when the heap has grown since the last time: an agent works in bursts, and between them V8
 * keeps what the burst left, as nothing presses it. Does nothing unless the process was started with `--expose-gc`.
 */
export function collectBetweenBursts(): void {
  const collect = globalThis.gc;
  if (collect === undefined) return;
  let kept = 0;
  const timer = setInterval(() => {
    if (process.memoryUsage().heapUsed < kept * growth) return;
    collect({ type: "major", execution: "sync", flavor: "last-resort" });
    kept = process.memoryUsage().heapUsed;
  }, everyMs);
  timer.unref();
}
