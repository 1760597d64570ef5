import { fromBinary } from "@bufbuild/protobuf";
import { domains, Fault, missingFeatures, signedBytes } from "@capstan/proto";
import { Compression, type DesiredState, DesiredStateSchema, type SignedDesiredState } from "@capstan/proto/desired";
import type { HeldState, Scope, Verdict } from "./model.ts";

/** What acceptance needs to know of bytes. */
export interface Eyes {
  verify(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean;
  gunzip(bytes: Uint8Array, max: number): Uint8Array;
}

/** Largest plain desired state that is decoded. */
export const stateBytes = 8 * 1024 * 1024;

/**
 * Whether an offered state may take the place of the held one (design §3.3). Checks in this order: signature by a pinned
 * key, fleet, cluster, incarnation, revision against the highest ever held, content at an equal revision, features.
 * Nothing of the payload is decoded before its signature is good.
 */
export function accept(
  held: HeldState | undefined,
  highWater: bigint,
  offer: { readonly signed: SignedDesiredState; readonly scope: Scope; readonly eyes: Eyes },
): Verdict {
  const { signed, scope, eyes } = offer;
  const trusted = { ...scope, verification: scope.verification.filter(({ retired }) => retired !== true) };
  const state = open(signed, trusted, eyes);
  if (state instanceof Fault) return { kind: "Refused", fault: state };
  const fault = addressed(state, scope) ?? fenced(state, held, highWater, signed);
  if (fault !== undefined) return { kind: "Refused", fault };
  if (held !== undefined && held.state.revision === state.revision) return { kind: "Known" };
  const missing = missingFeatures(state.requiredFeatures, scope.features);
  if (missing.length > 0) return { kind: "Refused", fault: lacking(missing, state) };
  return { kind: "Accepted", held: { signed, state } };
}

/** The state that a signed one holds, checked for its signature alone; a fault where it is not good. */
export function open(signed: SignedDesiredState, scope: Pick<Scope, "verification">, eyes: Eyes): DesiredState | Fault {
  const key = scope.verification.find(({ id }) => id === signed.keyId);
  if (key === undefined) {
    return new Fault("signature-refused", {
      message: `the desired state is signed by key ${signed.keyId.slice(0, 40) || "(none)"}, which is not pinned here.`,
      next: "If the hub's keys were replaced, join the cluster again.",
    });
  }
  if (!eyes.verify(key.publicKey, signedBytes(domains.desired, signed.payload), signed.signature)) {
    return new Fault("signature-refused", {
      message: `the signature of the desired state by key ${key.id} is not good.`,
    });
  }
  try {
    return fromBinary(DesiredStateSchema, decompress(signed, eyes));
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    return new Fault("bad-input", { message: "the signed payload is no desired state.", cause: thrown });
  }
}

function decompress(signed: SignedDesiredState, eyes: Eyes): Uint8Array {
  switch (signed.compression) {
    case Compression.NONE:
      return signed.payload;
    case Compression.GZIP:
      return eyes.gunzip(signed.payload, stateBytes);
    default:
      throw new Fault("unsupported", {
        message: `the desired state is compressed in a way (${signed.compression}) that this agent does not know.`,
        next: "Upgrade the agent.",
      });
  }
}

function addressed(state: DesiredState, scope: Scope): Fault | undefined {
  if (state.fleet !== scope.fleet) {
    return new Fault("wrong-fleet", {
      message: `expected a state of fleet ${scope.fleet}, found one of ${state.fleet}.`,
    });
  }
  if (state.cluster !== scope.cluster) {
    return new Fault("wrong-cluster", {
      message: `expected a state for cluster ${scope.cluster}, found one for ${state.cluster}.`,
    });
  }
  if (state.incarnation !== scope.incarnation) {
    return new Fault("wrong-incarnation", {
      message: `expected a state for incarnation ${scope.incarnation}, found one for ${state.incarnation}.`,
      next: "If the cluster was rebuilt under its old id, confirm that at the hub.",
    });
  }
  return undefined;
}

function fenced(
  state: DesiredState,
  held: HeldState | undefined,
  highWater: bigint,
  signed: SignedDesiredState,
): Fault | undefined {
  if (state.revision < highWater) {
    return new Fault("older-revision", {
      message: `revision ${state.revision} is older than ${highWater}, which this cluster has held.`,
    });
  }
  if (held?.state.revision !== state.revision || sameBytes(held.signed.payload, signed.payload)) return undefined;
  return new Fault("same-revision-other-content", {
    message: `revision ${state.revision} was offered again with other content than the one held.`,
  });
}

/** Why a state that needs features which this agent lacks is not acted on. */
export function lacking(missing: readonly string[], state: DesiredState): Fault {
  return new Fault("feature-missing", {
    message: `revision ${state.revision} needs ${missing.join(", ")}, which this agent lacks; it keeps what it has.`,
    next: "Upgrade the agent.",
  });
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
