import type { Fault } from "@capstan/proto";
import type { OwnerState } from "./model.ts";

/** An owner that could not be worked out at all: what it was stays, with the fault. */
export function brokenState(owner: string, before: OwnerState | undefined, fault: Fault): OwnerState {
  const empty = { ...emptyState(owner), summary: "cannot be worked out" };
  return { ...(before ?? empty), faults: [fault], complete: false };
}

/** An owner whose document is gone: nothing is asked for any more, in these lanes. */
export function deletedState(owner: string, kind: OwnerState["kind"], lanes: OwnerState["lanes"]): OwnerState {
  return { ...emptyState(owner), kind, lanes, summary: "deleted", complete: true };
}

function emptyState(owner: string): OwnerState {
  return {
    owner,
    kind: "ApplicationSet",
    conditions: [],
    summary: "",
    faults: [],
    targetFaults: new Map(),
    targets: new Map(),
    lanes: [],
    complete: false,
    repositories: new Set(),
  };
}

/** Names of the lanes in which something was asked for: they are told when nothing is any more. */
export function filledLanes(state: OwnerState | undefined): readonly string[] {
  return (state?.lanes ?? []).filter(({ release }) => release.targets.length > 0).map(({ name }) => name);
}
