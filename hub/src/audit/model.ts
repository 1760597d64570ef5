/** What a mutating call is about, told twice: before it (`intent`) and after it (`done`, `failed`). */
export type AuditPhase =
  | { readonly kind: "intent" }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

/** One entry, before it is chained. */
export interface AuditFact {
  /** Same in the intent and its outcome. */
  readonly id: string;
  /** Wall clock, milliseconds since 1970. */
  readonly at: number;
  /** Who: a person's name, `cluster:<id>`, or `hub`. */
  readonly actor: string;
  /** What, for example `cluster.revoke`. */
  readonly action: string;
  /** On what, for example `cluster/eu-1`. */
  readonly resource: string;
  /** Facts that a reader needs; never a secret value. */
  readonly detail: Readonly<Record<string, string>>;
  /** The term under which it was written: an entry of a stale leader is told by it. */
  readonly epoch: bigint;
  readonly phase: AuditPhase;
}

/** A chained entry: its hash covers the fact and the hash before it. */
export interface AuditEntry extends AuditFact {
  /** Counts from 1 within the chain. */
  readonly index: bigint;
  /** Hash of the entry before; 64 zeros at the start. */
  readonly previous: string;
  readonly hash: string;
}

/** Where every chain starts. */
export const chainStart = "0".repeat(64);
