import type { ClusterId, Instant } from "@capstan/proto";

/** Who this agent believes it is; it refuses states for anybody else. */
export interface Who {
  readonly cluster: ClusterId;
  /** UID of the kube-system namespace. */
  readonly incarnation: string;
}

/** The agent's own private keys, as texts that only `AgentCrypto` reads. They never leave the cluster. */
export interface PrivateKeys {
  /** P-256, PKCS#8, base64. */
  readonly tls: string;
  /** NATS user seed, `SU…`. */
  readonly nats: string;
  /** X25519, PKCS#8, base64. */
  readonly sealing: string;
}

/** A key that may sign desired states. */
export interface PinnedKey {
  /** First 16 hex digits of sha256 over `publicKey`. */
  readonly id: string;
  /** Raw Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The hub no longer offers it: good for the state that is held, not for a new one. */
  readonly retired?: boolean;
}

/** What a hub gave to this agent for its keys. */
export interface Credential {
  readonly keys: PrivateKeys;
  /** Client certificate, DER. */
  readonly certificate: Uint8Array;
  /** CA certificates to trust, DER. */
  readonly ca: readonly Uint8Array[];
  /** When it came, by our clock: its life counts from here. */
  readonly received: Instant;
  readonly notAfter: Instant;
  readonly natsJwt: string;
  readonly natsUrls: readonly string[];
  /** `host:port` each. */
  readonly hubEndpoints: readonly string[];
}

/** Everything that an enrolled agent is. */
export interface Identity extends Who {
  /** Fleet UUID. */
  readonly fleet: string;
  readonly credential: Credential;
  /** Keys that may sign desired states; one is only added when a held one signed it. */
  readonly verification: readonly PinnedKey[];
  /** Earlier sealing keys, newest first: states that are still held may be sealed to them. */
  readonly retiredSealing: readonly string[];
  /** Lower-case hex SHA-256 of the join token that brought it; absent in identities of older versions. */
  readonly joinedWith?: string;
}

/** Keys of an Enroll whose answer has not been seen yet. */
export interface Joining {
  readonly keys: PrivateKeys;
  /** Lower-case hex SHA-256 of the join token that they go with: a hub takes a token for one key only. */
  readonly token: string;
}

/** What Secret `capstan-identity` holds. Keys are written there before any hub hears of them. */
export interface StoredIdentity {
  readonly identity?: Identity;
  /** Keys of a Renew whose answer has not been seen yet; they are used again at the next try. */
  readonly pending?: PrivateKeys;
  /** The same of an Enroll; also beside an identity that was revoked. */
  readonly joining?: Joining;
}

/** How many earlier sealing keys are kept. */
export const retiredSealingKept = 4;
