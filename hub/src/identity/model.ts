/**
 * Identity: who may join, renew and connect. The decisions are pure (`enrol`, `renew`, `revoked-keys`, `tokens`);
 * `desk` carries them out in the order that loses nothing (docs/concepts/identity.md).
 */
import type { ClusterId } from "@capstan/proto";

/** A join token as the store keeps it, key `token.<id>`: never the secret itself. */
export interface JoinToken {
  readonly kind: "join";
  readonly id: string;
  readonly cluster: ClusterId;
  /** Hex SHA-256 of the secret. */
  readonly hash: string;
  readonly madeAt: number;
  readonly expiresAt: number;
  readonly madeBy: string;
  /** When it was used, and for which TLS key: the same key may ask again (its answer may have been lost). */
  readonly used: { readonly at: number; readonly tlsKey: string } | undefined;
}

/** A person's or program's token as the store keeps it, key `token.<id>`. */
export interface PersonToken {
  readonly kind: "person";
  readonly id: string;
  /** The name that stands in audit entries. */
  readonly name: string;
  readonly roles: readonly string[];
  readonly hash: string;
  readonly madeAt: number;
  /** Undefined: until it is taken away. */
  readonly expiresAt: number | undefined;
}

/** Any token in the store. */
export type StoredToken = JoinToken | PersonToken;

/** The public halves of an agent's own keys. */
export interface AgentKeys {
  /** Hex SHA-256 over the SubjectPublicKeyInfo of its TLS key (P-256). */
  readonly tlsKey: string;
  /** NATS user nkey, `U…`. */
  readonly natsKey: string;
  /** X25519 public key, 32 bytes, lower-case hex. */
  readonly sealingKey: string;
}

/** What the hub knows of an enrolled cluster's identity; part of its registry record. */
export interface Enrolment {
  readonly cluster: ClusterId;
  /** Those it is known to use. */
  readonly keys: AgentKeys;
  /** Those of its newest certificate, until it has been seen to use them: the answer to a renewal may be lost. */
  readonly next: AgentKeys | undefined;
  /** UID of its kube-system namespace at enrolment. */
  readonly incarnation: string;
  readonly enrolledAt: number;
  /** End of the newest certificate issued. */
  readonly notAfter: number;
}

/** A cluster that must be refused, key `revoked.<id>`. */
export interface Revocation {
  readonly cluster: ClusterId;
  readonly at: number;
  readonly by: string;
  readonly reason: string;
  /** The cluster has joined anew since: only its earlier keys are refused. */
  readonly lifted: boolean;
  /** Every NATS key that the cluster has held and that may still have a running JWT. */
  readonly natsKeys: readonly string[];
  /** Every TLS key it held, as `AgentKeys.tlsKey`. */
  readonly tlsKeys: readonly string[];
}

/** What an agent takes a hub's word by, as it said last. */
export interface Trust {
  /** Ids of verification keys. */
  readonly keys: readonly string[];
  /** Pins of CA certificates. */
  readonly roots: readonly string[];
}

/** What the fleet remembers of its keys, note `keys`: the same for every hub that takes over. Times in ms since 1970. */
export interface KeyNotes {
  readonly signing: Readonly<Record<string, { readonly announcedAt: number; readonly activeAt?: number }>>;
  readonly roots: Readonly<Record<string, { readonly announcedAt: number; readonly retiredAt?: number }>>;
}

/** Durations of identity, in milliseconds. */
export interface IdentityTimes {
  readonly certificate: number;
  readonly backdate: number;
  /** Allowed difference between the clocks of hub and agent when validity is checked. */
  readonly skew: number;
  readonly joinTtl: number;
  readonly joinTtlMax: number;
  /** How long an expired certificate may still be renewed by proof of possession. */
  readonly grace: number;
  /** How long a CA is trusted beside its successor at least. */
  readonly rootOverlap: number;
}

const minute = 60_000;
const day = 24 * 60 * minute;

/** Design §3.3. */
export const defaultIdentityTimes: IdentityTimes = {
  certificate: day,
  backdate: 5 * minute,
  skew: 5 * minute,
  joinTtl: 10 * minute,
  joinTtlMax: day,
  grace: 90 * day,
  rootOverlap: 30 * day,
};
