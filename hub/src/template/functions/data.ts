import { decodeJson, encodeJson } from "../json.ts";
import { CallError, deepEqual, isEmpty, kindOf, typeOf, type Value } from "../value.ts";
import { define, type FunctionTable, fail, text } from "./define.ts";

const compactStyle = { escapeHtml: true, indent: 0 };
const prettyStyle = { escapeHtml: true, indent: 2 };
const rawStyle = { escapeHtml: false, indent: 0 };

/** Sprig's defaults, JSON, reflection and flow control. */
export const dataFunctions: FunctionTable = {
  default: define("any ...any", ([fallback, given]) => (isEmptyValue(given) ? fallback : given)),
  empty: define("any", ([value]) => isEmptyValue(value)),
  coalesce: define("...any", (values) => values.find((value) => !isEmptyValue(value)) ?? null),
  all: define("...any", (values) => !values.some(isEmptyValue)),
  any: define("...any", (values) => values.some((value) => !isEmptyValue(value))),
  ternary: define("any any bool", ([yes, no, condition]) => (condition === true ? yes : no)),
  fail: define("string", ([message]) => fail(text(message))),

  fromJson: define("string", ([value]) => attempt(() => decodeJson(text(value)), null)),
  mustFromJson: define("string", ([value]) => decodeJson(text(value))),
  toJson: define("any", ([value]) => attempt(() => encodeJson(value, compactStyle), "")),
  mustToJson: define("any", ([value]) => encodeJson(value, compactStyle)),
  toPrettyJson: define("any", ([value]) => attempt(() => encodeJson(value, prettyStyle), "")),
  mustToPrettyJson: define("any", ([value]) => encodeJson(value, prettyStyle)),
  toRawJson: define("any", ([value]) => encodeJson(value, rawStyle)),
  mustToRawJson: define("any", ([value]) => encodeJson(value, rawStyle)),

  typeOf: define("any", ([value]) => typeOf(value)),
  typeIs: define("string any", ([name, value]) => text(name) === typeOf(value)),
  typeIsLike: define(
    "string any",
    ([name, value]) => text(name) === typeOf(value) || `*${text(name)}` === typeOf(value),
  ),
  kindOf: define("any", ([value]) => kindOf(value)),
  kindIs: define("string any", ([name, value]) => text(name) === kindOf(value)),
  deepEqual: define("any any", ([left, right]) => deepEqual(left, right)),
};

function isEmptyValue(value: Value): boolean {
  return isEmpty(value);
}

function attempt(make: () => Value, otherwise: Value): Value {
  try {
    return make();
  } catch (thrown) {
    if (thrown instanceof CallError) return otherwise;
    throw thrown;
  }
}
