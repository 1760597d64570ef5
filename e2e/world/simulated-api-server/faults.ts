/** One request as faults, permissions and counters see it. */
export interface RequestInfo {
  /** get, list, watch, create, update, patch, delete, deletecollection; or the HTTP method for other paths. */
  readonly verb: string;
  readonly group: string;
  /** Plural, with `/status` and the like; empty for paths that are no resource. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly path: string;
  /** Who acts: the impersonated one where there is one. */
  readonly user: string;
}

/** What goes wrong. `hang` never answers; `reset` breaks the connection; `lost` does the work and then breaks it. */
export type ApiFault =
  | { readonly kind: "status"; readonly code: number; readonly retryAfterSeconds?: number; readonly message?: string }
  | { readonly kind: "hang" }
  | { readonly kind: "reset" }
  | { readonly kind: "lost" }
  | { readonly kind: "delay"; readonly ms: number };

/** Where and how often it goes wrong. */
export interface FaultRule {
  readonly fault: ApiFault;
  /** Requests that it strikes; all by default. */
  readonly when?: (request: RequestInfo) => boolean;
  /** How many of them; all by default. */
  readonly times?: number;
}

/** The planted faults of one cluster; the first rule that fits strikes. */
export class Faults {
  readonly #rules = new Set<{ readonly rule: FaultRule; left: number }>();

  /** Plants a rule and returns the function that lifts it. */
  add(rule: FaultRule): () => void {
    const entry = { rule, left: rule.times ?? Number.POSITIVE_INFINITY };
    this.#rules.add(entry);
    return () => this.#rules.delete(entry);
  }

  clear(): void {
    this.#rules.clear();
  }

  /** The fault of this request, counted against its rule. */
  strike(request: RequestInfo): ApiFault | undefined {
    for (const entry of this.#rules) {
      if (entry.rule.when !== undefined && !entry.rule.when(request)) continue;
      entry.left -= 1;
      if (entry.left <= 0) this.#rules.delete(entry);
      return entry.rule.fault;
    }
    return undefined;
  }
}
