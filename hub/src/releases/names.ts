import type { TargetKey } from "@capstan/proto";

/** What names are told by. */
export interface NamesOptions {
  /** Who has the name in a desired state. */
  holder(target: TargetKey): string | undefined;
  /** Whether that owner's document is still there: one that is gone gives up its names to whoever asks for them. */
  isAsked(owner: string): boolean;
}

/**
 * Who has which name: an application name is unique in the fleet. What stands has it first, then who asked for it first, so
 * that two sets that make one name never take it from each other.
 */
export class Names {
  readonly #options: NamesOptions;
  readonly #claims = new Map<TargetKey, string>();
  readonly #claimed = new Map<string, ReadonlySet<TargetKey>>();
  readonly #contesting = new Set<string>();

  constructor(options: NamesOptions) {
    this.#options = options;
  }

  /** Who else has the name; undefined: the owner may have it. */
  rival(owner: string, target: TargetKey): string | undefined {
    const holder = this.#options.holder(target);
    if (holder === owner) return undefined;
    const claimer = this.#claims.get(target);
    return [holder, claimer].find((each) => each !== undefined && each !== owner && this.#options.isAsked(each));
  }

  /** The owner asks for exactly these; `contests`: and for others that it cannot have. Returns who should look again. */
  claim(owner: string, targets: readonly TargetKey[], contests: boolean): readonly string[] {
    const next = new Set(targets);
    let freed = false;
    for (const target of this.#claimed.get(owner) ?? []) {
      if (next.has(target) || this.#claims.get(target) !== owner) continue;
      this.#claims.delete(target);
      freed = true;
    }
    for (const target of next) this.#claims.set(target, owner);
    if (next.size > 0) this.#claimed.set(owner, next);
    else this.#claimed.delete(owner);
    if (contests) this.#contesting.add(owner);
    else this.#contesting.delete(owner);
    return freed ? this.contesting().filter((other) => other !== owner) : [];
  }

  /** Owners that ask for a name that another one has. */
  contesting(): readonly string[] {
    return [...this.#contesting];
  }

  clear(): void {
    this.#claims.clear();
    this.#claimed.clear();
    this.#contesting.clear();
  }
}
