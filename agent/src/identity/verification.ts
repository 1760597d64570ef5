import { domains, Fault, signedBytes } from "@capstan/proto";
import type { VerificationKey } from "@capstan/proto/agent";
import type { PinnedKey } from "./model.ts";

/** What it takes to check keys. */
export interface KeyEyes {
  verifyEd25519(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean;
  sha256(bytes: Uint8Array): Uint8Array;
}

/** How many retired keys are kept. */
const retiredKept = 4;

/** The keys of an enrolment: all that the hub under the pinned CA offers. Throws `signature-refused` for a wrong id. */
export function firstKeys(offered: readonly VerificationKey[], eyes: KeyEyes): PinnedKey[] {
  if (offered.length === 0) {
    throw new Fault("signature-refused", { message: "the hub offers no key that could sign a desired state." });
  }
  return offered.map((key) => pinned(key, eyes));
}

/** The keys of an enrolment after an earlier one: what was held before is retired, as the held state may be signed by it. */
export function keysAnew(held: readonly PinnedKey[], fresh: readonly PinnedKey[]): PinnedKey[] {
  const gone = held.filter(({ id }) => !fresh.some((key) => key.id === id));
  return [...fresh, ...gone.map((key) => ({ ...key, retired: true })).slice(0, retiredKept)];
}

/**
 * The keys after a renewal. An offered key is taken when it is held already, or when a held one (or one taken just now)
 * signed it; others are left out. What is no longer offered is retired, not forgotten: the held state may be signed by it.
 */
export function nextKeys(held: readonly PinnedKey[], offered: readonly VerificationKey[], eyes: KeyEyes): PinnedKey[] {
  if (offered.length === 0) return [...held];
  const trusted = new Map(held.filter(({ retired }) => retired !== true).map((key) => [key.id, key]));
  for (let grew = true; grew; ) {
    grew = false;
    for (const key of offered) {
      const voucher = trusted.get(key.signedBy);
      if (trusted.has(key.id) || voucher === undefined || !vouched(key, voucher, eyes)) continue;
      trusted.set(key.id, pinned(key, eyes));
      grew = true;
    }
  }
  const current = [...trusted.values()].filter(({ id }) => offered.some((key) => key.id === id));
  if (current.length === 0) return [...held];
  return keysAnew(held, current);
}

function vouched(key: VerificationKey, voucher: PinnedKey, eyes: KeyEyes): boolean {
  return eyes.verifyEd25519(voucher.publicKey, signedBytes(domains.verificationKey, key.publicKey), key.signature);
}

function pinned(key: VerificationKey, eyes: KeyEyes): PinnedKey {
  const id = hex(eyes.sha256(key.publicKey)).slice(0, 16);
  if (id === key.id && key.publicKey.length === 32) return { id, publicKey: key.publicKey };
  throw new Fault("signature-refused", { message: `a verification key calls itself ${key.id}, but is ${id}.` });
}

/** Lower-case hex. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
