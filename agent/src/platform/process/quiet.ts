const everyMs = 1_000;
const growth = 1.1;
/** A collection may take this share of the time at most. */
const share = 0.05;

/**
 * Collects garbage by itself when the heap has grown since the last time: an agent works in bursts, and between them V8
 * keeps what the burst left, as nothing presses it. A heap that takes long to collect is collected less often. Does nothing
 * unless the process was started with `--expose-gc`.
 */
export function collectBetweenBursts(): void {
  const collect = globalThis.gc;
  if (collect === undefined) return;
  let kept = 0;
  let next = 0;
  const timer = setInterval(() => {
    const began = performance.now();
    if (began < next || process.memoryUsage().heapUsed < kept * growth) return;
    collect({ type: "major", execution: "sync", flavor: "last-resort" });
    kept = process.memoryUsage().heapUsed;
    next = performance.now() + (performance.now() - began) / share;
  }, everyMs);
  timer.unref();
}
