import type { Tools } from "../toolchain/tools.ts";

/** One figure of a bench. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The limit; null for a figure that only informs. */
  readonly bar: number | null;
  readonly met: boolean;
}

/** What a bench is given. */
export interface BenchContext {
  readonly tools: Tools;
  /** Aborted when the person interrupts. */
  readonly signal: AbortSignal;
  /** A shorter run was asked for: figures, but over less time than a bar is meant for. */
  readonly quick: boolean;
  /** Progress for people, on stderr. */
  say(text: string): void;
}

/** A bench, exported as `bench` by `e2e/bench/<name>.ts` and listed in `main.ts`. */
export interface Bench {
  /** One line for the list. */
  readonly summary: string;
  /** It measures what `npm run build` makes, which is made anew before it runs. */
  readonly built?: boolean;
  run(context: BenchContext): Promise<readonly Bar[]>;
}

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** A figure that must not pass its bar. */
export function atMost(bar: number, figure: Figure): Bar {
  return { ...figure, value: rounded(figure.value), bar, met: figure.value <= bar };
}

/** A figure that must reach its bar. */
export function atLeast(bar: number, figure: Figure): Bar {
  return { ...figure, value: rounded(figure.value), bar, met: figure.value >= bar };
}

/** A figure without a bar. */
export function figure(one: Figure): Bar {
  return { ...one, value: rounded(one.value), bar: null, met: true };
}

/** The `share` quantile (0.99 for p99) by nearest rank; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Runs `count` pieces of work, at most `width` at once, and returns how many a second were done. */
export async function rate(count: number, width: number, work: (index: number) => Promise<unknown>): Promise<number> {
  const started = performance.now();
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return (count * 1_000) / (performance.now() - started);
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
