import type { TargetKey } from "@capstan/proto";
import type { UserRule } from "@capstan/proto/rules";
import { type GroupKind, type Health, type Manifest, readHealth } from "@capstan/proto/verdict";
import type { RuleReader } from "./model.ts";

/**
 * Verdicts by target: a project's own rules first, then what is known of the kind. The language of rules is loaded when
 * the first target brings one, and only its owner's objects are judged by a rule.
 */
export class Judges {
  readonly #load: (rules: readonly UserRule[]) => Promise<RuleReader>;
  readonly #of = new Map<
    TargetKey,
    { readonly text: string; readonly rules: readonly UserRule[]; reader: RuleReader }
  >();

  constructor(load: (rules: readonly UserRule[]) => Promise<RuleReader>) {
    this.#load = load;
  }

  /** Rules of a target from now on. Returns what must be judged again: the kinds of rules that came, went or changed. */
  async set(target: TargetKey, rules: readonly UserRule[]): Promise<readonly GroupKind[]> {
    const before = this.#of.get(target);
    const text = JSON.stringify(rules);
    if ((before?.text ?? "[]") === text) return [];
    if (rules.length === 0) this.#of.delete(target);
    else this.#of.set(target, { text, rules, reader: await this.#reader(text, rules) });
    return [...(before?.rules ?? []), ...rules];
  }

  /** Targets of one project share a reader. */
  async #reader(text: string, rules: readonly UserRule[]): Promise<RuleReader> {
    for (const one of this.#of.values()) if (one.text === text) return one.reader;
    return this.#load(rules);
  }

  drop(target: TargetKey): void {
    this.#of.delete(target);
  }

  /** Whether some target judges this kind by a rule, so that its body must be watched. */
  isRuled(kind: GroupKind): boolean {
    for (const { rules } of this.#of.values()) if (rules.some((rule) => covers(rule, kind))) return true;
    return false;
  }

  /** The verdict on an object of that target; without one, by what is known of its kind. */
  read(target: TargetKey | undefined, object: Manifest): Health {
    const own = target === undefined ? undefined : this.#of.get(target)?.reader.read(object);
    return own ?? readHealth(object);
  }
}

/** Whether a rule is for a kind. */
export function covers(rule: GroupKind, kind: GroupKind): boolean {
  return rule.group === kind.group && (rule.kind === "*" || rule.kind === kind.kind);
}
