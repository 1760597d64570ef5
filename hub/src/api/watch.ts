import type { Clock } from "@capstan/proto";
import { WatchEventType, type WatchOptions } from "@capstan/proto/common";
import { etagOfText, printed } from "./etag.ts";
import { type Listable, narrowing } from "./page.ts";

/** Something that says when it may have changed. */
export interface Watched {
  /** Names the leadership and the state: `<epoch>`. A token of another one is answered by RESET. */
  readonly term: () => string;
  /** Grows with every change. */
  readonly sequence: () => number;
  /** Resolves after the next change, or when the signal aborts. */
  changed(signal: AbortSignal): Promise<void>;
  /** With it a watcher rests between looks, so that a restless fleet does not make the hub look without end. */
  readonly clock?: Pick<Clock, "monotonic" | "sleep">;
}

/** Shortest rest between two looks in milliseconds; a look that takes long is followed by a rest four times as long. */
const rest = 100;

/** One event of a watch. */
export interface WatchEvent<T> {
  readonly type: WatchEventType;
  readonly item: T | undefined;
  /** Of what is gone. */
  readonly id: string | undefined;
  readonly token: string;
}

/**
 * Events of a list as it changes. Level-triggered: at each change the list is looked at anew and compared with what this
 * watcher was told last, so that a slow one misses steps but never the state. It begins with RESET and the whole list: a
 * token only spares that where nothing has changed since.
 */
export async function* watch<T>(
  watched: Watched,
  list: () => readonly T[],
  view: (item: T) => Listable,
  options: WatchOptions | undefined,
  signal: AbortSignal,
): AsyncIterable<WatchEvent<T>> {
  const token = () => `${watched.term()}.${watched.sequence()}`;
  const wanted = () => narrowed(list(), view, options);
  const told = new Map<string, string>();
  if (options?.token === token()) for (const [id, item] of wanted()) told.set(id, etagOfText(printed(item)));
  else {
    yield { type: WatchEventType.RESET, item: undefined, id: undefined, token: token() };
  }
  while (!signal.aborted) {
    const at = token();
    const begun = watched.clock?.monotonic() ?? 0;
    const now = wanted();
    for (const [id, item] of now) {
      const text = etagOfText(printed(item));
      if (told.get(id) === text) continue;
      told.set(id, text);
      yield { type: WatchEventType.CHANGED, item, id: undefined, token: at };
    }
    for (const id of [...told.keys()].filter((each) => !now.has(each))) {
      told.delete(id);
      yield { type: WatchEventType.REMOVED, item: undefined, id, token: at };
    }
    yield { type: WatchEventType.BOOKMARK, item: undefined, id: undefined, token: at };
    const cost = (watched.clock?.monotonic() ?? 0) - begun;
    await watched.clock?.sleep(Math.max(rest, 4 * cost), signal).catch(() => undefined);
    if (at === token()) await watched.changed(signal);
  }
}

function narrowed<T>(
  all: readonly T[],
  view: (item: T) => Listable,
  options: WatchOptions | undefined,
): Map<string, T> {
  const wants = narrowing(options);
  const kept = new Map<string, T>();
  for (const item of all) {
    const at = view(item);
    if (wants(at)) kept.set(at.id, item);
  }
  return kept;
}
