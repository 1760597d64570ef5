import type { ObjectRef } from "@capstan/proto";
import type { KubeObject } from "../inventory/object.ts";
import { isMap, type RawDifference, type Step } from "./compare.ts";
import { ownedBy } from "./owners.ts";

/** Fields of some objects whose differences are no drift: Argo CD's `ignoreDifferences`. */
export interface IgnoreRule {
  /** Empty: the core group; `*`: any. */
  readonly group: string;
  /** `*`: any. */
  readonly kind: string;
  /** Empty: any. */
  readonly namespace: string;
  /** Empty: any. */
  readonly name: string;
  /** RFC 6901; a field and all that is in it. */
  readonly jsonPointers: readonly string[];
  /** Fields that one of these field managers owns in the live object. */
  readonly managers: readonly string[];
}

/** The rules that are about an object. */
export function rulesFor(rules: readonly IgnoreRule[], ref: ObjectRef): readonly IgnoreRule[] {
  return rules.filter(
    (rule) =>
      (rule.group === "*" || rule.group === ref.group) &&
      (rule.kind === "*" || rule.kind === ref.kind) &&
      (rule.namespace === "" || rule.namespace === ref.namespace) &&
      (rule.name === "" || rule.name === ref.name),
  );
}

/** The differences that no rule ignores. `rules` are the object's own (`rulesFor`). */
export function notIgnored(
  live: KubeObject,
  differences: readonly RawDifference[],
  rules: readonly IgnoreRule[],
): readonly RawDifference[] {
  if (rules.length === 0) return differences;
  const pointers = rules.flatMap((rule) => rule.jsonPointers.map(parsePointer));
  const managers = new Set(rules.flatMap((rule) => rule.managers));
  return differences.filter(({ path }) => {
    if (pointers.some((pointer) => covers(pointer, path))) return false;
    return managers.size === 0 || !ownedBy(live, path, managers);
  });
}

/**
 * The manifest with the live value at every ignored pointer that both have, so that writing it leaves these fields as they
 * are (`RespectIgnoreDifferences=true`).
 */
export function keepIgnored(wanted: KubeObject, live: KubeObject, rules: readonly IgnoreRule[]): KubeObject {
  let kept: unknown = wanted;
  for (const rule of rules) {
    for (const pointer of rule.jsonPointers) kept = copyAt(kept, live, parsePointer(pointer));
  }
  return kept as KubeObject;
}

function parsePointer(pointer: string): readonly string[] {
  const [, ...tokens] = pointer.split("/");
  return tokens.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Whether the pointer names the path or something that holds it. */
function covers(pointer: readonly string[], path: readonly Step[]): boolean {
  if (pointer.length === 0 || pointer.length > path.length) return false;
  return pointer.every((token, at) => {
    const step = path[at];
    return typeof step === "string" ? step === token : String(step?.index) === token;
  });
}

function copyAt(wanted: unknown, live: unknown, pointer: readonly string[]): unknown {
  const [token, ...rest] = pointer;
  if (token === undefined) return live === undefined ? wanted : live;
  if (Array.isArray(wanted) && Array.isArray(live)) {
    return wanted.map((item: unknown, at) => (String(at) === token ? copyAt(item, live[at], rest) : item));
  }
  if (!isMap(wanted) || !isMap(live) || wanted[token] === undefined) return wanted;
  return { ...wanted, [token]: copyAt(wanted[token], live[token], rest) };
}
