import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { Fault } from "@capstan/proto";
import type { ListOptions } from "@capstan/proto/common";
import { parseSelector, selects } from "../clusters/selector.ts";
import { etagOfText } from "./etag.ts";

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

/** What a list may be ordered by, by the names that `order_by` takes; empty: by id. */
export type Orders<T> = Readonly<Record<string, (item: T) => string | number>>;

interface Placed<T> {
  readonly item: T;
  readonly key: string | number;
  readonly id: string;
}

/**
 * Narrows, orders and cuts a page. Throws `bad-input` for a page token of another list and for an order that the list
 * does not know. `fallback` is the order where none is asked for.
 */
export function page<T>(
  all: Iterable<T>,
  view: (item: T) => Listable,
  options: ListOptions | undefined,
  { orders = {}, fallback = "" }: { readonly orders?: Orders<T>; readonly fallback?: string } = {},
): Page<T> {
  const asked = options?.orderBy || fallback;
  const descending = asked.startsWith("-");
  const keyOf = orderNamed(asked.replace(/^-/, ""), orders);
  const wants = narrowing(options);
  const placed: Placed<T>[] = [];
  for (const item of all) {
    const at = view(item);
    if (wants(at)) placed.push({ item, key: keyOf?.(item) ?? at.id, id: at.id });
  }
  const compare = (a: Omit<Placed<T>, "item">, b: Omit<Placed<T>, "item">) =>
    (descending ? -1 : 1) * (order(a.key, b.key) || order(a.id, b.id));
  placed.sort(compare);
  const binding = bindingOf(options, asked);
  const after = readToken(options?.pageToken ?? "", binding);
  const rest = after === undefined ? placed : placed.filter((each) => compare(each, after) > 0);
  const items = rest.slice(0, Math.min(options?.pageSize || defaultSize, maxSize));
  const last = items.at(-1);
  return {
    items: items.map(({ item }) => item),
    nextPageToken: rest.length > items.length && last !== undefined ? writeToken(last, binding) : "",
    total: placed.length,
  };
}

/** Whether an item is among those that a list or watch asks for. */
export function narrowing(
  options: Pick<ListOptions, "selector" | "clusters" | "project" | "namespace"> | undefined,
): (at: Listable) => boolean {
  const selector = parseSelector(options?.selector ?? "");
  const clusters = new Set(options?.clusters ?? []);
  const project = options?.project ?? "";
  const namespace = options?.namespace ?? "";
  return (at) => {
    if (selector.length > 0 && !selects(selector, at.labels ?? {})) return false;
    if (clusters.size > 0 && !clusters.has(at.cluster ?? "")) return false;
    if (project !== "" && at.project !== project) return false;
    return namespace === "" || at.namespace === namespace;
  };
}

function orderNamed<T>(name: string, orders: Orders<T>): ((item: T) => string | number) | undefined {
  if (name === "") return undefined;
  const found = Object.hasOwn(orders, name) ? orders[name] : undefined;
  if (found !== undefined || (name === "name" && orders["name"] === undefined)) return found;
  throw new Fault("bad-input", {
    message: `expected an order of ${["name", ...Object.keys(orders)].join(", ")}, found ${JSON.stringify(name)}.`,
  });
}

function order(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function bindingOf(options: ListOptions | undefined, asked: string): string {
  const { selector = "", clusters = [], project = "", namespace = "" } = options ?? {};
  return etagOfText(JSON.stringify([selector, [...clusters].sort(), project, namespace, asked]));
}

function writeToken({ key, id }: { readonly key: string | number; readonly id: string }, binding: string): string {
  return base64Encode(new TextEncoder().encode(JSON.stringify([binding, key, id])), "url");
}

function readToken(token: string, binding: string): { readonly key: string | number; readonly id: string } | undefined {
  if (token === "") return undefined;
  try {
    const [bound, key, id] = JSON.parse(new TextDecoder().decode(base64Decode(token))) as [string, string, string];
    if (bound === binding && typeof id === "string") return { key, id };
  } catch {
    // Told below.
  }
  throw new Fault("bad-input", {
    message: "expected a page token of this list, filter and order, found another text.",
    next: "Ask for the first page again.",
  });
}
