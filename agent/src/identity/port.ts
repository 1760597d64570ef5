import type { EnrollRequest, EnrollResponse, RenewRequest, RenewResponse } from "@capstan/proto/agent";
import type { Credential, PrivateKeys, StoredIdentity } from "./model.ts";

/** Keys, requests and signatures. Private keys go in and out as the texts of `PrivateKeys`. */
export interface AgentCrypto {
  makeKeys(): PrivateKeys;
  /** A PKCS#10 request (DER) with an empty subject, signed by the key. */
  certificateRequest(tlsKey: string): Uint8Array;
  /** `U…` of a seed. */
  natsPublic(seed: string): string;
  /** Raw X25519 public key. */
  sealingPublic(key: string): Uint8Array;
  /** ECDSA P-256 with SHA-256, DER. */
  signTls(tlsKey: string, bytes: Uint8Array): Uint8Array;
  /** False for anything but a good Ed25519 signature by that raw key. */
  verifyEd25519(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean;
  sha256(bytes: Uint8Array): Uint8Array;
  /** Validity of a certificate (DER), milliseconds since 1970. Throws `certificate-refused` for none. */
  validity(certificate: Uint8Array): { readonly notBefore: number; readonly notAfter: number };
}

/**
 * The two calls that make an identity. Faults carry the hub's code; `hub-unreachable` where no hub answered,
 * `certificate-refused` where the one that answered does not have the pinned CA.
 */
export interface IdentityCalls {
  /** Nothing is sent before the server has proved to stand under the CA with this SHA-256 (hex, over DER). */
  enroll(endpoint: string, pin: string, request: EnrollRequest, signal: AbortSignal): Promise<EnrollResponse>;
  /** Over mTLS; with an expired certificate, that is: with a proof in the request, without a client certificate. */
  renew(endpoint: string, credential: Credential, request: RenewRequest, signal: AbortSignal): Promise<RenewResponse>;
}

/** Where the identity is kept, in the cluster itself. A save is durable when it resolves. */
export interface IdentityStore {
  load(signal: AbortSignal): Promise<StoredIdentity>;
  save(stored: StoredIdentity, signal: AbortSignal): Promise<void>;
}
