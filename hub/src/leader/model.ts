/**
 * Leadership: one hub writes at a time. `decide` is pure and goes by this process's own monotonic clock; the keeper
 * carries it out, and the lease's sequence is the fence of every write (docs/concepts/distribution.md).
 */

/** One leadership of one hub over one shard. */
export interface Term {
  readonly shard: string;
  /** The id of the leading hub. */
  readonly hub: string;
  /** The lease's sequence when it was acquired: grows from term to term. */
  readonly epoch: bigint;
  /** Made at random for this term, so that a hub tells its own lease from one it held in an earlier life. */
  readonly nonce: string;
}

/** What the lease key holds. */
export interface LeaseValue {
  readonly hub: string;
  readonly nonce: string;
  /** The sequence at which the term began; 0 in the write that begins it (it is that write's own sequence). */
  readonly epoch: bigint;
  /** Wall clock of the holder, for people only: nobody compares it. */
  readonly renewedAt: number;
}

/** Milliseconds. An observer takes the lease once it has not changed for `duration`; a holder gives up `renewDeadline`
 * after the start of its last good renewal; both act every `retry`. `renewDeadline` < `duration`. */
export interface LeaseTimes {
  readonly duration: number;
  readonly renewDeadline: number;
  readonly retry: number;
}

/** 15/10/2 s, as Kubernetes' leader election has them. */
export const defaultLeaseTimes: LeaseTimes = { duration: 15_000, renewDeadline: 10_000, retry: 2_000 };

/** The lease as bytes: JSON, so that people can read it in the store. */
export function encodeLease(value: LeaseValue): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ ...value, epoch: String(value.epoch) }));
}

/** Undefined when the bytes are no lease of ours; it then counts as held by a stranger. */
export function decodeLease(bytes: Uint8Array): LeaseValue | undefined {
  try {
    const raw: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof raw !== "object" || raw === null) return undefined;
    const { hub, nonce, epoch, renewedAt } = raw as Record<string, unknown>;
    if (typeof hub !== "string" || typeof nonce !== "string" || typeof renewedAt !== "number") return undefined;
    return { hub, nonce, renewedAt, epoch: typeof epoch === "string" && /^\d{1,20}$/.test(epoch) ? BigInt(epoch) : 0n };
  } catch {
    return undefined;
  }
}
