import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Fault } from "../fault/fault.ts";
import type { DesiredTarget, Window } from "../gen/capstan/v1/desired_pb.ts";
import type { Instant } from "../time/clock.ts";
import { lastStart } from "../time/cron.ts";

/** Whether a target may be changed now. */
export type WindowGate =
  | { readonly kind: "open" }
  | { readonly kind: "closed"; readonly fault: Fault; readonly until?: Instant };

/** How long a closed gate waits before it looks again, ms: windows open on minutes. */
const lookAgainMs = 30_000;

/**
 * Argo CD's rule: a deny window that is active closes; where allow windows exist, one of them must be active. An operation
 * by a person passes where all windows that matter let it. A signed override passes all. A window that cannot be read
 * holds the target: it protects something.
 */
export function windowsOpen(
  target: Pick<DesiredTarget, "windows" | "windowOverride">,
  at: { readonly now: Instant; readonly byPerson: boolean },
): WindowGate {
  const { windows, windowOverride } = target;
  if (windows.length === 0) return { kind: "open" };
  const until = windowOverride?.until === undefined ? undefined : timestampMs(windowOverride.until);
  if (until !== undefined && at.now < until) return { kind: "open" };
  const active: Window[] = [];
  for (const window of windows) {
    const state = isActive(window, at.now);
    if (state instanceof Fault) return { kind: "closed", fault: state };
    if (state) active.push(window);
  }
  const denied = active.filter(({ allow }) => !allow);
  const allows = windows.filter(({ allow }) => allow);
  if (denied.length > 0) {
    if (at.byPerson && denied.every(({ manualSync }) => manualSync)) return { kind: "open" };
    return closed(`a window that forbids changes is active${named(denied)}`, at.now);
  }
  if (allows.length === 0 || active.length > 0) return { kind: "open" };
  if (at.byPerson && allows.every(({ manualSync }) => manualSync)) return { kind: "open" };
  return closed(`no window that permits changes is active${named(allows)}`, at.now);
}

function isActive(window: Window, now: Instant): boolean | Fault {
  const lasts = window.duration === undefined ? 0 : durationMs(window.duration);
  const start = lastStart(window.schedule, window.timeZone || "UTC", { now, within: lasts });
  if (start instanceof Fault) return start;
  return start !== undefined;
}

function closed(why: string, now: Instant): WindowGate {
  const fault = new Fault("held", { message: `it waits: ${why}.`, next: "Wait for the window, or override it." });
  return { kind: "closed", fault, until: now + lookAgainMs };
}

function named(windows: readonly Window[]): string {
  const names = windows.map(({ description, schedule }) => description || schedule).slice(0, 3);
  return ` (${names.join("; ")})`;
}
