import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { Fault, parseClusterId } from "@capstan/proto";
import { decideEnrolment, isRefused, revoke } from "./enrol.ts";
import { type AgentKeys, defaultIdentityTimes, type Enrolment } from "./model.ts";
import type { PeerIdentity, TokenCrypto } from "./port.ts";
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

const crypto: TokenCrypto = {
  random: (bytes, as) => randomBytes(bytes).toString(as),
  sha256: (bytes) => createHash("sha256").update(bytes).digest("hex"),
};
const times = defaultIdentityTimes;
const cluster = parseClusterId("eu-1");
const pin = "ab".repeat(32);
const minute = 60_000;
const day = 1440 * minute;
const keys = (name: string): AgentKeys => ({ tlsKey: `tls-${name}`, natsKey: `U${name}`, sealingKey: "cd".repeat(32) });
const fault = (code: string) => (thrown: unknown) => thrown instanceof Fault && thrown.code === code;
const token = (now = 0) => newJoinToken({ cluster, ttl: undefined, by: "eva", pin }, { now, times }, crypto);
const nobody = { enrolment: undefined, revocation: undefined };
const enrolled: Enrolment = {
  cluster,
  keys: keys("1"),
  next: undefined,
  incarnation: "uid-1",
  enrolledAt: 0,
  notAfter: day,
};
const peer = (name: string, more: Partial<PeerIdentity> = {}): PeerIdentity => ({
  cluster,
  tlsKey: `tls-${name}`,
  notBefore: 0,
  notAfter: day,
  expired: false,
  ...more,
});

describe("tokens", () => {
  it("are shown once, kept as a hash, and known again", () => {
    const made = token();
    const text = parseJoinText(` ${made.text}\n`);
    assert.deepEqual([text.cluster, text.id, text.pin], ["eu-1", made.stored.id, pin]);
    assert.ok(!JSON.stringify(made.stored).includes(text.secret));
    assert.equal(checkJoinSecret(made.stored, text, crypto), made.stored);
    assert.throws(
      () => checkJoinSecret(made.stored, { ...text, secret: token().text.split(".")[3] ?? "" }, crypto),
      fault("token-refused"),
    );
    assert.throws(() => checkJoinSecret(undefined, text, crypto), fault("token-refused"));
    assert.throws(
      () => parseJoinText("capstan-join.eu-1.short"),
      (thrown: unknown) => thrown instanceof Fault && !thrown.message.includes("short"),
    );
    assert.equal(isTokenSpent(made.stored, 10 * minute), false);
    assert.equal(isTokenSpent(made.stored, 2 * day), true);
  });

  it("live 10 minutes, or as long as was asked, up to a day", () => {
    assert.equal(token(5).stored.expiresAt, 5 + 10 * minute);
    const wish = { cluster, by: "eva", pin };
    assert.equal(newJoinToken({ ...wish, ttl: day }, { now: 0, times }, crypto).stored.expiresAt, day);
    for (const ttl of [0, -1, day + 1, Number.NaN]) {
      assert.throws(() => newJoinToken({ ...wish, ttl }, { now: 0, times }, crypto), fault("bad-input"));
    }
  });

  it("of people sign in until they end, and never as join tokens", () => {
    const made = newPersonToken({ name: "eva", roles: ["admin"], ttl: day }, 0, crypto);
    const text = parsePersonText(made.text);
    assert.equal(checkPerson(made.stored, text, { now: day - 1, crypto }).name, "eva");
    assert.throws(() => checkPerson(made.stored, text, { now: day, crypto }), fault("not-signed-in"));
    assert.throws(
      () => checkPerson(made.stored, { ...text, secret: "A".repeat(43) }, { now: 0, crypto }),
      fault("not-signed-in"),
    );
    assert.throws(() => checkPerson(undefined, text, { now: 0, crypto }), fault("not-signed-in"));
    const join = token();
    const { id, secret } = parseJoinText(join.text);
    assert.throws(() => checkPerson(join.stored, { id, secret }, { now: 0, crypto }), fault("not-signed-in"));
    assert.throws(() => checkJoinSecret(made.stored, text, crypto), fault("token-refused"));
  });
});

describe("enrolment", () => {
  const ask = (name: string, incarnation = "uid-1") => ({ cluster, incarnation, keys: keys(name) });
  const at = { ...nobody, now: minute, notAfter: day };

  it("uses a token up for one key, which may ask again", () => {
    const first = decideEnrolment(ask("1"), token().stored, at);
    assert.deepEqual(first.token.used, { at: minute, tlsKey: "tls-1" });
    const again = decideEnrolment(ask("1"), first.token, { ...at, enrolment: first.enrolment, now: 2 * minute });
    assert.deepEqual(again.token.used, first.token.used);
    assert.throws(
      () => decideEnrolment(ask("2"), first.token, { ...at, enrolment: first.enrolment }),
      fault("token-refused"),
    );
  });

  it("refuses a late token, another cluster's, and the same id from another Kubernetes cluster", () => {
    assert.throws(() => decideEnrolment(ask("1"), token().stored, { ...at, now: 10 * minute }), fault("token-refused"));
    const other = { ...ask("1"), cluster: parseClusterId("us-1") };
    assert.throws(() => decideEnrolment(other, token().stored, at), fault("token-refused"));
    const moved = () => decideEnrolment(ask("2", "uid-2"), token().stored, { ...at, enrolment: enrolled });
    assert.throws(moved, fault("wrong-incarnation"));
  });

  it("lets a revoked cluster join with a token made afterwards, by new keys only", () => {
    const revocation = revoke(
      { cluster, by: "eva", reason: "lost", now: 5 * minute },
      { enrolment: enrolled, revocation: undefined },
    );
    assert.deepEqual(revocation.tlsKeys, ["tls-1"]);
    const known = { enrolment: enrolled, revocation, notAfter: 2 * day };
    assert.throws(
      () => decideEnrolment(ask("2"), token(4 * minute).stored, { ...known, now: 6 * minute }),
      fault("token-refused"),
    );
    assert.throws(
      () => decideEnrolment(ask("1"), token(6 * minute).stored, { ...known, now: 7 * minute }),
      fault("token-refused"),
    );
    const joined = decideEnrolment(ask("2"), token(6 * minute).stored, { ...known, now: 7 * minute });
    assert.equal(isRefused(joined.revocation, "tls-2"), false);
    assert.equal(isRefused(joined.revocation, "tls-1"), true);
    const again = revoke({ cluster, by: "eva", reason: "", now: day }, joined);
    assert.deepEqual(again.natsKeys, ["U1", "U2"]);
    assert.equal(isRefused(again, "tls-2"), true);
  });

  it("pushes revoked NATS keys until no JWT of theirs can live", () => {
    const revocation = revoke(
      { cluster, by: "eva", reason: "", now: 0 },
      { enrolment: enrolled, revocation: undefined },
    );
    assert.deepEqual(revokedNatsKeys([revocation], { now: day, times }), [{ natsKey: "U1", at: 0 }]);
    assert.deepEqual(revokedNatsKeys([revocation], { now: day + 6 * minute, times }), []);
  });
});

describe("renewal", () => {
  const known = { enrolment: enrolled, revocation: undefined };
  const renew = (shown: PeerIdentity, more: { enrolment?: Enrolment; now?: number; proved?: boolean } = {}) =>
    decideRenewal(
      { peer: shown, proved: more.proved ?? true, keys: keys("2") },
      { ...known, enrolment: more.enrolment ?? enrolled },
      { now: more.now ?? minute, notAfter: 2 * day, times },
    );

  it("keeps the old key good until the new one is seen, as the answer may be lost", () => {
    const renewed = renew(peer("1"));
    assert.equal(renewed.keys.tlsKey, "tls-1");
    assert.equal(admitPeer(peer("1"), { ...known, enrolment: renewed })?.next?.tlsKey, "tls-2");
    assert.equal(renew(peer("1"), { enrolment: renewed }).keys.tlsKey, "tls-1");
    const used = admitPeer(peer("2"), { ...known, enrolment: renewed });
    assert.deepEqual([used?.keys.tlsKey, used?.next], ["tls-2", undefined]);
    assert.throws(() => admitPeer(peer("1"), { ...known, enrolment: used }), fault("certificate-refused"));
    assert.equal(renew(peer("2"), { enrolment: renewed }).keys.tlsKey, "tls-2");
  });

  it("takes an expired certificate within the grace, with a proof, unless revoked", () => {
    const old = peer("1", { expired: true });
    assert.equal(renew(old, { now: 90 * day }).next?.tlsKey, "tls-2");
    assert.throws(() => renew(old, { now: 92 * day }), fault("certificate-refused"));
    assert.throws(() => renew(old, { proved: false }), fault("certificate-refused"));
    assert.throws(() => admitPeer(old, known), fault("certificate-refused"));
    const revocation = revoke({ cluster, by: "eva", reason: "stolen", now: 0 }, known);
    const at = { now: 1, notAfter: 2, times };
    const stolen = () =>
      decideRenewal({ peer: old, proved: true, keys: keys("2") }, { enrolment: enrolled, revocation }, at);
    assert.throws(
      stolen,
      (thrown: unknown) => fault("revoked")(thrown) && (thrown as Fault).message.includes("stolen"),
    );
    assert.throws(() => admitPeer(peer("1"), { enrolment: enrolled, revocation }), fault("revoked"));
    assert.throws(() => admitPeer(peer("1"), { enrolment: undefined, revocation }), fault("revoked"));
  });

  it("leaves a cluster that nothing names to a person", () => {
    assert.equal(admitPeer(peer("9"), nobody), undefined);
    const at = { now: 1, notAfter: 2, times };
    assert.throws(
      () => decideRenewal({ peer: peer("9"), proved: true, keys: keys("2") }, nobody, at),
      fault("unknown-cluster"),
    );
  });
});
