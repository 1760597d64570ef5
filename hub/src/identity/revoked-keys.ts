import type { IdentityTimes, Revocation } from "./model.ts";
import type { RevokedNatsKey } from "./port.ts";

/**
 * The NATS keys to be refused, from all revocations: pushed whole, so that it holds again after a restart. A key is left out
 * once every JWT that it may hold has expired; it is never issued again.
 */
export function revokedNatsKeys(
  revocations: readonly Revocation[],
  at: { readonly now: number; readonly times: IdentityTimes },
): RevokedNatsKey[] {
  const live = revocations.filter((revocation) => at.now <= revocation.at + at.times.certificate + at.times.skew);
  return live.flatMap((revocation) => revocation.natsKeys.map((natsKey) => ({ natsKey, at: revocation.at })));
}
