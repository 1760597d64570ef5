import { type ClusterId, Fault } from "@capstan/proto";
import type { AgentKeys, Enrolment, JoinToken, Revocation } from "./model.ts";
import { refused } from "./tokens.ts";

/** What an agent brings when it joins, its join token's secret being right already (`checkJoinSecret`). */
export interface EnrolRequest {
  readonly cluster: ClusterId;
  readonly incarnation: string;
  readonly keys: AgentKeys;
}

/** What the hub knows of the cluster. */
export interface Known {
  readonly enrolment: Enrolment | undefined;
  readonly revocation: Revocation | undefined;
}

/** What is written before the certificate goes out: all three, or nothing. */
export interface EnrolDecision {
  /** The token, used up for this key. */
  readonly token: JoinToken;
  readonly enrolment: Enrolment;
  /** The revocation as it goes on: lifted for the new keys, kept for the old ones. Undefined: none is kept. */
  readonly revocation: Revocation | undefined;
}

/**
 * Whether an agent may join, and what is to be written. The same agent (same TLS key) may ask again while its token lives,
 * as its first answer may have been lost. Throws `token-refused`, `wrong-incarnation`.
 */
export function decideEnrolment(
  request: EnrolRequest,
  token: JoinToken,
  at: Known & { readonly now: number; readonly notAfter: number },
): EnrolDecision {
  const { cluster, keys, incarnation } = request;
  if (token.cluster !== cluster)
    throw refused(`one made for another cluster than ${cluster}`, "Use the token of this cluster.");
  if (at.now >= token.expiresAt) throw refused("one that has expired", "Make a new one with `capstan cluster add`.");
  if (token.used !== undefined && token.used.tlsKey !== keys.tlsKey) {
    throw refused("one that was used already", "If you did not use it, revoke the cluster; else make a new one.");
  }
  checkIncarnation(request, at.enrolment);
  if (isRevoked(at.revocation, keys.tlsKey, token.madeAt)) {
    throw refused("one made before the cluster was revoked", "Make a new one with `capstan cluster add`.");
  }
  return {
    token: { ...token, used: token.used ?? { at: at.now, tlsKey: keys.tlsKey } },
    enrolment: { cluster, keys, next: undefined, incarnation, enrolledAt: at.now, notAfter: at.notAfter },
    revocation: at.revocation === undefined ? undefined : { ...at.revocation, lifted: true },
  };
}

/** A revoked key stays refused for ever; the cluster itself until a token is made after the revocation. */
function isRevoked(revocation: Revocation | undefined, tlsKey: string, tokenMadeAt: number): boolean {
  if (revocation === undefined) return false;
  return revocation.tlsKeys.includes(tlsKey) || tokenMadeAt <= revocation.at;
}

/** The same id from another Kubernetes cluster waits for a person. */
function checkIncarnation({ cluster, incarnation }: EnrolRequest, enrolment: Enrolment | undefined): void {
  if (enrolment === undefined || enrolment.incarnation === "" || enrolment.incarnation === incarnation) return;
  throw new Fault("wrong-incarnation", {
    message: `expected the Kubernetes cluster ${enrolment.incarnation} behind ${cluster}, found ${incarnation}.`,
    where: { cluster },
    next: "If it was rebuilt on purpose, admit the new one with `capstan cluster admit`; else give this one another id.",
  });
}

/** What is written when a person revokes a cluster. Revoking it again adds the keys it has held since. */
export function revoke(
  wish: { readonly cluster: ClusterId; readonly by: string; readonly reason: string; readonly now: number },
  known: Known,
): Revocation {
  const { enrolment, revocation } = known;
  const keys = [enrolment?.keys, enrolment?.next].filter((held) => held !== undefined);
  return {
    cluster: wish.cluster,
    at: wish.now,
    by: wish.by,
    reason: wish.reason,
    lifted: false,
    natsKeys: [...new Set([...(revocation?.natsKeys ?? []), ...keys.map((held) => held.natsKey)])].filter(
      (key) => key !== "",
    ),
    tlsKeys: [...new Set([...(revocation?.tlsKeys ?? []), ...keys.map((held) => held.tlsKey)])],
  };
}

/** Whether this key of this cluster is refused now. */
export function isRefused(revocation: Revocation | undefined, tlsKey: string): boolean {
  return revocation !== undefined && (!revocation.lifted || revocation.tlsKeys.includes(tlsKey));
}
