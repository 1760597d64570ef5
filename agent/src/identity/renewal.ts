import { type Chance, domains, type Instant, jittered, signedBytes } from "@capstan/proto";
import type { Credential } from "./model.ts";

/** Waits between failed renewals, full jitter. */
export const renewBackoff = { base: 30_000, factor: 2, cap: 600_000 } as const;

/** When a credential should be renewed: at two thirds of its life ± 10 %. */
export function renewAt(credential: Pick<Credential, "received" | "notAfter">, chance: Chance): Instant {
  const life = Math.max(0, credential.notAfter - credential.received);
  return credential.received + jittered((life * 2) / 3, 0.1, chance);
}

/** What the old key signs to renew with an expired certificate; `signedAt` in seconds since 1970. */
export function proofBytes(signedAt: bigint, requestHash: Uint8Array): Uint8Array {
  const payload = new Uint8Array(8 + requestHash.length);
  new DataView(payload.buffer).setBigInt64(0, signedAt);
  payload.set(requestHash, 8);
  return signedBytes(domains.renew, payload);
}
