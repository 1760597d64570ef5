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
    return parsed instanceof GoMap
      ? parsed
      : fail(`json: cannot unmarshal ${typeOf(parsed)} into Go value of type map[string]interface {}`);
  }),
  fromYamlArray: define("string", ([value]) => {
    const parsed = fromSigsYaml(text(value));
    if (parsed === null || parsed === undefined) return new GoList([]);
    if (!(parsed instanceof GoList))
      return fail(`json: cannot unmarshal ${typeOf(parsed)} into Go value of type []interface {}`);
    return new GoList(parsed.items, "any", false, grownCapacity(parsed.items.length));
  }),
};

/** `slugify [max] [smart] name`. */
function slugify(args: readonly Value[]): Value {
  const [size, smart] = args.length > 1 ? args.slice(0, -1) : [];
  const name = args.length === 0 ? "" : args.at(-1);
  if (typeof name !== "string")
    throw new CallError(`interface conversion: interface {} is ${typeOf(name)}, not string`);
  if (size !== undefined && !(size instanceof GoInt && size.type === "int")) {
    throw new CallError(`interface conversion: interface {} is ${typeOf(size)}, not int`);
  }
  if (smart !== undefined && typeof smart !== "boolean") {
    throw new CallError(`interface conversion: interface {} is ${typeOf(smart)}, not bool`);
  }
  const slug = slugifyName(name, size instanceof GoInt ? Number(size.value) : 50, smart ?? true);
  return slug ?? fail("runtime error: slice bounds out of range");
}
