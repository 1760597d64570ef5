import type { ObjectRef } from "@capstan/proto";
import type { KubeObject } from "../inventory/object.ts";
import { isMap, type RawDifference, type Step } from "./compare.ts";
import type { PathFinder } from "./jq.ts";
import { appliedByOther, ownedBy } from "./owners.ts";

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
  /** jq paths, within `jqProblem`; a field and all that is in it. */
  readonly jqPaths: readonly string[];
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

/** What ignoring is decided from. `rules` are the object's own (`rulesFor`). */
export interface Ignoring {
  readonly live: KubeObject;
  readonly would: KubeObject;
  readonly rules: readonly IgnoreRule[];
  /** Needed where a rule has jq paths. */
  readonly find: PathFinder | undefined;
}

/** Differences, parted into those that count and those that a rule ignores. */
export function partIgnored(
  differences: readonly RawDifference[],
  { live, would, rules, find }: Ignoring,
): { readonly kept: readonly RawDifference[]; readonly ignored: readonly RawDifference[] } {
  if (rules.length === 0 || differences.length === 0) return { kept: differences, ignored: [] };
  const pointers = rules.flatMap((rule) => rule.jsonPointers.map(parsePointer));
  const expressions = rules.flatMap(({ jqPaths }) => jqPaths);
  const places = expressions.flatMap((one) => [...(find?.(one, live) ?? []), ...(find?.(one, would) ?? [])]);
  const all = [...pointers, ...places.map((place) => place.map(String))];
  const managers = new Set(rules.flatMap((rule) => rule.managers));
  const isIgnored = ({ path }: RawDifference) =>
    all.some((pointer) => covers(pointer, path)) || (managers.size > 0 && ownedBy(live, path, managers));
  return {
    kept: differences.filter((difference) => !isIgnored(difference)),
    ignored: differences.filter(isIgnored),
  };
}

/**
 * The manifest as it is written where some of its fields are ignored: with the live value where we keep the field, without
 * the field where another manager applies it, or where nobody has it.
 */
export function keepIgnored(
  wanted: KubeObject,
  live: KubeObject,
  { ignored, self }: { readonly ignored: readonly RawDifference[]; readonly self: string },
): KubeObject {
  let kept: unknown = wanted;
  for (const { path, live: value } of ignored) {
    kept = setAt(kept, path, appliedByOther(live, path, self) ? undefined : value);
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

/** A copy with another value at a path; `undefined` takes the field away. Items are found by name, as lists may differ. */
function setAt(holder: unknown, path: readonly Step[], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === "string") {
    if (holder !== undefined && !isMap(holder)) return holder;
    const { [step]: below, ...others } = holder ?? {};
    if (below === undefined && value === undefined) return holder;
    const next = setAt(below, rest, value);
    return next === undefined ? others : { ...others, [step]: next };
  }
  if (!Array.isArray(holder)) return holder;
  const name = step.match?.startsWith("name=") === true ? step.match.slice("name=".length) : undefined;
  const at = name === undefined ? step.index : holder.findIndex((item) => isMap(item) && item["name"] === name);
  if (at < 0 || at >= holder.length) return rest.length === 0 && value !== undefined ? [...holder, value] : holder;
  const next = setAt(holder[at], rest, value);
  return next === undefined ? holder.filter((_, index) => index !== at) : holder.with(at, next);
}
