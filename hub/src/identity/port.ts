import type { ClusterId } from "@capstan/proto";
import type { KeyNotes, Revocation, StoredToken } from "./model.ts";

/** The private half stays inside; only its uses leave. */
export interface KeyedSignature {
  /** First 16 hex digits of SHA-256 over the raw public key. */
  readonly keyId: string;
  /** Ed25519, 64 bytes. */
  readonly signature: Uint8Array;
}

/** A verification key for desired states, as agents pin it. */
export interface VerificationKey {
  readonly keyId: string;
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** Signs desired states (Ed25519), apart from the CA. */
export interface Signer {
  sign(bytes: Uint8Array): KeyedSignature;
  /** False for an unknown key id as well as for a bad signature. */
  verify(bytes: Uint8Array, signature: KeyedSignature): boolean;
  /** All keys, the newest first; the current one is among them. */
  keys(): readonly VerificationKey[];
  /** Id of the key that signs: the newest, until `use` names another. */
  current(): string;
  /** Signs with this key from now on. An id that is not there is passed over. */
  use(keyId: string): void;
  /** Reads the key files again; the current key stays the current one. */
  reload(): Promise<void>;
  /** Each key but the oldest, signed by the one before it: proof for agents that pin only older ones. */
  endorsements(): readonly KeyEndorsement[];
}

/** A new verification key, vouched for by an existing one. */
export interface KeyEndorsement {
  readonly key: VerificationKey;
  /** Over `signedBytes(domains.verificationKey, publicKey)`. */
  readonly by: KeyedSignature;
}

/** A bundle made unreadable for those who are not given its key; the fields of `BundleEnvelope`. */
export interface SealedBundle {
  /** Which bundle secret the content key was derived from. */
  readonly keyId: string;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  /** Ciphertext and 16 bytes tag. */
  readonly ciphertext: Uint8Array;
}

/** A content key, sealed to a cluster; the fields of `SealedKey`. */
export interface SealedContentKey {
  readonly ephemeralPublic: Uint8Array;
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array;
}

/** Encrypts bundles and hands their keys to clusters. `digest` is the text of the content's digest, authenticated as well. */
export interface Sealing {
  /**
   * AES-256-GCM under HKDF(bundle secret, key id, digest). The nonce is derived from the content, so that storing the same
   * bundle twice gives the same bytes, whoever stores it.
   */
  encrypt(digest: string, plain: Uint8Array): SealedBundle;
  /** Throws `digest-mismatch` when bytes, key or digest do not belong together. */
  decrypt(digest: string, sealed: SealedBundle): Uint8Array;
  /** The current secret's id: a bundle stored under another one stays readable as long as that secret's file is kept. */
  currentKeyId(): string;
  /**
   * The content key of a bundle, sealed to an X25519 public key (32 bytes, hex). Differs at each call: keep what you made.
   * Throws `bad-input` for what is no public key.
   */
  sealKey(bundle: { readonly digest: string; readonly keyId: string }, sealingKey: string): SealedContentKey;
}

/** A certificate for a cluster's agent. */
export interface IssuedCertificate {
  /** The leaf, DER. */
  readonly certificate: Uint8Array;
  readonly notAfter: number;
  /** Hex SHA-256 over the leaf's SubjectPublicKeyInfo. */
  readonly tlsKey: string;
}

/** What a checked client certificate says. */
export interface PeerIdentity {
  readonly cluster: ClusterId;
  readonly tlsKey: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Chain and names are right, but it is past its end (beyond the allowed skew). Good for `Renew` alone. */
  readonly expired: boolean;
}

/** The hub's certificate authority. */
export interface Authority {
  readonly fleet: string;
  /**
   * Lower-case hex SHA-256 over the DER of the oldest CA certificate that is not retired, in which the hub's chain ends: the
   * pin in join tokens.
   */
  readonly pin: string;
  /** CA certificates that agents should trust, DER, the newest (which issues) first. */
  readonly cas: readonly Uint8Array[];
  /** Pins of all CA certificates that are there, oldest first. */
  roots(): readonly string[];
  /** Pins of those that are not retired. */
  trusted(): readonly string[];
  /** From now on nothing that these have issued is taken. The newest cannot be retired. */
  retire(pins: readonly string[]): void;
  /** Reads the files again. */
  reload(): Promise<void>;
  /**
   * Takes only the public key from a PKCS#10 request (DER), after checking its proof of possession; subject and names are
   * the hub's own. Throws `bad-input` for a broken request or another key type than P-256.
   */
  issue(request: {
    readonly csr: Uint8Array;
    readonly cluster: ClusterId;
    readonly now: number;
  }): Promise<IssuedCertificate>;
  /** The key of a request without issuing anything: its `tlsKey`. Same faults as `issue`. */
  inspect(csr: Uint8Array): Promise<string>;
  /**
   * A client's certificate (DER), not yet believed by anybody. Throws `certificate-refused` for another CA, a server
   * certificate, none or more than one URI name, another fleet; `clock-skew` when not yet valid.
   */
  identify(der: Uint8Array, now: number): PeerIdentity;
  /** Whether `signature` (ECDSA P-256, SHA-256, DER) over `bytes` was made by the key of this certificate (DER). */
  possesses(der: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean;
}

/** Lets agents into NATS: user JWTs of account AGENTS with the strict grant for one cluster. */
export interface NatsUsers {
  /** Milliseconds; the JWT expires at the earlier of this and the certificate's end. */
  issue(user: { readonly cluster: ClusterId; readonly natsKey: string; readonly expiresAt: number }): Promise<string>;
  /**
   * Makes the revoked keys exactly these: live connections are cut, and JWTs issued until the given time refused. Kept
   * over restarts of hub and server.
   */
  revoke(keys: readonly RevokedNatsKey[], signal: AbortSignal): Promise<void>;
  /** Where agents find NATS. */
  urls(): readonly string[];
}

/** A NATS user key and since when it is refused (milliseconds since 1970). */
export interface RevokedNatsKey {
  readonly natsKey: string;
  readonly at: number;
}

/** Chance and hashes for tokens; a port because cores may not reach for them. */
export interface TokenCrypto {
  /** So many bytes from the system's secure source, as text. */
  random(bytes: number, as: "hex" | "base64url"): string;
  /** Lower-case hex SHA-256. */
  sha256(bytes: Uint8Array): string;
}

/** Where tokens and revocations are kept: keys `token.<id>` and `revoked.<id>`. */
export interface IdentityStore {
  tokens(signal: AbortSignal): Promise<StoredToken[]>;
  saveToken(token: StoredToken, signal: AbortSignal): Promise<void>;
  deleteToken(id: string, signal: AbortSignal): Promise<void>;
  revocations(signal: AbortSignal): Promise<Revocation[]>;
  saveRevocation(revocation: Revocation, signal: AbortSignal): Promise<void>;
}

/** Where is kept how far each key is: note `keys` of the fleet. */
export interface KeyNoteStore {
  read(signal: AbortSignal): Promise<KeyNotes | undefined>;
  write(notes: KeyNotes, signal: AbortSignal): Promise<void>;
}
