import { create } from "@bufbuild/protobuf";
import { backoffDelay, type Chance, type Clock, Fault } from "@capstan/proto";
import {
  EnrollRequestSchema,
  type EnrollResponse,
  type ExpiredProof,
  ExpiredProofSchema,
  type Credential as OfferedCredential,
  RenewRequestSchema,
  type Trust,
  TrustSchema,
  type Versions,
} from "@capstan/proto/agent";
import {
  type Credential,
  type Identity,
  type PrivateKeys,
  retiredSealingKept,
  type StoredIdentity,
  type Who,
} from "./model.ts";
import type { AgentCrypto, IdentityCalls, IdentityStore } from "./port.ts";
import { proofBytes, renewAt, renewBackoff } from "./renewal.ts";
import { checkToken, type JoinToken } from "./token.ts";
import { firstKeys, hex, keysAnew, nextKeys } from "./verification.ts";

/** What the keeper of the identity works with. */
export interface IdentityPorts {
  readonly crypto: AgentCrypto;
  readonly calls: IdentityCalls;
  readonly store: IdentityStore;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly who: Who;
  readonly versions: Versions;
  /** Hubs named by the configuration. */
  readonly endpoints: readonly string[];
  /** The join token, read when it is needed; undefined where none was given. */
  joinToken(): Promise<JoinToken | undefined>;
}

/** Keeps the identity: loads it, enrols, renews for ever, joins anew after a revocation. Keys are stored before any hub hears of them. */
export class IdentityKeeper {
  readonly #ports: IdentityPorts;
  #stored: StoredIdentity = {};
  #resting: AbortController | undefined;
  /** Enrolment and renewal both replace the identity: one at a time. */
  #last: Promise<unknown> = Promise.resolve();
  /** Hash of the join token that a hub refused: it is not shown again by this process. */
  #refusedToken: string | undefined;
  /** When a renewal was asked for before its time, by our clock. */
  #asked: number | undefined;
  #waiting: AbortController | undefined;
  /** Unknown keys that a renewal was asked for, and when last. */
  readonly #strangers = new Map<string, number>();

  constructor(ports: IdentityPorts) {
    this.#ports = ports;
  }

  get identity(): Identity | undefined {
    return this.#stored.identity;
  }

  /** Hubs to try: the configured ones, then those that the hub named. */
  endpoints(): readonly string[] {
    return [...new Set([...this.#ports.endpoints, ...(this.identity?.credential.hubEndpoints ?? [])])];
  }

  /** X25519 private keys, the current one first. */
  sealingKeys(): readonly string[] {
    const { identity } = this;
    return identity === undefined ? [] : [identity.credential.keys.sealing, ...identity.retiredSealing];
  }

  /** Raw X25519 public key that bundles are sealed to now; empty before enrolment. */
  sealingPublic(): Uint8Array {
    const [current] = this.sealingKeys();
    return current === undefined ? new Uint8Array() : this.#ports.crypto.sealingPublic(current);
  }

  /** What the hub's word is taken by; empty before enrolment. */
  trust(): { readonly trust?: Trust } {
    const { identity } = this;
    if (identity === undefined) return {};
    const verificationKeys = identity.verification.filter(({ retired }) => retired !== true).map(({ id }) => id);
    const roots = identity.credential.ca.map((der) => hex(this.#ports.crypto.sha256(der)));
    return { trust: create(TrustSchema, { verificationKeys, roots }) };
  }

  /** What a hello says of keys: the public halves in use, and what is trusted. */
  introduction() {
    const seed = this.identity?.credential.keys.nats;
    const natsPublicKey = seed === undefined ? "" : this.#ports.crypto.natsPublic(seed);
    return { sealingPublicKey: this.sealingPublic(), natsPublicKey, ...this.trust() };
  }

  /** Reads what is stored. An identity of another cluster or incarnation (a copied Secret) counts as none. */
  async load(signal: AbortSignal): Promise<void> {
    const stored = await this.#ports.store.load(signal);
    const { cluster, incarnation } = this.#ports.who;
    const { identity } = stored;
    const ours = identity === undefined || (identity.cluster === cluster && identity.incarnation === incarnation);
    this.#stored = ours ? stored : {};
  }

  /** One try to enrol. Faults that no retry changes are not retryable. */
  async enroll(signal: AbortSignal): Promise<void> {
    const token = checkToken(await this.#ports.joinToken(), this.#ports.who.cluster);
    await this.#alone(() => this.#enroll(token, signal));
  }

  /**
   * After the hub said `revoked`: joins anew, with new keys, where there is a join token that brought no identity yet. True:
   * there is a new identity. False: no such token, nothing was asked. Throws what the hub says of the token.
   */
  async rejoin(signal: AbortSignal): Promise<boolean> {
    const token = await this.#ports.joinToken();
    if (token === undefined) return false;
    const hash = this.#hashOf(token);
    return this.#alone(async () => {
      if (this.identity?.joinedWith === hash || this.#refusedToken === hash) return false;
      try {
        await this.#enroll(checkToken(token, this.#ports.who.cluster), signal);
        return true;
      } catch (thrown) {
        const fault = Fault.from(thrown);
        if (fault.code === "token-refused") this.#refusedToken = hash;
        throw fault;
      }
    });
  }

  async #enroll(token: JoinToken, signal: AbortSignal): Promise<void> {
    const { who, versions } = this.#ports;
    const keys = await this.#joiningKeys(this.#hashOf(token), signal);
    const request = create(EnrollRequestSchema, { token: token.text, ...who, ...this.#publics(keys), versions });
    const answer = await this.#anyHub((endpoint) => this.#ports.calls.enroll(endpoint, token.pin, request, signal));
    await this.#save({ identity: this.#enrolled(answer, keys, token) }, signal);
  }

  /** Renews in time until the signal aborts; tells of each new credential and each failure. */
  async run(sink: { renewed(): void; trouble(fault: Fault): void }, signal: AbortSignal): Promise<void> {
    const { clock, chance } = this.#ports;
    let attempt = 0;
    try {
      while (!signal.aborted) {
        const { identity } = this;
        if (identity === undefined) {
          await clock.sleep(1_000, signal);
          continue;
        }
        if (attempt === 0) await this.#sleepUntil(renewAt(identity.credential, chance), signal);
        this.#asked = undefined;
        try {
          await this.renew(signal);
          attempt = 0;
          sink.renewed();
        } catch (thrown) {
          if (signal.aborted) return;
          sink.trouble(Fault.from(thrown));
          await this.#rest(backoffDelay(renewBackoff, attempt++, chance), signal);
        }
      }
    } catch (thrown) {
      if (!signal.aborted) throw thrown;
    }
  }

  /** A hub was reached and refused the certificate: where it has expired, renewal is tried again now, not later. */
  refused(): void {
    const { identity } = this;
    if (identity !== undefined && this.#ports.clock.now() >= identity.credential.notAfter) this.#resting?.abort();
  }

  /** The hub asks for a renewal, spread over so many milliseconds. */
  renewWithin(ms: number): void {
    const { clock, chance } = this.#ports;
    const at = clock.now() + chance() * Math.min(ms, spreadAtMost);
    this.#asked = Math.min(this.#asked ?? at, at);
    this.#waiting?.abort();
  }

  /** A state is signed by a key that is not known: a renewal brings the hub's keys, at once, but not for each such state. */
  unknownKey(id: string): void {
    const { clock } = this.#ports;
    const last = this.#strangers.get(id);
    if (last !== undefined && clock.now() < last + strangerEvery) return;
    if (this.#strangers.size >= strangersKept) this.#strangers.clear();
    this.#strangers.set(id, clock.now());
    this.renewWithin(0);
  }

  /** One renewal: over mTLS, or by proof of possession where the certificate has expired. */
  renew(signal: AbortSignal): Promise<void> {
    return this.#alone(() => this.#renew(signal));
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { identity } = this;
    if (identity === undefined) throw new Fault("internal", { message: "nothing to renew." });
    const keys = await this.#pendingKeys(signal);
    const publics = this.#publics(keys);
    const proof =
      this.#ports.clock.now() < identity.credential.notAfter
        ? undefined
        : this.#proof(identity.credential, publics.csr);
    const request = create(RenewRequestSchema, { ...publics, ...(proof === undefined ? {} : { proof }) });
    const answer = await this.#anyHub((endpoint) =>
      this.#ports.calls.renew(endpoint, identity.credential, request, signal),
    );
    const offered = given(answer.credential);
    const next: Identity = {
      ...identity,
      credential: this.#credential(offered, keys),
      verification: nextKeys(identity.verification, offered.verificationKeys, this.#ports.crypto),
      retiredSealing: this.sealingKeys().slice(0, retiredSealingKept),
    };
    await this.#save({ identity: next }, signal);
  }

  #proof(credential: Credential, csr: Uint8Array): ExpiredProof {
    const { crypto, clock } = this.#ports;
    const signedAt = BigInt(Math.floor(clock.now() / 1000));
    const signature = crypto.signTls(credential.keys.tls, proofBytes(signedAt, crypto.sha256(csr)));
    return create(ExpiredProofSchema, { certificate: credential.certificate, signedAt, signature });
  }

  #enrolled(answer: EnrollResponse, keys: PrivateKeys, token: JoinToken): Identity {
    const { crypto, who } = this.#ports;
    const offered = given(answer.credential);
    if (answer.fleet === "" || !offered.ca.some((der) => hex(crypto.sha256(der)) === token.pin)) {
      throw new Fault("certificate-refused", {
        message: "the hub's answer does not hold the CA that the join token names.",
      });
    }
    // What is held goes on: its state may be signed by, and its bundles sealed to, what an earlier identity had.
    const verification = keysAnew(this.identity?.verification ?? [], firstKeys(offered.verificationKeys, crypto));
    return {
      ...who,
      fleet: answer.fleet,
      credential: this.#credential(offered, keys),
      verification,
      retiredSealing: this.sealingKeys().slice(0, retiredSealingKept),
      joinedWith: this.#hashOf(token),
    };
  }

  #credential(offered: OfferedCredential, keys: PrivateKeys): Credential {
    const { notAfter } = this.#ports.crypto.validity(offered.certificate);
    const { certificate, ca, natsJwt, natsUrls, hubEndpoints } = offered;
    return { keys, certificate, ca, received: this.#ports.clock.now(), notAfter, natsJwt, natsUrls, hubEndpoints };
  }

  #publics(keys: PrivateKeys): { csr: Uint8Array; natsPublicKey: string; sealingPublicKey: Uint8Array } {
    const { crypto } = this.#ports;
    return {
      csr: crypto.certificateRequest(keys.tls),
      natsPublicKey: crypto.natsPublic(keys.nats),
      sealingPublicKey: crypto.sealingPublic(keys.sealing),
    };
  }

  async #pendingKeys(signal: AbortSignal): Promise<PrivateKeys> {
    const { pending } = this.#stored;
    if (pending !== undefined) return pending;
    const made = this.#ports.crypto.makeKeys();
    await this.#save({ ...this.#stored, pending: made }, signal);
    return made;
  }

  /** New keys for each token: those of before may be revoked. Tried again with the same ones, as an answer may be lost. */
  async #joiningKeys(token: string, signal: AbortSignal): Promise<PrivateKeys> {
    const { joining, pending, identity } = this.#stored;
    if (joining?.token === token) return joining.keys;
    // Older versions kept the keys of a first enrolment as pending.
    if (joining === undefined && identity === undefined && pending !== undefined) return pending;
    const keys = this.#ports.crypto.makeKeys();
    await this.#save({ ...this.#stored, joining: { keys, token } }, signal);
    return keys;
  }

  #hashOf(token: JoinToken): string {
    const { crypto } = this.#ports;
    return hex(crypto.sha256(new TextEncoder().encode(token.text)));
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #save(stored: StoredIdentity, signal: AbortSignal): Promise<void> {
    await this.#ports.store.save(stored, signal);
    this.#stored = stored;
  }

  async #anyHub<T>(call: (endpoint: string) => Promise<T>): Promise<T> {
    let last = new Fault("hub-unreachable", { message: "no hub is configured." });
    for (const endpoint of this.endpoints()) {
      try {
        return await call(endpoint);
      } catch (thrown) {
        last = Fault.from(thrown);
        if (last.code !== "hub-unreachable" && last.code !== "not-leader" && last.code !== "timeout") throw last;
      }
    }
    throw last;
  }

  /** Waits, unless a hub that can be reached says that the certificate is the trouble. */
  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    this.#resting = new AbortController();
    const resting = AbortSignal.any([signal, this.#resting.signal]);
    await this.#ports.clock.sleep(ms, resting).catch(() => undefined);
    this.#resting = undefined;
  }

  /** Until then, or until a renewal is asked for before. */
  async #sleepUntil(at: number, signal: AbortSignal): Promise<void> {
    // In steps: the wall clock may jump, and a sleep of many hours would not notice.
    for (;;) {
      const rest = Math.min(at, this.#asked ?? at) - this.#ports.clock.now();
      if (rest <= 0) return;
      this.#waiting = new AbortController();
      const waiting = AbortSignal.any([signal, this.#waiting.signal]);
      await this.#ports.clock.sleep(Math.min(rest, 600_000), waiting).catch(() => undefined);
      signal.throwIfAborted();
    }
  }
}

/** Longest spread of a renewal that a hub asks for, in milliseconds. */
const spreadAtMost = 3_600_000;
/** Between two renewals for the sake of one unknown key, in milliseconds. */
const strangerEvery = 300_000;
const strangersKept = 16;

function given(credential: OfferedCredential | undefined): OfferedCredential {
  if (credential !== undefined) return credential;
  throw new Fault("bad-input", { message: "the hub's answer holds no credential." });
}
