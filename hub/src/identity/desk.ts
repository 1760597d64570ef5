import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Clock, type ClusterId, domains, Fault, parseClusterId, signedBytes } from "@capstan/proto";
import {
  type Credential,
  CredentialSchema,
  type EnrollRequest,
  type RenewRequest,
  type VerificationKey,
  VerificationKeySchema,
} from "@capstan/proto/agent";

import { decideEnrolment, isRefused, revoke } from "./enrol.ts";
import type { AgentKeys, Enrolment, IdentityTimes, PersonToken, Revocation, StoredToken } from "./model.ts";
import type {
  Authority,
  IdentityStore,
  IssuedCertificate,
  NatsUsers,
  PeerIdentity,
  Signer,
  TokenCrypto,
} from "./port.ts";
import { admitPeer, decideRenewal } from "./renew.ts";
import { revokedNatsKeys } from "./revoked-keys.ts";
import {
  checkJoinSecret,
  checkPerson,
  isTokenSpent,
  newJoinToken,
  newPersonToken,
  parseJoinText,
  parsePersonText,
} from "./tokens.ts";

/** What the desk needs. */
export interface DeskOptions {
  readonly clock: Clock;
  readonly times: IdentityTimes;
  readonly authority: Authority;
  readonly signer: Signer;
  readonly users: NatsUsers;
  readonly crypto: TokenCrypto;
  readonly store: IdentityStore;
  /** gRPC endpoints that agents are told. */
  readonly endpoints: readonly string[];
  enrolment(cluster: ClusterId): Enrolment | undefined;
  saveEnrolment(enrolment: Enrolment, signal: AbortSignal): Promise<void>;
  /** Told when NATS could not be told of what is revoked; the hub itself refuses it all the same. */
  onFault(fault: Fault): void;
}

/** What an agent is given. */
export interface Issued {
  readonly fleet: string;
  readonly credential: Credential;
}

/** How far a proof's time may be off, in milliseconds. */
const proofSkew = 5 * 60_000;

/** Issues, renews, checks and revokes identities. The decisions are pure; this carries them out in the order that loses nothing. */
export class IdentityDesk {
  readonly #options: DeskOptions;
  readonly #tokens = new Map<string, StoredToken>();
  readonly #revocations = new Map<ClusterId, Revocation>();

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Reads tokens and revocations, and makes NATS refuse what is revoked; call at the start of a term. */
  async load(signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    this.#tokens.clear();
    this.#revocations.clear();
    for (const token of await store.tokens(signal)) this.#tokens.set(token.id, token);
    for (const revocation of await store.revocations(signal)) this.#revocations.set(revocation.cluster, revocation);
    // No reason not to lead: whoever is revoked is refused here, and NATS keeps what it was told before.
    await this.#pushRevoked(signal).catch((thrown: unknown) => {
      if (signal.aborted) throw thrown;
      this.#options.onFault(Fault.from(thrown));
    });
  }

  get pin(): string {
    return this.#options.authority.pin;
  }

  /** Whether nothing of this cluster is let in. */
  isRevoked(cluster: ClusterId): boolean {
    const revocation = this.#revocations.get(cluster);
    return revocation !== undefined && !revocation.lifted;
  }

  /** A join token; its text is shown once. */
  async joinToken(
    cluster: ClusterId,
    wish: { readonly ttl: number | undefined; readonly by: string },
    signal: AbortSignal,
  ) {
    const at = { now: this.#options.clock.now(), times: this.#options.times };
    const made = newJoinToken({ cluster, ...wish, pin: this.pin }, at, this.#options.crypto);
    await this.#saveToken(made.stored, signal);
    return { text: made.text, expiresAt: made.stored.expiresAt };
  }

  /** A person's or program's token; its text is shown once. */
  async personToken(wish: Parameters<typeof newPersonToken>[0], signal: AbortSignal) {
    const made = newPersonToken(wish, this.#options.clock.now(), this.#options.crypto);
    await this.#saveToken(made.stored, signal);
    return { text: made.text, stored: made.stored };
  }

  /** People's tokens. */
  people(): readonly PersonToken[] {
    return [...this.#tokens.values()].filter((token) => token.kind === "person");
  }

  async dropToken(id: string, signal: AbortSignal): Promise<void> {
    if (!this.#tokens.has(id)) throw new Fault("not-found", { message: `no token has the id ${id}.` });
    await this.#options.store.deleteToken(id, signal);
    this.#tokens.delete(id);
  }

  /** Who signs in. Throws `not-signed-in`. */
  person(text: string): PersonToken {
    const given = parsePersonText(text);
    const at = { now: this.#options.clock.now(), crypto: this.#options.crypto };
    return checkPerson(this.#tokens.get(given.id), given, at);
  }

  /** Lets a cluster join. The token is used up before the certificate goes out. */
  async enroll(request: EnrollRequest, signal: AbortSignal): Promise<Issued> {
    const { clock, authority, crypto } = this.#options;
    const given = parseJoinText(request.token);
    const cluster = parseClusterId(request.cluster);
    checkJoinSecret(this.#tokens.get(given.id), given, crypto);
    const now = clock.now();
    const keys = await this.#keysOf(request);
    const issued = await authority.issue({ csr: request.csr, cluster, now });
    // Looked at again, as others may have asked meanwhile; from here to its use nothing is awaited.
    const token = checkJoinSecret(this.#tokens.get(given.id), given, crypto);
    const known = this.#known(cluster);
    const decision = decideEnrolment({ cluster, incarnation: request.incarnation, keys }, token, {
      ...known,
      now,
      notAfter: issued.notAfter,
    });
    // Used up at once in memory: another agent with the same token may be asking between here and the store's answer.
    this.#tokens.set(decision.token.id, decision.token);
    await this.#saveToken(decision.token, signal);
    if (decision.revocation !== undefined) {
      if (this.#revocations.get(cluster) !== known.revocation) throw revokedMeanwhile(cluster);
      await this.#saveRevocation(decision.revocation, signal);
    }
    await this.#options.saveEnrolment(decision.enrolment, signal);
    if (this.isRefused(cluster, keys.tlsKey)) throw revokedMeanwhile(cluster);
    return { fleet: authority.fleet, credential: await this.#credential(cluster, keys, issued) };
  }

  /** Renews an identity: over mTLS, or with an expired certificate by proof of possession. */
  async renew(request: RenewRequest, certificate: Uint8Array | undefined, signal: AbortSignal): Promise<Issued> {
    const { clock, authority, times } = this.#options;
    const now = clock.now();
    const shown = certificate ?? request.proof?.certificate;
    if (shown === undefined) {
      throw new Fault("certificate-refused", { message: "expected a client certificate or a proof, found neither." });
    }
    const peer = authority.identify(shown, now);
    const proved = certificate !== undefined || this.#isProved(request, now);
    const keys = await this.#keysOf(request);
    // Decided before a certificate is made, and again with its end and with what is known by then.
    decideRenewal({ peer, proved, keys }, this.#known(peer.cluster), { now, notAfter: now, times });
    const issued = await authority.issue({ csr: request.csr, cluster: peer.cluster, now });
    const known = this.#known(peer.cluster);
    const enrolment = decideRenewal({ peer, proved, keys }, known, { now, notAfter: issued.notAfter, times });
    await this.#options.saveEnrolment(enrolment, signal);
    // A revocation before this point may not know the new keys: so nothing of them goes out.
    if (this.isRefused(peer.cluster, keys.tlsKey)) throw revokedMeanwhile(peer.cluster);
    return { fleet: authority.fleet, credential: await this.#credential(peer.cluster, keys, issued) };
  }

  /** Who connects with this certificate. Throws `not-signed-in`, `certificate-refused`, `revoked`. */
  async admit(certificate: Uint8Array | undefined, signal: AbortSignal): Promise<PeerIdentity> {
    if (certificate === undefined) {
      throw new Fault("not-signed-in", {
        message: "expected a client certificate, found none that is valid.",
        // TLS says no more than that: one that is not yet valid looks the same.
        next: "An agent enrols first, and renews an expired certificate; where it has done so, set the clocks of hub and cluster by NTP.",
      });
    }
    const peer = this.#options.authority.identify(certificate, this.#options.clock.now());
    const before = this.#options.enrolment(peer.cluster);
    const enrolment = admitPeer(peer, this.#known(peer.cluster));
    if (enrolment !== undefined && enrolment !== before) await this.#options.saveEnrolment(enrolment, signal);
    return peer;
  }

  /** Refuses a cluster from now on: what it holds of keys is told to NATS, which cuts it. */
  async revoke(
    cluster: ClusterId,
    who: { readonly by: string; readonly reason: string },
    signal: AbortSignal,
  ): Promise<void> {
    const wish = { cluster, ...who, now: this.#options.clock.now() };
    await this.#saveRevocation(revoke(wish, this.#known(cluster)), signal);
    await this.#pushRevoked(signal);
  }

  #known(cluster: ClusterId) {
    return { enrolment: this.#options.enrolment(cluster), revocation: this.#revocations.get(cluster) };
  }

  async #keysOf(request: EnrollRequest | RenewRequest): Promise<AgentKeys> {
    const { natsPublicKey, sealingPublicKey, csr } = request;
    if (!/^U[A-Z2-7]{55}$/.test(natsPublicKey) || sealingPublicKey.length !== 32) {
      throw new Fault("bad-input", {
        message: "expected a NATS user key and an X25519 key of 32 bytes, found others.",
      });
    }
    const tlsKey = await this.#options.authority.inspect(csr);
    const sealingKey = [...sealingPublicKey].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return { tlsKey, natsKey: natsPublicKey, sealingKey };
  }

  #isProved({ proof, csr }: RenewRequest, now: number): boolean {
    if (proof === undefined || Math.abs(Number(proof.signedAt) * 1000 - now) > proofSkew) return false;
    const at = new Uint8Array(8);
    new DataView(at.buffer).setBigInt64(0, proof.signedAt);
    const hash = this.#options.crypto.sha256(csr);
    const payload = new Uint8Array(8 + 32);
    payload.set(at);
    payload.set(
      Uint8Array.from(hash.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
      8,
    );
    return this.#options.authority.possesses(proof.certificate, signedBytes(domains.renew, payload), proof.signature);
  }

  async #credential(cluster: ClusterId, keys: AgentKeys, issued: IssuedCertificate): Promise<Credential> {
    const { authority, users, signer, endpoints } = this.#options;
    const expiresAt = issued.notAfter;
    return create(CredentialSchema, {
      certificate: issued.certificate,
      ca: [...authority.cas],
      notAfter: timestampFromMs(expiresAt),
      natsJwt: await users.issue({ cluster, natsKey: keys.natsKey, expiresAt }),
      natsUrls: [...users.urls()],
      verificationKeys: verificationKeys(signer),
      hubEndpoints: [...endpoints],
    });
  }

  async #saveToken(token: StoredToken, signal: AbortSignal): Promise<void> {
    await this.#options.store.saveToken(token, signal);
    this.#tokens.set(token.id, token);
    const now = this.#options.clock.now();
    for (const spent of [...this.#tokens.values()].filter((each) => isTokenSpent(each, now))) {
      await this.#options.store.deleteToken(spent.id, signal);
      this.#tokens.delete(spent.id);
    }
  }

  async #saveRevocation(revocation: Revocation, signal: AbortSignal): Promise<void> {
    await this.#options.store.saveRevocation(revocation, signal);
    this.#revocations.set(revocation.cluster, revocation);
  }

  #pushRevoked(signal: AbortSignal): Promise<void> {
    const at = { now: this.#options.clock.now(), times: this.#options.times };
    return this.#options.users.revoke(revokedNatsKeys([...this.#revocations.values()], at), signal);
  }

  /** Whether this key of this cluster is refused. */
  isRefused(cluster: ClusterId, tlsKey: string): boolean {
    return isRefused(this.#revocations.get(cluster), tlsKey);
  }
}

/** All keys that may sign, each but the oldest vouched for by the one before it. */
function verificationKeys(signer: Signer): VerificationKey[] {
  const vouched = new Map(signer.endorsements().map(({ key, by }) => [key.keyId, by] as const));
  return signer.keys().map(({ keyId, publicKey }) => {
    const by = vouched.get(keyId);
    const vouch = by === undefined ? {} : { signature: by.signature, signedBy: by.keyId };
    return create(VerificationKeySchema, { id: keyId, publicKey, ...vouch });
  });
}

function revokedMeanwhile(cluster: ClusterId): Fault {
  return new Fault("revoked", {
    message: `expected a cluster that is welcome, found that ${cluster} was revoked while its identity was being made.`,
    where: { cluster },
    next: "A person may let it join anew with `capstan cluster add`.",
  });
}
