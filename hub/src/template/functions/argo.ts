import { normalizeName, slugifyName } from "../names.ts";
import { CallError, GoInt, GoList, GoMap, grownCapacity, typeOf, type Value } from "../value.ts";
import { fromSigsYaml, toSigsYaml } from "../yaml-text.ts";
import { define, type FunctionTable, fail, text } from "./define.ts";

/** What Argo CD adds to sprig. */
export const argoFunctions: FunctionTable = {
  normalize: define("string", ([name]) => normalizeName(text(name))),
  slugify: define("...any", slugify),
  toYaml: define("any", ([value], context) => {
    const yaml = toSigsYaml(value);
    context.charge(yaml.length >> 4);
    return yaml.replace(/\n$/, "");
  }),
  fromYaml: define("string", ([value]) => {
    const parsed = fromSigsYaml(text(value));
    if (parsed === null || parsed === undefined) return new GoMap();
    return parsed instanceof GoMap ? parsed : misfit(parsed, "map[string]interface {}");
  }),
  fromYamlArray: define("string", ([value]) => {
    const parsed = fromSigsYaml(text(value));
    if (parsed === null || parsed === undefined) return new GoList([]);
    if (!(parsed instanceof GoList)) return misfit(parsed, "[]interface {}");
    return new GoList(parsed.items, "any", false, grownCapacity(parsed.items.length));
  }),
};

/** YAML that is not of the kind that a function gives. */
function misfit(value: Value, type: string): never {
  const kind =
    value instanceof GoMap
      ? "object"
      : value instanceof GoList
        ? "array"
        : typeof value === "boolean"
          ? "bool"
          : typeof value;
  return fail(
    `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${kind} into Go value of type ${type}`,
  );
}

/** What Go's failed type assertion says of a value. */
function dynamicType(value: Value): string {
  return value === undefined || value === null ? "nil" : typeOf(value);
}

/** `slugify [max] [smart] name`. */
function slugify(args: readonly Value[]): Value {
  const [size, smart] = args.length > 1 ? args.slice(0, -1) : [];
  const name = args.length === 0 ? "" : args.at(-1);
  if (size !== undefined && !(size instanceof GoInt && size.type === "int")) {
    throw new CallError(`interface conversion: interface {} is ${dynamicType(size)}, not int`);
  }
  if (smart !== undefined && typeof smart !== "boolean") {
    throw new CallError(`interface conversion: interface {} is ${dynamicType(smart)}, not bool`);
  }
  if (typeof name !== "string")
    throw new CallError(`interface conversion: interface {} is ${dynamicType(name)}, not string`);
  const slug = slugifyName(name, size instanceof GoInt ? Number(size.value) : 50, smart ?? true);
  return slug ?? fail("runtime error: slice bounds out of range");
}
