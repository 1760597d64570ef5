import "reflect-metadata";

import assert from "node:assert/strict";
import { createHash, randomBytes, webcrypto } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type ClusterId, Fault, parseClusterId } from "@capstan/proto";
import { EnrollRequestSchema, RenewRequestSchema } from "@capstan/proto/agent";
import { FakeClock } from "@capstan/proto/testing";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { type HubAuthority, loadAuthority } from "../platform/crypto/authority.ts";
import { loadSigner } from "../platform/crypto/signing.ts";
import { IdentityDesk } from "./desk.ts";
import { defaultIdentityTimes, type Enrolment, type Revocation, type StoredToken } from "./model.ts";
import type { RevokedNatsKey, Signer } from "./port.ts";

const never = new AbortController().signal;
const cluster = parseClusterId("eu-1");
const fault = (code: string) => (thrown: unknown) => thrown instanceof Fault && thrown.code === code;

/** A request with a new key of its own. */
async function newCsr(): Promise<Uint8Array> {
  const keys = await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const csr = await Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
  });
  return new Uint8Array(csr.rawData);
}

const natsKey = (letter: string) => `U${letter.repeat(55)}`;

describe("IdentityDesk", () => {
  const folder = mkdtempSync(join(tmpdir(), "capstan-desk-"));
  const clock = new FakeClock(Date.now());
  let authority: HubAuthority;
  let signer: Signer;
  before(async () => {
    authority = await loadAuthority(folder, defaultIdentityTimes, clock.now());
    signer = await loadSigner(join(folder, "signing"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function desk() {
    const tokens = new Map<string, StoredToken>();
    const revocations = new Map<ClusterId, Revocation>();
    const enrolments = new Map<ClusterId, Enrolment>();
    const pushed: (readonly RevokedNatsKey[])[] = [];
    /** Runs while an enrolment is being saved. */
    const meanwhile: { run: (() => Promise<void>) | undefined } = { run: undefined };
    const made = new IdentityDesk({
      clock,
      times: defaultIdentityTimes,
      authority,
      signer,
      onFault: () => undefined,
      users: {
        issue: async (user) => `jwt-${user.natsKey}`,
        revoke: async (keys) => void pushed.push(keys),
        urls: () => [],
      },
      crypto: {
        random: (bytes, as) => randomBytes(bytes).toString(as),
        sha256: (bytes) => createHash("sha256").update(bytes).digest("hex"),
      },
      store: {
        tokens: async () => [...tokens.values()],
        saveToken: async (token) => void tokens.set(token.id, token),
        deleteToken: async (id) => void tokens.delete(id),
        revocations: async () => [...revocations.values()],
        saveRevocation: async (revocation) => void revocations.set(revocation.cluster, revocation),
      },
      endpoints: [],
      enrolment: (id) => enrolments.get(id),
      saveEnrolment: async (enrolment) => {
        await meanwhile.run?.();
        enrolments.set(enrolment.cluster, enrolment);
      },
    });
    return { desk: made, pushed, enrolments, meanwhile };
  }

  async function enroll(at: IdentityDesk, token: string, nats = natsKey("A")) {
    const csr = await newCsr();
    const parts = { token, cluster: "eu-1", incarnation: "uid-1", csr };
    return at.enroll(
      create(EnrollRequestSchema, { ...parts, natsPublicKey: nats, sealingPublicKey: randomBytes(32) }),
      never,
    );
  }

  async function renewal(nats: string) {
    return create(RenewRequestSchema, { csr: await newCsr(), natsPublicKey: nats, sealingPublicKey: randomBytes(32) });
  }

  it("lets one of two agents with the same token join", async () => {
    const { desk: at } = desk();
    const { text } = await at.joinToken(cluster, { ttl: undefined, by: "eva" }, never);
    const both = await Promise.allSettled([enroll(at, text), enroll(at, text, natsKey("B"))]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    const refused = both.find((each) => each.status === "rejected");
    assert.ok(fault("token-refused")(refused?.reason));
  });

  it("revokes every key that a cluster holds, also one whose renewal is under way", async () => {
    const { desk: at, pushed, meanwhile } = desk();
    const { text } = await at.joinToken(cluster, { ttl: undefined, by: "eva" }, never);
    const { credential } = await enroll(at, text);
    await at.admit(credential.certificate, never);
    await at.renew(await renewal(natsKey("B")), credential.certificate, never);
    meanwhile.run = async () => {
      meanwhile.run = undefined;
      await at.revoke(cluster, { by: "eva", reason: "stolen" }, never);
    };
    await assert.rejects(at.renew(await renewal(natsKey("C")), credential.certificate, never), fault("revoked"));
    assert.deepEqual(
      pushed.at(-1)?.map((each) => each.natsKey),
      [natsKey("A"), natsKey("B")],
    );
    await assert.rejects(at.admit(credential.certificate, never), fault("revoked"));
    // After a restart the same list is pushed again.
    await at.load(never);
    assert.equal(pushed.at(-1)?.length, 2);
    const again = await at.joinToken(cluster, { ttl: undefined, by: "eva" }, never);
    await assert.rejects(enroll(at, again.text, natsKey("D")), fault("token-refused"));
    await clock.advance(1);
    const later = await at.joinToken(cluster, { ttl: undefined, by: "eva" }, never);
    const joined = await enroll(at, later.text, natsKey("D"));
    assert.equal((await at.admit(joined.credential.certificate, never)).cluster, "eu-1");
    await assert.rejects(at.admit(credential.certificate, never), fault("revoked"));
  });
});
