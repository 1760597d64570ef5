import assert from "node:assert/strict";
import { generateKeyPairSync, sign, verify, X509Certificate } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type ClusterId, domains, Fault, signedBytes, systemClock } from "@capstan/proto";
import { VersionsSchema } from "@capstan/proto/agent";
import { FakeClock, seededChance } from "@capstan/proto/testing";
import { agentCrypto } from "../platform/crypto/keys.ts";
import { grpcIdentityCalls } from "../platform/grpc/calls.ts";
import { FakeHub } from "../platform/grpc/testing/fake-hub.ts";
import { until } from "../testing/until.ts";
import { parseIdentity, printIdentity } from "./codec.ts";
import type { StoredIdentity } from "./model.ts";
import { IdentityKeeper } from "./reconciler.ts";
import { proofBytes, renewAt } from "./renewal.ts";
import { parseJoinToken } from "./token.ts";
import { keysAnew, nextKeys } from "./verification.ts";

const signal = new AbortController().signal;
const hub = new FakeHub();

/** A Secret in memory; it keeps text, as the real one does. */
class Memory {
  texts: string[] = [];
  load = async (): Promise<StoredIdentity> => parseIdentity(this.texts.at(-1) ?? "{}");
  save = async (stored: StoredIdentity): Promise<void> => {
    this.texts.push(printIdentity(stored));
  };
}

function keeperOf(
  memory: Memory,
  more: { token?: string; clock?: FakeClock; incarnation?: string } = {},
): IdentityKeeper {
  return new IdentityKeeper({
    crypto: agentCrypto,
    calls: grpcIdentityCalls,
    store: memory,
    clock: more.clock ?? systemClock,
    chance: seededChance(1),
    who: { cluster: "a" as ClusterId, incarnation: more.incarnation ?? "uid-1" },
    versions: create(VersionsSchema, { program: "test" }),
    endpoints: ["127.0.0.1:1", hub.endpoint],
    joinToken: async () => parseJoinToken(more.token ?? hub.token),
  });
}

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "no fault",
    (thrown: unknown) => Fault.from(thrown).code,
  );

describe("joining", () => {
  before(() => hub.start());
  after(() => hub.stop());

  it("stores the keys before any hub hears of them, and the credential after", async () => {
    const memory = new Memory();
    const keeper = keeperOf(memory);
    const heard = hub.enrolled.length;
    await keeper.enroll(signal);
    const [first, second] = memory.texts.map((text) => parseIdentity(text));
    assert.ok(first?.joining !== undefined && first.identity === undefined);
    assert.deepEqual(second?.identity?.credential.keys, first.joining.keys);
    assert.equal(second?.joining, undefined);
    assert.equal(hub.enrolled[heard]?.natsPublicKey, agentCrypto.natsPublic(first.joining.keys.nats));
    const certificate = new X509Certificate(second?.identity?.credential.certificate ?? new Uint8Array());
    assert.ok(certificate.verify(new X509Certificate(hub.ca.der).publicKey));
    assert.ok(
      !JSON.stringify(hub.enrolled[heard], (_, v) => (typeof v === "bigint" ? 0 : v)).includes(first.joining.keys.tls),
    );
  });

  it("uses the same keys again when an answer was lost", async () => {
    const memory = new Memory();
    hub.refuse = "not-leader";
    assert.equal(await code(keeperOf(memory).enroll(signal)), "not-leader");
    hub.refuse = undefined;
    const restarted = keeperOf(memory);
    await restarted.load(signal);
    await restarted.enroll(signal);
    const [one, two] = hub.enrolled.slice(-2);
    assert.equal(one?.natsPublicKey, two?.natsPublicKey);
  });

  it("sends nothing to a server that is not under the token's CA", async () => {
    const heard = hub.enrolled.length;
    const keeper = keeperOf(new Memory(), { token: hub.token.replace(hub.ca.pin, "0".repeat(64)) });
    assert.equal(await code(keeper.enroll(signal)), "certificate-refused");
    assert.equal(hub.enrolled.length, heard);
  });

  it("tells a refused token, and shows no token that it cannot read", async () => {
    const keeper = keeperOf(new Memory(), { token: hub.token.replace("sss", "xxx") });
    assert.equal(await code(keeper.enroll(signal)), "token-refused");
    const heard = hub.enrolled.length;
    const other = keeperOf(new Memory(), { token: hub.token.replace("join.a.", "join.b.") });
    assert.equal(await code(other.enroll(signal)), "token-refused");
    assert.equal(hub.enrolled.length, heard);
    assert.throws(
      () => parseJoinToken("hunter2"),
      (thrown) => thrown instanceof Fault && !thrown.message.includes("hunter2"),
    );
  });

  it("does not use an identity that was copied from another incarnation", async () => {
    const memory = new Memory();
    await keeperOf(memory).enroll(signal);
    const copy = keeperOf(memory, { incarnation: "uid-2" });
    await copy.load(signal);
    assert.equal(copy.identity, undefined);
  });
});

describe("joining anew", () => {
  before(() => hub.start());
  after(() => hub.stop());
  const newToken = hub.token.replace("0123456789abcdef", "fedcba9876543210");
  const first = hub.token;
  after(() => {
    hub.token = first;
  });

  it("takes a new token with new keys, and keeps what the held state needs", async () => {
    const memory = new Memory();
    await keeperOf(memory).enroll(signal);
    const old = parseIdentity(memory.texts.at(-1) ?? "").identity ?? assert.fail("not enrolled");
    // A renewal whose answer was lost: the hub may know these keys, and have revoked them.
    hub.refuse = "not-leader";
    const keeper = keeperOf(memory, { token: newToken });
    await keeper.load(signal);
    assert.equal(await code(keeper.renew(signal)), "not-leader");
    const { pending } = await memory.load();
    hub.token = newToken;
    assert.equal(await code(keeper.rejoin(signal)), "not-leader");
    hub.refuse = undefined;
    const restarted = keeperOf(memory, { token: newToken });
    await restarted.load(signal);
    assert.deepEqual(restarted.identity?.credential.keys, old.credential.keys);
    assert.equal(await restarted.rejoin(signal), true);
    const [lost, done] = hub.enrolled.slice(-2);
    assert.equal(lost?.natsPublicKey, done?.natsPublicKey);
    const { keys } = restarted.identity?.credential ?? assert.fail("not joined");
    assert.ok(![old.credential.keys.tls, pending?.tls].includes(keys.tls));
    assert.deepEqual(restarted.sealingKeys(), [keys.sealing, old.credential.keys.sealing]);
    assert.deepEqual(
      restarted.identity?.verification.map(({ id, retired }) => [id, retired]),
      [[hub.fleet.keyId, undefined]],
    );
    const heard = hub.enrolled.length;
    assert.equal(await restarted.rejoin(signal), false);
    assert.equal(hub.enrolled.length, heard);
  });

  it("stays out without a token that it has not used, and shows a refused one once", async () => {
    hub.token = first;
    const memory = new Memory();
    const keeper = keeperOf(memory);
    await keeper.enroll(signal);
    const heard = hub.enrolled.length;
    assert.equal(await keeper.rejoin(signal), false);
    assert.equal(hub.enrolled.length, heard);
    const other = keeperOf(memory, { token: newToken });
    await other.load(signal);
    assert.equal(await code(other.rejoin(signal)), "token-refused");
    assert.equal(await other.rejoin(signal), false);
    assert.equal(hub.enrolled.length, heard + 1);
    assert.deepEqual(other.identity?.credential.keys, keeper.identity?.credential.keys);
  });
});

describe("renewal", () => {
  before(() => hub.start());
  after(() => hub.stop());

  it("makes new keys, stores them first, and keeps the old sealing key", async () => {
    const memory = new Memory();
    const keeper = keeperOf(memory);
    await keeper.enroll(signal);
    const old = keeper.identity?.credential.keys;
    await keeper.renew(signal);
    const [pending, done] = memory.texts.slice(-2).map((text) => parseIdentity(text));
    assert.deepEqual(pending?.identity?.credential.keys, old);
    assert.deepEqual(done?.identity?.credential.keys, pending?.pending);
    assert.notEqual(done?.identity?.credential.keys.tls, old?.tls);
    assert.deepEqual(keeper.sealingKeys(), [pending?.pending?.sealing, old?.sealing]);
    assert.equal(hub.renewed.at(-1)?.proof, undefined);
  });

  it("proves possession of the old key once the certificate has expired", async () => {
    const clock = new FakeClock(Date.now());
    const keeper = keeperOf(new Memory(), { clock });
    await keeper.enroll(signal);
    const certificate = keeper.identity?.credential.certificate;
    clock.jump(25 * 3_600_000);
    await keeper.renew(signal);
    const { proof, csr } = hub.renewed.at(-1) ?? assert.fail("not renewed");
    assert.deepEqual(proof?.certificate, certificate);
    assert.equal(proof?.signedAt, BigInt(Math.floor(clock.now() / 1000)));
    const signed = proofBytes(proof?.signedAt ?? 0n, agentCrypto.sha256(csr));
    const key = new X509Certificate(certificate ?? new Uint8Array()).publicKey;
    assert.ok(verify("sha256", signed, key, proof?.signature ?? new Uint8Array()));
  });

  it("comes at once for a key that is not known, and not again and again for the same one", async () => {
    const clock = new FakeClock(Date.now());
    const keeper = keeperOf(new Memory(), { clock });
    await keeper.enroll(signal);
    const life = new AbortController();
    let fresh = 0;
    const running = keeper.run({ renewed: () => fresh++, trouble: () => undefined }, life.signal);
    await clock.advance(60_000);
    assert.equal(fresh, 0);
    keeper.unknownKey("0123456789abcdef");
    await clock.advance(0);
    await until(() => fresh === 1);
    for (let times = 0; times < 5; times++) {
      keeper.unknownKey("0123456789abcdef");
      await clock.advance(10_000);
    }
    assert.equal(fresh, 1);
    await clock.advance(300_000);
    keeper.unknownKey("0123456789abcdef");
    await clock.advance(0);
    await until(() => fresh === 2);
    keeper.renewWithin(60_000);
    await until(async () => {
      await clock.advance(60_000);
      return fresh === 3;
    });
    assert.deepEqual(keeper.trust().trust?.verificationKeys, [hub.fleet.keyId]);
    assert.deepEqual(keeper.trust().trust?.roots, [hub.ca.pin]);
    life.abort();
    await running;
  });

  it("comes at two thirds of life ± 10 %, and again after failures", async () => {
    const day = 86_400_000;
    for (let seed = 0; seed < 200; seed++) {
      const at = renewAt({ received: 0, notAfter: day }, seededChance(seed));
      assert.ok(at >= ((day * 2) / 3) * 0.9 && at <= ((day * 2) / 3) * 1.1);
    }
    const clock = new FakeClock(Date.now());
    const keeper = keeperOf(new Memory(), { clock });
    await keeper.enroll(signal);
    const renewed = hub.renewed.length;
    const life = new AbortController();
    const troubles: string[] = [];
    let fresh = 0;
    const running = keeper.run({ renewed: () => fresh++, trouble: (fault) => troubles.push(fault.code) }, life.signal);
    await clock.advance(day / 2);
    assert.equal(hub.renewed.length, renewed);
    hub.refuse = "revoked";
    await clock.advance(day / 4);
    await until(() => troubles.length > 0);
    hub.refuse = undefined;
    await until(async () => {
      await clock.advance(600_000);
      return fresh > 0;
    });
    assert.deepEqual(new Set(troubles), new Set(["revoked"]));
    life.abort();
    await running;
  });
});

describe("verification keys", () => {
  const make = () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const raw = new Uint8Array(Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url"));
    const id = Buffer.from(agentCrypto.sha256(raw)).toString("hex").slice(0, 16);
    const vouchFor = (other: Uint8Array) => sign(null, signedBytes(domains.verificationKey, other), privateKey);
    return { id, publicKey: raw, vouchFor };
  };
  const [a, b, c] = [make(), make(), make()];
  const offer = (key: typeof a, by?: typeof a) => ({
    $typeName: "capstan.v1.VerificationKey" as const,
    id: key.id,
    publicKey: key.publicKey,
    signature: by?.vouchFor(key.publicKey) ?? new Uint8Array(),
    signedBy: by?.id ?? "",
  });
  const held = [{ id: a.id, publicKey: a.publicKey }];

  it("are taken when a held one signed them, through a chain too, in whatever order", () => {
    const keys = nextKeys(held, [offer(c, b), offer(b, a), offer(a)], agentCrypto);
    assert.deepEqual(new Set(keys.map(({ id }) => id)), new Set([a.id, b.id, c.id]));
  });

  it("are left out when nobody that we hold vouches for them", () => {
    const keys = nextKeys(held, [offer(a), offer(b), { ...offer(c, b), signedBy: a.id }], agentCrypto);
    assert.deepEqual(
      keys.map(({ id }) => id),
      [a.id],
    );
  });

  it("are retired when they are no longer offered, and a wholly foreign offer changes nothing", () => {
    const keys = nextKeys(held, [offer(b, a)], agentCrypto);
    assert.deepEqual(
      keys.map(({ id, retired }) => [id, retired === true]),
      [
        [b.id, false],
        [a.id, true],
      ],
    );
    assert.deepEqual(nextKeys(held, [offer(c)], agentCrypto), held);
    // Joining anew trusts the hub under the token's CA, whoever vouches; what was held is still good for the held state.
    assert.deepEqual(
      keysAnew(keys, [{ id: c.id, publicKey: c.publicKey }]).map(({ id, retired }) => [id, retired === true]),
      [
        [c.id, false],
        [b.id, true],
        [a.id, true],
      ],
    );
    assert.equal(
      nextKeys(keys, [offer(c, a), offer(b)], agentCrypto).some(({ id }) => id === c.id),
      false,
    );
  });
});
