import { hostName, parseUrl, urlText } from "../url.ts";
import { GoMap, kindOf, type Value } from "../value.ts";
import { define, type FunctionTable, fail, mapOf, text } from "./define.ts";

/** Sprig's URLs. */
export const urlFunctions: FunctionTable = {
  urlParse: define("string", ([value]) => {
    const parts = parseUrl(text(value));
    return new GoMap(new Map<string, Value>([...Object.entries(parts), ["hostname", hostName(parts.host)]]));
  }),
  urlJoin: define("map", ([value]) => {
    const map = mapOf(value);
    const part = (name: string) => textPart(map, name);
    const userinfo = part("userinfo");
    return urlText({
      scheme: part("scheme"),
      host: part("host"),
      path: part("path"),
      query: part("query"),
      opaque: part("opaque"),
      fragment: part("fragment"),
      userinfo: userinfo === "" ? "" : parseUrl(`proto://${userinfo}@host`).userinfo,
    });
  }),
};

function textPart(map: GoMap, name: string): string {
  if (!map.entries.has(name)) return "";
  const value = map.entries.get(name);
  return typeof value === "string"
    ? value
    : fail(`unable to parse ${name} key, must be of type string, but ${kindOf(value)} found`);
}
