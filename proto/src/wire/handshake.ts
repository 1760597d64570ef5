import { Fault } from "../fault/fault.ts";

/** The protocol version that this code speaks best, and the oldest that it still speaks. */
export const protocol = { current: 1, oldest: 1 } as const;

/**
 * Features that a desired state may require. A new field that an older agent must not ignore comes with a new feature,
 * named in `DesiredState.required_features` whenever that field is used. `held-list` tells a hub that the agent brings the
 * target list of the state that it holds, when it is asked.
 */
export const features = [
  "bundles",
  "tombstones",
  "modes",
  "windows",
  "local-rollback",
  "operations",
  "keep-options",
  "held-list",
  "actions",
] as const;
export type Feature = (typeof features)[number];

/** What a side says that it speaks. */
export interface Spoken {
  readonly protocol: number;
  readonly protocolMin: number;
}

/** The highest version that both speak; throws `version-unsupported` where there is none. */
export function negotiate(mine: Spoken, theirs: Spoken): number {
  const highest = Math.min(mine.protocol, theirs.protocol);
  if (highest < mine.protocolMin || highest < theirs.protocolMin) {
    throw new Fault("version-unsupported", {
      message: `this side speaks protocol ${mine.protocolMin} to ${mine.protocol}, the other ${theirs.protocolMin} to ${theirs.protocol}.`,
      next: "Upgrade the older side; hub N works with agent N-1 and the reverse.",
    });
  }
  return highest;
}

/** The required features that are not known here. */
export function missingFeatures(required: readonly string[], known: readonly string[] = features): readonly string[] {
  return required.filter((feature) => !known.includes(feature));
}
