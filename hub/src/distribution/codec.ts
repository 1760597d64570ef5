import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { domains, Fault, limits, signedBytes } from "@capstan/proto";
import {
  Compression,
  type DesiredState,
  DesiredStateSchema,
  type SignedDesiredState,
  SignedDesiredStateSchema,
} from "@capstan/proto/desired";
import type { DesiredCrypto } from "./port.ts";

/** Largest desired state that is believed when unpacked. */
const limit = 64 * limits.inlineListBytes;

/** Encodes, compresses and signs: the value of `desired.<cluster>`. */
export function encodeDesired(state: DesiredState, crypto: DesiredCrypto): Uint8Array {
  const payload = crypto.gzip(toBinary(DesiredStateSchema, state));
  const { keyId, signature } = crypto.sign(signedBytes(domains.desired, payload));
  return toBinary(
    SignedDesiredStateSchema,
    create(SignedDesiredStateSchema, { payload, signature, keyId, compression: Compression.GZIP }),
  );
}

/** The reverse, for what the store or an agent brings. Throws `signature-refused`. */
export function decodeDesired(bytes: Uint8Array, crypto: DesiredCrypto): DesiredState {
  return openDesired(fromBinary(SignedDesiredStateSchema, bytes), crypto);
}

/** The content of a signed state, once its signature holds. Throws `signature-refused`. */
export function openDesired(signed: SignedDesiredState, crypto: DesiredCrypto): DesiredState {
  const known = crypto.verify(signedBytes(domains.desired, signed.payload), {
    keyId: signed.keyId,
    signature: signed.signature,
  });
  if (!known || signed.compression !== Compression.GZIP) {
    throw new Fault("signature-refused", {
      message: `a desired state signed by key ${JSON.stringify(signed.keyId)} does not verify with this hub's keys.`,
      next: "Restore the hub's signing keys from their backup, or let the cluster join anew.",
    });
  }
  return fromBinary(DesiredStateSchema, crypto.gunzip(signed.payload, limit));
}
