import { gunzipSync } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import type { VerificationKey } from "@capstan/proto/agent";
import { Compression, type DesiredState, DesiredStateSchema, type SignedDesiredState } from "@capstan/proto/desired";
import { checkSignature } from "./simulated-agents-keys.ts";

/** Whom a state must be for, and who may have signed it. */
export interface Addressee {
  readonly fleet: string;
  readonly cluster: string;
  readonly incarnation: string;
  readonly verification: readonly VerificationKey[];
}

/** What an agent holds. */
export interface HeldState {
  readonly signed: SignedDesiredState;
  readonly state: DesiredState;
}

/**
 * The state that an agent takes next: undefined where it holds it already. Throws for what an agent must refuse: a bad
 * signature, somebody else's state, an older revision, the same revision with other content.
 */
export function accept(
  held: HeldState | undefined,
  highWater: bigint,
  offer: { readonly signed: SignedDesiredState; readonly to: Addressee },
): HeldState | undefined {
  const { signed, to } = offer;
  if (held !== undefined && Buffer.compare(held.signed.payload, signed.payload) === 0) return undefined;
  checkSignature(signed, to.verification);
  const payload = signed.compression === Compression.GZIP ? gunzipSync(signed.payload) : signed.payload;
  const state = fromBinary(DesiredStateSchema, payload);
  const found = `${state.fleet} ${state.cluster} ${state.incarnation}`;
  const expected = `${to.fleet} ${to.cluster} ${to.incarnation}`;
  if (found !== expected) throw new Error(`expected a state for ${expected}, found one for ${found}`);
  if (state.revision < highWater) throw new Error(`revision ${state.revision} is older than ${highWater}`);
  if (state.revision === held?.state.revision) throw new Error(`revision ${state.revision} came with other content`);
  return { signed, state };
}
