import { Fault } from "@capstan/proto";
import type { ListOptions } from "@capstan/proto/common";
import { parseSelector, selects } from "../clusters/selector.ts";

const defaultSize = 500;
const maxSize = 5000;

/** What a list is narrowed by; fields that an item lacks are not looked at. */
export interface Listable {
  /** Names the item; pages are cut between ids, so that a change in between loses and repeats nothing. */
  readonly id: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly cluster?: string;
  readonly project?: string;
  readonly namespace?: string;
}

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
  readonly total: number;
}

/** Narrows, orders by id and cuts a page. Throws `bad-input` for a page token of another list. */
export function page<T>(all: readonly T[], view: (item: T) => Listable, options: ListOptions | undefined): Page<T> {
  const selector = parseSelector(options?.selector ?? "");
  const clusters = new Set(options?.clusters ?? []);
  const wanted = all
    .map((item) => ({ item, at: view(item) }))
    .filter(({ at }) => {
      if (selector.length > 0 && !selects(selector, at.labels ?? {})) return false;
      if (clusters.size > 0 && !clusters.has(at.cluster ?? "")) return false;
      if ((options?.project ?? "") !== "" && at.project !== options?.project) return false;
      return (options?.namespace ?? "") === "" || at.namespace === options?.namespace;
    })
    .sort((a, b) => (a.at.id < b.at.id ? -1 : a.at.id > b.at.id ? 1 : 0));
  const after = readToken(options?.pageToken ?? "");
  const rest = after === undefined ? wanted : wanted.filter(({ at }) => at.id > after);
  const size = Math.min(options?.pageSize || defaultSize, maxSize);
  const items = rest.slice(0, size);
  const last = items.at(-1)?.at.id;
  return {
    items: items.map(({ item }) => item),
    nextPageToken: rest.length > size && last !== undefined ? `after:${last}` : "",
    total: wanted.length,
  };
}

function readToken(token: string): string | undefined {
  if (token === "") return undefined;
  if (token.startsWith("after:")) return token.slice("after:".length);
  throw new Fault("bad-input", { message: "expected a page token of this list, found another text." });
}
