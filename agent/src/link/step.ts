import { assertNever, backoffDelay, Fault, type FaultCode, isFaultCode, negotiate, protocol } from "@capstan/proto";
import type { Goodbye, Welcome } from "@capstan/proto/agent";
import type { LinkEffect, LinkEvent, LinkState, LinkWorld, Trouble } from "./model.ts";

/**
 * The link to the hub, as a machine without sockets and without a clock.
 *
 * A driver feeds it events, in the order in which they happened, and carries out the effects of each step in their order
 * before the next event. The contract:
 *
 * 1. The first event is `start`. Everything before `connected` belongs to getting there; the driver sends nothing but
 *    hello and heartbeats by itself, and reports only between `connected` and `disconnected`.
 * 2. Each dial has a new session number. Events carry the number of the stream they speak of; those of an older stream
 *    change nothing. So a driver never needs to silence a stream that it has closed.
 * 3. After `close` the driver may still deliver `closed` for that session: it changes nothing.
 * 4. A stream that ends always ends in `closed`, once. A dial that never opens ends in `closed` as well.
 * 5. `wake` names the one time at which `tick` is wanted; a later `wake` replaces it. Ticks too early or too many are
 *    harmless: each state compares times itself.
 * 6. Time and chance come in with each step. The same events give the same effects.
 * 7. An agent with an identity is never `Stopped` by what a hub says: it holds its course and tries again, also when it
 *    was revoked (a new join token then brings a new identity: `renewed`). Only enrolment ends it: a refusal that no retry changes, or no answer within `enrollPatience`.
 */
export function step(state: LinkState, event: LinkEvent, world: LinkWorld): [LinkState, LinkEffect[]] {
  if (state.kind === "Stopped") return [state, []];
  if (event.kind === "stop") return stop(state, event.reason);
  if ("session" in event && !("session" in state && state.session === event.session)) return [state, []];
  switch (state.kind) {
    case "Starting":
      return event.kind === "start" ? begin(event.enrolled, world) : [state, []];
    case "Enrolling":
      return enrolling(state, event, world);
    case "Dialing":
      return dialing(state, event, world);
    case "Greeting":
      return greeting(state, event, world);
    case "Connected":
      return connected(state, event, world);
    case "BackingOff":
      return backingOff(state, event, world);
    default:
      return assertNever(state, "link state");
  }
}

type In<K extends LinkState["kind"]> = Extract<LinkState, { kind: K }>;
type Step = [LinkState, LinkEffect[]];

/** How long a welcome may take, ms. */
export const greetingPatience = 10_000;
/** How long enrolment is tried before the process gives up, ms: a join token's usual life. */
export const enrollPatience = 600_000;
/** A session that lasted so long, ms, ends the row of failures before it. */
export const lasting = 10_000;
/** A hub cannot send an agent away for longer, ms. */
export const longestRetryAfter = 600_000;

const firstMinute = { base: 500, factor: 2, cap: 15_000 };
const afterwards = { base: 500, factor: 2, cap: 60_000 };
const none: Trouble = { attempts: 0, since: undefined, last: undefined };

function begin(enrolled: boolean, world: LinkWorld): Step {
  if (enrolled) return dial(none, 0, undefined, world);
  return [{ kind: "Enrolling", trouble: none }, [{ kind: "enroll" }]];
}

function enrolling(state: In<"Enrolling">, event: LinkEvent, world: LinkWorld): Step {
  if (event.kind === "enrolled") return dial(none, 0, undefined, world);
  if (event.kind !== "enroll-failed") return [state, []];
  const since = state.trouble.since ?? world.now;
  if (!event.fault.retryable || world.now - since >= enrollPatience) return stop(state, event.fault);
  return backOff({ trouble: state.trouble, session: 0, next: "enroll" }, event.fault, world);
}

function dialing(state: In<"Dialing">, event: LinkEvent, world: LinkWorld): Step {
  if (event.kind === "closed") return backOff({ ...state, next: "dial" }, event.fault, world);
  if (event.kind !== "opened") return [state, []];
  const deadline = world.now + greetingPatience;
  const effects: LinkEffect[] = [
    { kind: "hello", session: state.session },
    { kind: "wake", at: deadline },
  ];
  return [{ ...state, kind: "Greeting", deadline }, effects];
}

function greeting(state: In<"Greeting">, event: LinkEvent, world: LinkWorld): Step {
  switch (event.kind) {
    case "welcome":
      return welcomed(state, event.welcome, world);
    case "goodbye":
      return sentAway(state, event.goodbye, world);
    case "closed":
      return backOff({ ...state, next: "dial" }, event.fault, world);
    case "tick":
      if (world.now < state.deadline) return [state, [{ kind: "wake", at: state.deadline }]];
      return closing(state, new Fault("timeout", { message: `no welcome from ${state.endpoint} within 10 s.` }), world);
    default:
      return [state, []];
  }
}

function welcomed(state: In<"Greeting">, welcome: Welcome, world: LinkWorld): Step {
  const theirs = { protocol: welcome.versions?.protocol ?? 0, protocolMin: welcome.versions?.protocolMin ?? 0 };
  try {
    negotiate({ protocol: protocol.current, protocolMin: protocol.oldest }, theirs);
  } catch (thrown) {
    return closing(state, Fault.from(thrown), world);
  }
  const { session, endpoint, trouble } = state;
  const heartbeatMs = Math.max(1000, welcome.heartbeatMs || 10_000);
  const effects: LinkEffect[] = [
    { kind: "connected", session, welcome },
    { kind: "wake", at: world.now + heartbeatMs },
  ];
  const next = {
    kind: "Connected",
    trouble,
    session,
    endpoint,
    since: world.now,
    heartbeatMs,
    lastSent: world.now,
  } as const;
  return [next, effects];
}

function connected(state: In<"Connected">, event: LinkEvent, world: LinkWorld): Step {
  const lost = (fault: Fault, [next, effects]: Step): Step => [next, [{ kind: "disconnected", fault }, ...effects]];
  const calm = world.now - state.since >= lasting ? { ...state, trouble: none } : state;
  switch (event.kind) {
    case "goodbye": {
      const step = sentAway(calm, event.goodbye, world);
      return lost(goodbyeFault(event.goodbye), step);
    }
    case "closed":
      return lost(event.fault, backOff({ ...calm, next: "dial" }, event.fault, world));
    case "sent":
      return [{ ...state, lastSent: world.now }, []];
    case "tick":
      return beat(state, world);
    default:
      return [state, []];
  }
}

function beat(state: In<"Connected">, world: LinkWorld): Step {
  const due = state.lastSent + state.heartbeatMs;
  if (world.now < due) return [state, [{ kind: "wake", at: due }]];
  const effects: LinkEffect[] = [
    { kind: "heartbeat", session: state.session },
    { kind: "wake", at: world.now + state.heartbeatMs },
  ];
  return [{ ...state, lastSent: world.now }, effects];
}

function backingOff(state: In<"BackingOff">, event: LinkEvent, world: LinkWorld): Step {
  const renewed = event.kind === "renewed" && state.next === "dial";
  if (event.kind !== "tick" && !renewed) return [state, []];
  if (!renewed && world.now < state.until) return [state, [{ kind: "wake", at: state.until }]];
  if (state.next === "enroll") return [{ kind: "Enrolling", trouble: state.trouble }, [{ kind: "enroll" }]];
  return dial(state.trouble, state.session, state.prefer, world);
}

function dial(trouble: Trouble, last: number, prefer: string | undefined, world: LinkWorld): Step {
  const endpoint = prefer ?? world.endpoints[trouble.attempts % Math.max(1, world.endpoints.length)] ?? "";
  const session = last + 1;
  return [{ kind: "Dialing", trouble, session, endpoint }, [{ kind: "dial", session, endpoint }]];
}

interface Leaving {
  readonly trouble: Trouble;
  readonly session: number;
  readonly next?: "enroll" | "dial";
  readonly prefer?: string | undefined;
  readonly noSoonerMs?: number;
}

function backOff(leaving: Leaving, fault: Fault, world: LinkWorld): Step {
  const since = leaving.trouble.since ?? world.now;
  const policy = world.now - since < 60_000 ? firstMinute : afterwards;
  const delay = backoffDelay(policy, leaving.trouble.attempts, () => world.draw);
  const until = world.now + (leaving.noSoonerMs ?? 0) + delay;
  const trouble = { attempts: leaving.trouble.attempts + 1, since, last: fault };
  const { session, next = "dial", prefer } = leaving;
  return [{ kind: "BackingOff", trouble, session, until, next, prefer }, [{ kind: "wake", at: until }]];
}

function closing(
  state: In<"Greeting"> | In<"Connected">,
  fault: Fault,
  world: LinkWorld,
  extra: Partial<Leaving> = {},
): Step {
  const [next, effects] = backOff({ ...state, next: "dial", ...extra }, fault, world);
  return [next, [{ kind: "close", session: state.session }, ...effects]];
}

function sentAway(state: In<"Greeting"> | In<"Connected">, goodbye: Goodbye, world: LinkWorld): Step {
  const noSoonerMs = Math.min(goodbye.retryAfterMs, longestRetryAfter);
  const prefer = goodbye.endpoint === "" ? undefined : goodbye.endpoint;
  return closing(state, goodbyeFault(goodbye), world, { noSoonerMs, prefer });
}

function goodbyeFault(goodbye: Goodbye): Fault {
  const code: FaultCode = isFaultCode(goodbye.code) ? goodbye.code : "hub-unreachable";
  return new Fault(code, { message: goodbye.message || "the hub ended the session." });
}

function stop(state: LinkState, reason: Fault): Step {
  const effects: LinkEffect[] = [];
  if (state.kind === "Connected") effects.push({ kind: "disconnected", fault: reason });
  if (state.kind === "Connected" || state.kind === "Greeting" || state.kind === "Dialing") {
    effects.push({ kind: "close", session: state.session });
  }
  return [{ kind: "Stopped", reason }, [...effects, { kind: "stopped", reason }]];
}
