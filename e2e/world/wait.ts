import { generous } from "@capstan/proto/testing";

/** How long to wait for a level, and how often to look. */
export interface Bound {
  /** Milliseconds until giving up, times CAPSTAN_PATIENCE. */
  readonly bound: number;
  /** Milliseconds between two looks; 25 by default. */
  readonly every?: number;
  readonly signal?: AbortSignal;
}

/** What a look returns when the level is not reached, with what it saw instead. */
export class NotYet {
  readonly seen: unknown;

  constructor(seen: unknown) {
    this.seen = seen;
  }
}

/** "Not yet, and this is what I saw": shown when the wait ends without the level. */
export function notYet(seen: unknown): NotYet {
  return new NotYet(seen);
}

type Falsy = false | 0 | "" | null | undefined;
/** What `until` resolves to: the look's value once it is neither falsy nor a `NotYet`. */
export type Reached<T> = Exclude<T, Falsy | NotYet>;

/**
 * Waits for a level: looks again and again until `look` returns something true, and returns that. A look that throws,
 * or returns something falsy or a `NotYet`, has not reached it. At the bound it throws, saying what was last seen.
 * This is the one place of the test world that polls.
 */
export async function until<T>(what: string, look: () => T | Promise<T>, limit: number | Bound): Promise<Reached<T>> {
  const { every = 25, signal, ...given }: Bound = typeof limit === "number" ? { bound: limit } : limit;
  const bound = generous(given.bound);
  const started = performance.now();
  for (;;) {
    const seen = await lookOnce(look);
    if ("reached" in seen) return seen.reached;
    signal?.throwIfAborted();
    const left = bound - (performance.now() - started);
    if (left <= 0) {
      throw new Error(`waited ${bound} ms for ${what}; last saw ${seen.text}`, { cause: seen.cause });
    }
    await pause(Math.min(every, left));
  }
}

type Look<T> = { readonly reached: Reached<T> } | { readonly text: string; readonly cause?: unknown };

async function lookOnce<T>(look: () => T | Promise<T>): Promise<Look<T>> {
  try {
    const value = await look();
    if (value instanceof NotYet) return { text: show(value.seen) };
    if (value) return { reached: value as Reached<T> };
    return { text: show(value) };
  } catch (error) {
    return { text: `an error: ${error instanceof Error ? error.message : String(error)}`, cause: error };
  }
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(-2_000));
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 2_000 ? `${text.slice(0, 2_000)}…` : text;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** The promise's value, or an error naming `what` when it takes longer than `limit` ms times CAPSTAN_PATIENCE. */
export async function within<T>(what: string, limit: number, promise: Promise<T>): Promise<T> {
  const bound = generous(limit);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${bound} ms`)), bound);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
