import { type CallContext, deepEqual, GoList, isEmpty, kindOf, type Value } from "../value.ts";
import { define, type FunctionTable, fail, whole } from "./define.ts";
import { toInt64 } from "./numbers.ts";

const make = define("...any", (values) => new GoList(values));
const push = define("any any", ([list, value], context) => new GoList([...items(list, "push on", context), value]));
const prepend = define(
  "any any",
  ([list, value], context) => new GoList([value, ...items(list, "prepend on", context)]),
);
const first = define("any", ([list]) => items(list, "find first on")[0] ?? null);
const last = define("any", ([list]) => items(list, "find last on").at(-1) ?? null);
const rest = define("any", ([list], context) => part(items(list, "find rest on", context), 1, 0));
const initial = define("any", ([list], context) => part(items(list, "find initial on", context), 0, 1));
const reverse = define("any", ([list], context) => new GoList([...items(list, "find reverse on", context)].reverse()));
const compact = define(
  "any",
  ([list], context) => new GoList(items(list, "compact on", context).filter((item) => !isEmpty(item))),
);
const uniq = define("any", ([list], context) => new GoList(unique(items(list, "find uniq on", context), context)));
const without = define("any ...any", ([list, ...omitted], context) => {
  const kept = items(list, "find without on", context);
  context.charge(kept.length * omitted.length);
  return new GoList(kept.filter((item) => !omitted.some((other) => deepEqual(other, item))));
});
const has = define("any any", ([needle, list], context) =>
  list === null || list === undefined
    ? false
    : items(list, "find has on", context).some((item) => deepEqual(needle, item)),
);
const slice = define("any ...any", ([list, from, to]) => sliced(list, from, to));
const chunk = define("int any", ([size, list], context) => chunked(whole(size), items(list, "chunk", context)));

/** Sprig's functions on lists; each makes a new list. */
export const listFunctions: FunctionTable = {
  list: make,
  tuple: make,
  append: push,
  push,
  mustAppend: push,
  mustPush: push,
  prepend,
  mustPrepend: prepend,
  first,
  mustFirst: first,
  last,
  mustLast: last,
  rest,
  mustRest: rest,
  initial,
  mustInitial: initial,
  reverse,
  mustReverse: reverse,
  compact,
  mustCompact: compact,
  uniq,
  mustUniq: uniq,
  without,
  mustWithout: without,
  has,
  mustHas: has,
  slice,
  mustSlice: slice,
  chunk,
  mustChunk: chunk,
  concat: define("...any", (lists, context) => {
    const all = lists.flatMap((list) => {
      if (list !== null && list !== undefined && !(list instanceof GoList))
        fail(`Cannot concat type ${kindOf(list)} as list`);
      return items(list, "concat", context);
    });
    return new GoList(all, "any", all.length === 0);
  }),
};

function items(value: Value, what: string, context?: CallContext): readonly Value[] {
  if (value instanceof GoList) {
    context?.charge(value.items.length);
    return value.items;
  }
  if (value === null || value === undefined)
    return fail("runtime error: invalid memory address or nil pointer dereference");
  return fail(`Cannot ${what} type ${kindOf(value)}`);
}

function part(list: readonly Value[], skipStart: number, skipEnd: number): GoList {
  return list.length === 0 ? new GoList([], "any", true) : new GoList(list.slice(skipStart, list.length - skipEnd));
}

function unique(list: readonly Value[], context: CallContext): Value[] {
  const kept: Value[] = [];
  for (const item of list) {
    context.charge(kept.length);
    if (!kept.some((other) => deepEqual(item, other))) kept.push(item);
  }
  return kept;
}

function sliced(value: Value, from: Value, to: Value): Value {
  if (!(value instanceof GoList)) {
    if (value === null || value === undefined)
      return fail("runtime error: invalid memory address or nil pointer dereference");
    return fail(`list should be type of slice or array but ${kindOf(value)}`);
  }
  if (value.items.length === 0) return null;
  const start = from === undefined ? 0 : Number(toInt64(from));
  const end = to === undefined ? value.items.length : Number(toInt64(to));
  if (start < 0 || end > value.capacity || start > end) fail("reflect.Value.Slice: slice index out of bounds");
  const beyond = Array.from({ length: Math.max(0, end - value.items.length) }, () => null);
  return new GoList([...value.items, ...beyond].slice(start, end), value.element, false, value.capacity - start);
}

function chunked(size: number, list: readonly Value[]): GoList {
  const count = Math.floor((list.length - 1) / size) + 1;
  if (!Number.isFinite(count) || count < 0 || count > 2 ** 32) fail("runtime error: makeslice: len out of range");
  const chunks = Array.from({ length: count }, (_, index) => {
    const rest = list.length % size;
    const length = index === count - 1 && rest !== 0 ? rest : size;
    const start = index * size;
    if (length < 0) fail("runtime error: makeslice: len out of range");
    if (start < 0 || start + length > list.length) fail("reflect: slice index out of range");
    return new GoList(list.slice(start, start + length));
  });
  return new GoList(chunks, "list");
}
