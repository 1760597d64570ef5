import { assertNever } from "@capstan/proto";
import { decodeLease, encodeLease, type LeaseTimes, type LeaseValue, type Term } from "./model.ts";
import type { StoredLease } from "./port.ts";

/** Leads. Times here are monotonic milliseconds of this process; wall clocks are never compared. */
export interface Leading {
  readonly kind: "leading";
  readonly term: Term;
  /** Of our last write that is known to stand. */
  readonly sequence: bigint;
  /** When our last good renewal set out. */
  readonly renewedAt: number;
  /** A write went unanswered or was refused: look before the next one. */
  readonly unsure: boolean;
  /** After a failure, nothing is tried before this time. */
  readonly notBefore: number;
}

/** What an observer saw at its last look. */
export interface Seen {
  readonly lease: StoredLease | undefined;
  /** Since when it has stood so, by our own clock. */
  readonly since: number;
  readonly lookedAt: number;
}

/** Does not lead. */
export interface Following {
  readonly kind: "following";
  /** Undefined until the first look. */
  readonly seen: Seen | undefined;
  /** Until this life has led: a lease of our own id was left by an earlier life, and is taken back without waiting. */
  readonly maybeOwn: boolean;
  readonly notBefore: number;
}

/** What a hub knows of one lease. */
export type LeaseState = Following | Leading;

/** Where every hub begins. */
export const startFollowing: Following = { kind: "following", seen: undefined, maybeOwn: true, notBefore: 0 };

/** Who decides, and when. */
export interface LeaseInput {
  readonly hub: string;
  readonly shard: string;
  readonly times: LeaseTimes;
  /** Monotonic. */
  readonly now: number;
  /** Wall clock, only to be written down. */
  readonly wall: number;
  /** Random; the same until a term has begun with it, so that an unanswered acquisition is known again. */
  readonly nonce: string;
}

/** What to do next: a `write` is answered by `written`, `refused` or `failed`, a `read` by `seen` or `failed`. */
export type LeaseAction =
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "read" }
  | { readonly kind: "write"; readonly value: LeaseValue; readonly expected: bigint }
  | { readonly kind: "step-down"; readonly why: string };

/** What happened. `at` is when the read or write set out. */
export type LeaseEvent =
  | { readonly kind: "seen"; readonly lease: StoredLease | undefined; readonly at: number }
  | { readonly kind: "written"; readonly value: LeaseValue; readonly sequence: bigint; readonly at: number }
  | { readonly kind: "refused" }
  | { readonly kind: "failed" }
  /** A write of the state was refused by the fence. */
  | { readonly kind: "doubted" }
  | { readonly kind: "stepped-down" };

/** What to do now, given what is known. Pure. */
export function decide(state: LeaseState, input: LeaseInput): LeaseAction {
  return state.kind === "leading" ? decideLeading(state, input) : decideFollowing(state, input);
}

function decideLeading(state: Leading, { times, now, wall }: LeaseInput): LeaseAction {
  const deadline = state.renewedAt + times.renewDeadline;
  if (now >= deadline) return { kind: "step-down", why: "the lease could not be renewed in time" };
  if (now < state.notBefore) return { kind: "wait", ms: Math.min(state.notBefore, deadline) - now };
  if (state.unsure) return { kind: "read" };
  const due = state.renewedAt + times.retry;
  if (now < due) return { kind: "wait", ms: due - now };
  const { hub, nonce, epoch } = state.term;
  return { kind: "write", value: { hub, nonce, epoch, renewedAt: wall }, expected: state.sequence };
}

function decideFollowing(state: Following, input: LeaseInput): LeaseAction {
  const { now, times } = input;
  if (now < state.notBefore) return { kind: "wait", ms: state.notBefore - now };
  const { seen } = state;
  if (seen === undefined || now >= seen.lookedAt + times.retry) return { kind: "read" };
  if (isFree(seen, state.maybeOwn, input)) {
    const value = { hub: input.hub, nonce: input.nonce, epoch: 0n, renewedAt: input.wall };
    return { kind: "write", value, expected: seen.lease?.sequence ?? 0n };
  }
  return { kind: "wait", ms: Math.min(seen.lookedAt + times.retry, seen.since + times.duration) - now };
}

/** Whether the lease may be taken now. */
function isFree(seen: Seen, maybeOwn: boolean, { hub, nonce, times, now }: LeaseInput): boolean {
  if (seen.lease === undefined || now >= seen.since + times.duration) return true;
  const value = decodeLease(seen.lease.value);
  if (value === undefined) return false;
  return value.nonce === "" || value.nonce === nonce || (maybeOwn && value.hub === hub);
}

/** The state after an event. Pure. */
export function fold(state: LeaseState, event: LeaseEvent, input: LeaseInput): LeaseState {
  switch (event.kind) {
    case "seen":
      return state.kind === "leading" ? foldLook(state, event) : foldSeen(state, event);
    case "written":
      return foldWritten(state, event, input);
    case "refused":
      return state.kind === "leading" ? { ...state, unsure: true } : { ...state, seen: undefined };
    case "failed":
      return foldFailed(state, input);
    case "doubted":
      return state.kind === "leading" ? { ...state, unsure: true, notBefore: 0 } : state;
    case "stepped-down":
      return { kind: "following", seen: undefined, maybeOwn: false, notBefore: 0 };
    default:
      return assertNever(event, "lease event");
  }
}

/** The holder looks: a write of its own term is a renewal of its own that went unanswered; anything else ends the term. */
function foldLook(state: Leading, { lease, at }: LeaseEvent & { kind: "seen" }): LeaseState {
  const value = lease === undefined ? undefined : decodeLease(lease.value);
  if (lease === undefined || value?.nonce !== state.term.nonce || lease.sequence < state.sequence) {
    return { kind: "following", seen: { lease, since: at, lookedAt: at }, maybeOwn: false, notBefore: 0 };
  }
  return { ...state, sequence: lease.sequence, unsure: false };
}

/** The clock of an observer starts anew at each change. */
function foldSeen(state: Following, { lease, at }: LeaseEvent & { kind: "seen" }): LeaseState {
  const { seen } = state;
  const same = seen !== undefined && seen.lease?.sequence === lease?.sequence;
  return { ...state, seen: { lease, since: same ? seen.since : at, lookedAt: at } };
}

function foldWritten(state: LeaseState, event: LeaseEvent & { kind: "written" }, input: LeaseInput): LeaseState {
  const { sequence, at, value } = event;
  if (state.kind === "leading") return { ...state, sequence, renewedAt: at, unsure: false, notBefore: 0 };
  const term: Term = { shard: input.shard, hub: value.hub, epoch: sequence, nonce: value.nonce };
  return { kind: "leading", term, sequence, renewedAt: at, unsure: false, notBefore: 0 };
}

/** A failed write may stand nevertheless: a holder looks, an observer forgets what it saw but keeps its clock going. */
function foldFailed(state: LeaseState, { now, times }: LeaseInput): LeaseState {
  const notBefore = now + times.retry / 2;
  if (state.kind === "leading") return { ...state, unsure: true, notBefore };
  const seen = state.seen === undefined ? undefined : { ...state.seen, lookedAt: now - times.retry };
  return { ...state, seen, notBefore };
}

/** What a holder leaves at its orderly end: anybody may take it at once. */
export function releasedLease(state: Leading, wall: number): Uint8Array {
  return encodeLease({ hub: state.term.hub, nonce: "", epoch: state.term.epoch, renewedAt: wall });
}
