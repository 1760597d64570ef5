import type { Json } from "../documents/model.ts";
import type { Changes, GeneratedApplication, TargetChange } from "./model.ts";
import { sameSource } from "./same.ts";

const maxReasons = 3;

/** What differs between two runs, in order of the later one; undefined: nothing. */
export function changesOf(
  before: readonly GeneratedApplication[],
  after: readonly GeneratedApplication[],
): Changes | undefined {
  // Most stay what they are, where they are: only the others are looked up by name.
  const known = new Map<string, GeneratedApplication>();
  for (const [index, one] of before.entries()) if (after[index] !== one) known.set(one.application.metadata.name, one);
  const targets: TargetChange[] = [];
  for (const [index, one] of after.entries()) {
    if (before[index] === one) continue;
    const { name } = one.application.metadata;
    const old = known.get(name);
    known.delete(name);
    if (old === one) continue;
    const generator = one.trace.generator;
    if (old === undefined) targets.push({ kind: "added", name, generator, because: [] });
    else if (!sameSource(old.application, one.application))
      targets.push({ kind: "changed", name, generator, because: reasons(old, one) });
  }
  for (const [name, { trace }] of known)
    targets.push({ kind: "removed", name, generator: trace.generator, because: [] });
  return targets.length === 0 ? undefined : { targets, total: after.length };
}

function reasons(before: GeneratedApplication, after: GeneratedApplication): string[] {
  const found: string[] = [];
  compare(before.trace.element, after.trace.element, { path: "", found });
  return found.length > maxReasons
    ? [...found.slice(0, maxReasons), `and ${found.length - maxReasons} more parameters`]
    : found;
}

function compare(
  before: Json | undefined,
  after: Json | undefined,
  into: { readonly path: string; readonly found: string[] },
): void {
  if (sameSource(before, after)) return;
  const [left, right] = [fieldsOf(before), fieldsOf(after)];
  if (left === undefined || right === undefined) {
    into.found.push(`${into.path}: ${shown(before)} to ${shown(after)}`);
    return;
  }
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    const path = into.path === "" ? key : `${into.path}.${key}`;
    compare(left.get(key), right.get(key), { ...into, path });
  }
}

function fieldsOf(value: Json | undefined): ReadonlyMap<string, Json> | undefined {
  return typeof value === "object" && value !== null ? new Map(Object.entries(value)) : undefined;
}

function shown(value: Json | undefined): string {
  const text = JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? Number(inner) : inner)) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

const maxNamed = 5;

/** The changes in a sentence, for the set's condition. */
export function changesText({ targets, total }: Changes): string {
  const named = targets.slice(0, maxNamed).map(({ kind, name, because }) => {
    return `${name} ${kind}${because.length === 0 ? "" : ` (${because.join("; ")})`}`;
  });
  const more = targets.length > maxNamed ? `, and ${targets.length - maxNamed} more` : "";
  return `The last change touched ${targets.length} of ${total} targets: ${named.join(", ")}${more}.`;
}
