import { Fault } from "@capstan/proto";
import { isRefused, type Known } from "./enrol.ts";
import type { AgentKeys, Enrolment, IdentityTimes } from "./model.ts";
import type { PeerIdentity } from "./port.ts";

/**
 * Whether an agent gets a new certificate, and the enrolment as it is then written: the new keys wait as `next` until they
 * are used, as the answer may be lost. An expired certificate is good within the grace, once possession of its key was
 * proved (`proved`, by the TLS handshake or by `ExpiredProof`). Throws `revoked`, `certificate-refused`, `unknown-cluster`.
 */
export function decideRenewal(
  request: { readonly peer: PeerIdentity; readonly proved: boolean; readonly keys: AgentKeys },
  known: Known,
  at: { readonly now: number; readonly notAfter: number; readonly times: IdentityTimes },
): Enrolment {
  const { peer, keys } = request;
  const enrolment = checkPeer(peer, known);
  const where = { cluster: peer.cluster };
  if (!request.proved) {
    throw new Fault("certificate-refused", {
      message: "expected a proof of possession of the certificate's key, found none.",
      where,
    });
  }
  if (peer.expired && at.now > peer.notAfter + at.times.grace) {
    throw new Fault("certificate-refused", {
      message: `expected a certificate that expired at most ${at.times.grace / 86_400_000} days ago, found one of ${new Date(peer.notAfter).toISOString()}.`,
      where,
      next: "Let the cluster join anew with `capstan cluster add`.",
    });
  }
  // What the agent shows is what it has: an earlier `next` that it never used is given up.
  const held = enrolment.next?.tlsKey === peer.tlsKey ? enrolment.next : enrolment.keys;
  return { ...enrolment, keys: held, next: keys, notAfter: at.notAfter };
}

/**
 * Who connects: the enrolment, with its newest keys taken into use. Undefined for a cluster that has a good certificate but
 * that nothing names: it keeps what it runs and waits for a person. Throws `revoked`, `certificate-refused`.
 */
export function admitPeer(peer: PeerIdentity, known: Known): Enrolment | undefined {
  if (peer.expired) {
    throw new Fault("certificate-refused", {
      message: `expected a certificate that is valid, found one that expired at ${new Date(peer.notAfter).toISOString()}.`,
      where: { cluster: peer.cluster },
      next: "The agent renews it by itself; look at its log.",
    });
  }
  if (known.enrolment === undefined && !isRefused(known.revocation, peer.tlsKey)) return undefined;
  const enrolment = checkPeer(peer, known);
  return enrolment.next?.tlsKey === peer.tlsKey ? { ...enrolment, keys: enrolment.next, next: undefined } : enrolment;
}

/** Revocation first, then whether the key is one that the hub has given this cluster. */
function checkPeer(peer: PeerIdentity, { enrolment, revocation }: Known): Enrolment {
  const where = { cluster: peer.cluster };
  if (isRefused(revocation, peer.tlsKey)) {
    throw new Fault("revoked", {
      message: `expected a cluster that is welcome, found that ${peer.cluster} was revoked: ${revocation?.reason || "no reason given"}.`,
      where,
      next: "A person may let it join anew with `capstan cluster add`.",
    });
  }
  if (enrolment === undefined) {
    throw new Fault("unknown-cluster", {
      message: `expected a cluster that this hub knows, found ${peer.cluster}.`,
      where,
      next: "Admit it with `capstan cluster admit`, or let it join anew.",
    });
  }
  if (enrolment.keys.tlsKey === peer.tlsKey || enrolment.next?.tlsKey === peer.tlsKey) return enrolment;
  throw new Fault("certificate-refused", {
    message: `expected the key that ${peer.cluster} holds now, found an earlier or a copied one.`,
    where,
    next: "If two agents run under this id, stop one; then let the cluster join anew.",
  });
}
