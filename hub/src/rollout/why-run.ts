import type { ClusterId } from "@capstan/proto";
import { isInFlight, isUnstarted } from "./fold.ts";
import { closedTo, whyGate } from "./gate-words.ts";
import type { Facts, Reason, RunPhase, RunState } from "./model.ts";
import { counted } from "./strategy.ts";
import { isConcluded, isOpen } from "./tally.ts";
import { closedReason, reason } from "./why-words.ts";

const shown = 10;

/** What keeps the whole run from going on; null while it runs. */
export function blockOf(state: RunState, facts: Facts): Reason | null {
  const { status, since } = state;
  const lane = state.plan.lane;
  switch (status.phase) {
    case "Draft":
    case "Planned":
      return reason("not-started", `${lane} is planned and not started`, since, `capstan sync ${lane}`);
    case "Paused":
      return status.failure ? stopped(state, status) : pausedBy(state, status);
    case "Held":
      return heldOn(state, status, facts);
    case "Aborting": {
      const names = inFlightOf(state);
      const text = `${lane} is being aborted by ${status.by}; ${counted(names.length, "cluster")} in flight`;
      return { ...reason("aborting", text, since, "it ends when they have finished"), clusters: names.slice(0, shown) };
    }
    case "RollingBack": {
      const child = facts.rollback === undefined ? "has not reported yet" : `is ${facts.rollback.phase}`;
      return reason(
        "rolling-back",
        `${lane} is rolled back by ${status.run}, which ${child}`,
        since,
        `its end: capstan why ${status.run}`,
      );
    }
    default:
      return null;
  }
}

type Phase<Name extends RunPhase["phase"]> = Extract<RunPhase, { phase: Name }>;

function stopped(state: RunState, status: Phase<"Paused">): Reason {
  const { members } = state;
  const { lane, cause } = state.plan;
  const failures = members
    .filter((_, index) => state.clusters[index]?.status.is === "Failed")
    .map((one) => one.cluster);
  const first = state.clusters.find((run) => run.status.is === "Failed")?.status;
  const told = first?.is === "Failed" ? `: ${first.message}` : "";
  const untouched = new Set(
    members.filter((_, index) => state.clusters[index]?.attempt === 0).map((one) => one.cluster),
  );
  const text = `${lane} ${cause.subject === "" ? "" : `"${cause.subject}" `}is paused: ${status.reason}${told}; ${counted(untouched.size, "cluster")} not touched`;
  const going = state.plan.strategy.onFailure === "rollback" ? "nothing: it is rolled back by itself; else " : "";
  const next = `${going}capstan rollout rollback ${lane}, capstan rollout retry ${lane}, or push a fix`;
  return { ...reason("failures", text, state.since, next), clusters: failures.slice(0, shown) };
}

function pausedBy(state: RunState, status: Phase<"Paused">): Reason {
  const because = status.reason === "" ? "" : `: ${status.reason}`;
  return reason(
    "paused",
    `${state.plan.lane} is paused by ${status.by}${because}`,
    state.since,
    `capstan rollout resume ${state.plan.lane}`,
  );
}

function heldOn(state: RunState, status: Phase<"Held">, facts: Facts): Reason {
  const lane = state.plan.lane;
  const stage = state.plan.stages[state.stages.findIndex((run) => run.status.phase === "Dispatching")]?.name ?? "STAGE";
  switch (status.on) {
    case "deleteGuard":
      return reason(
        "held-delete-guard",
        status.reason,
        state.since,
        `capstan approve ${state.plan.run}, after looking at the list`,
      );
    case "budget":
      return reason(
        "unavailable",
        status.reason,
        state.since,
        `one of them becomes healthy, or capstan rollout retry ${lane}`,
      );
    case "window":
      return whyClosed(state, facts) ?? reason("window", status.reason, state.since, "the window ends");
    case "capacity":
      return reason("held-capacity", status.reason, state.since, "a cluster of the run that connects again");
    default:
      return (
        openGateOf(state, facts) ??
        reason("held-gate", status.reason, state.since, `capstan rollout unlock ${lane} --stage "${stage}"`)
      );
  }
}

/** The first open stage's gate that is waited for. */
function openGateOf(state: RunState, facts: Facts): Reason | null {
  for (const [at, run] of state.stages.entries()) {
    if (isConcluded(run) || !isOpen(state, at)) continue;
    const found = whyGate(state, at, facts);
    if (found !== null) return found;
  }
  return null;
}

/** The first cluster that a window keeps. */
function whyClosed(state: RunState, facts: Facts): Reason | null {
  for (const [index, run] of state.clusters.entries()) {
    const member = state.members[index];
    if (member === undefined || !isUnstarted(run.status) || !isOpen(state, run.stage)) continue;
    const closed = closedTo(state.plan, member, facts);
    if (closed !== undefined) return closedReason(member, closed, run.since);
  }
  return null;
}

function inFlightOf(state: RunState): ClusterId[] {
  return state.members
    .filter((_, index) => isInFlight(state.clusters[index]?.status ?? { is: "Pending" }))
    .map((one) => one.cluster);
}
