import type { Fault } from "@capstan/proto";
import type { OwnerState } from "./model.ts";

/** An owner that could not be worked out at all: what it was stays, with the fault. */
export function brokenState(owner: string, before: OwnerState | undefined, fault: Fault): OwnerState {
  const empty: OwnerState = {
    owner,
    kind: "ApplicationSet",
    conditions: [],
    summary: "cannot be worked out",
    faults: [],
    targetFaults: new Map(),
    targets: new Map(),
    lanes: [],
    complete: false,
    repositories: new Set(),
  };
  return { ...(before ?? empty), faults: [fault], complete: false };
}

/** Names of the lanes in which something was asked for: they are told when nothing is any more. */
export function filledLanes(state: OwnerState | undefined): readonly string[] {
  return (state?.lanes ?? []).filter(({ release }) => release.targets.length > 0).map(({ name }) => name);
}
