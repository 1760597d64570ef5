/**
 * The link to the hub, as a machine: state, event and world in, state and effects out (`step`). No sockets, no clocks;
 * the driver is `reconciler.ts` (docs/design/link.md).
 */
import type { Fault } from "@capstan/proto";
import type { Goodbye, Welcome } from "@capstan/proto/agent";

/** Milliseconds of a monotonic clock: wall clocks may jump. */
export type Moment = number;

/**
 * Where the link stands. Each state holds all that it needs, and nothing of another:
 * - `Starting`: nothing has happened yet.
 * - `Enrolling`: there is no identity; the hub is being asked for one.
 * - `Dialing`: a stream to `endpoint` is being opened.
 * - `Greeting`: hello is sent, welcome awaited until `deadline`.
 * - `Connected`: the session stands. `lastSent` decides when a heartbeat is due.
 * - `BackingOff`: nothing is tried before `until`.
 * - `Stopped`: for good; only a new process with other input helps.
 */
export type LinkState =
  | { readonly kind: "Starting" }
  | { readonly kind: "Enrolling"; readonly trouble: Trouble }
  | { readonly kind: "Dialing"; readonly trouble: Trouble; readonly session: number; readonly endpoint: string }
  | {
      readonly kind: "Greeting";
      readonly trouble: Trouble;
      readonly session: number;
      readonly endpoint: string;
      readonly deadline: Moment;
    }
  | {
      readonly kind: "Connected";
      /** What went before; forgotten once the session has lasted. */
      readonly trouble: Trouble;
      readonly session: number;
      readonly endpoint: string;
      readonly since: Moment;
      readonly heartbeatMs: number;
      readonly lastSent: Moment;
    }
  | {
      readonly kind: "BackingOff";
      readonly trouble: Trouble;
      readonly session: number;
      readonly until: Moment;
      readonly next: "enroll" | "dial";
      readonly prefer: string | undefined;
    }
  | { readonly kind: "Stopped"; readonly reason: Fault };

/** A row of failures since the last good session: how many, since when, and the last one. */
export interface Trouble {
  readonly attempts: number;
  readonly since: Moment | undefined;
  readonly last: Fault | undefined;
}

/** What may happen to a link. `session` names which stream speaks; words of an older one are ignored. */
export type LinkEvent =
  /** The process is up; `enrolled` tells whether it has an identity. */
  | { readonly kind: "start"; readonly enrolled: boolean }
  | { readonly kind: "enrolled" }
  /** A new credential is there: whoever waits tries at once. */
  | { readonly kind: "renewed" }
  | { readonly kind: "enroll-failed"; readonly fault: Fault }
  | { readonly kind: "opened"; readonly session: number }
  | { readonly kind: "welcome"; readonly session: number; readonly welcome: Welcome }
  | { readonly kind: "goodbye"; readonly session: number; readonly goodbye: Goodbye }
  /** The stream ended or could not be opened. */
  | { readonly kind: "closed"; readonly session: number; readonly fault: Fault }
  /** Something other than a heartbeat was sent on the stream. */
  | { readonly kind: "sent"; readonly session: number }
  /** The time asked for by a `wake` effect has come. */
  | { readonly kind: "tick" }
  | { readonly kind: "stop"; readonly reason: Fault };

/** What must be done, in this order, after a step. */
export type LinkEffect =
  | { readonly kind: "enroll" }
  /** Open a stream to this hub (after `closed` of every older one). */
  | { readonly kind: "dial"; readonly session: number; readonly endpoint: string }
  | { readonly kind: "hello"; readonly session: number }
  /** The session stands: reports may flow, desired state is asked for. */
  | { readonly kind: "connected"; readonly session: number; readonly welcome: Welcome }
  /** The session is gone: nothing may be sent until the next `connected`. */
  | { readonly kind: "disconnected"; readonly fault: Fault }
  | { readonly kind: "heartbeat"; readonly session: number }
  | { readonly kind: "close"; readonly session: number }
  /** Send `tick` at this time; replaces an earlier wish. */
  | { readonly kind: "wake"; readonly at: Moment }
  | { readonly kind: "stopped"; readonly reason: Fault };

/** What a step is given besides state and event. */
export interface LinkWorld {
  readonly now: Moment;
  /** One draw in [0, 1). */
  readonly draw: number;
  /** Hubs to try, in turn; at least one. */
  readonly endpoints: readonly string[];
}
