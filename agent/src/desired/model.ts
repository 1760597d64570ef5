/**
 * The desired state on the agent's side. `intake` asks what it is now, `accept` decides whether it may take the place
 * of the held one, `holder` makes it durable before anything of it is used (docs/concepts/distribution.md).
 */
import type { Digest, Fault } from "@capstan/proto";
import type { DesiredState, SignedDesiredState, TargetList } from "@capstan/proto/desired";
import type { PinnedKey, Who } from "../identity/model.ts";

/** For whom a state must be, and who may have signed it. */
export interface Scope extends Who {
  readonly fleet: string;
  readonly verification: readonly PinnedKey[];
  /** Features that this agent has. */
  readonly features: readonly string[];
}

/** The state that the agent holds: what was signed, as it came, and what it says. */
export interface HeldState {
  readonly signed: SignedDesiredState;
  readonly state: DesiredState;
}

/** A held state with its lists in hand, wherever they stood. */
export interface CurrentState extends HeldState {
  readonly lists: Pick<TargetList, "targets" | "tombstones">;
}

/**
 * What became of an offered state. `Known`: it is the one that is held. `Refused`: the held one stays, and the fault is
 * reported; `feature-missing` is a refusal too: the agent holds.
 */
export type Verdict =
  | { readonly kind: "Accepted"; readonly held: HeldState }
  | { readonly kind: "Known" }
  | { readonly kind: "Refused"; readonly fault: Fault };

/** A bundle as it is kept: gzip of the plain content, checked against its digest. */
export interface PackedBundle {
  readonly digest: Digest;
  /** RFC 1952. */
  readonly gzip: Uint8Array;
}
