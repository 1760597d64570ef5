import "reflect-metadata";

import assert from "node:assert/strict";
import {
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  sign,
  verify,
  X509Certificate,
} from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connect, createServer, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { domains, Fault, parseClusterId, signedBytes } from "@capstan/proto";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { defaultIdentityTimes } from "../../identity/model.ts";
import { addRoot, type HubAuthority, loadAuthority } from "./authority.ts";
import { sha256Digest } from "./digests.ts";
import { loadSealing } from "./sealing.ts";
import { addSigningKey, loadSigner } from "./signing.ts";

const times = defaultIdentityTimes;
const now = Date.now();
const day = 24 * 3600 * 1000;
const cluster = parseClusterId("eu-1");
const fault = (code: string) => (thrown: unknown) => thrown instanceof Fault && thrown.code === code;

/** An agent's request, with names that it would like to have. */
async function request(curve: "P-256" | "P-384" = "P-256") {
  const algorithm = { name: "ECDSA", namedCurve: curve };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" };
  const csr = await Pkcs10CertificateRequestGenerator.create({
    name: "CN=admin,O=system:masters",
    keys,
    signingAlgorithm,
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return {
    csr: new Uint8Array(csr.rawData),
    pem: `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString("base64")}\n-----END PRIVATE KEY-----`,
  };
}

const pemOf = (der: Uint8Array) => new X509Certificate(der).toString();

describe("authority", () => {
  const folder = mkdtempSync(join(tmpdir(), "capstan-ca-"));
  let authority: HubAuthority;
  before(async () => {
    authority = await loadAuthority(folder, times, now);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("keeps its keys in files that only the owner reads, and is the same after a restart", async () => {
    for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
    const again = await loadAuthority(folder, times, now);
    assert.equal(again.pin, authority.pin);
    assert.equal(again.fleet, authority.fleet);
    const { csr } = await request();
    const issued = await authority.issue({ csr, cluster, now });
    assert.equal(again.identify(issued.certificate, now).cluster, "eu-1");
  });

  it("takes only the key from a request and writes the names itself", async () => {
    const { csr } = await request();
    const issued = await authority.issue({ csr, cluster, now });
    const leaf = new X509Certificate(issued.certificate);
    assert.equal(leaf.subjectAltName, `URI:spiffe://${authority.fleet}/cluster/eu-1`);
    assert.ok(!leaf.subject, leaf.subject);
    assert.equal(leaf.ca, false);
    assert.equal(Date.parse(leaf.validTo), issued.notAfter);
    assert.ok(Math.abs(issued.notAfter - now - day) < 1000);
    assert.ok(Math.abs(now - Date.parse(leaf.validFrom) - 5 * 60_000) <= 1000);
    const peer = authority.identify(issued.certificate, now);
    assert.deepEqual([peer.cluster, peer.tlsKey, peer.expired], ["eu-1", issued.tlsKey, false]);
    assert.equal(await authority.inspect(csr), issued.tlsKey);
  });

  it("refuses requests that are broken, of another key type, or not signed by their key", async () => {
    const { csr } = await request("P-384");
    await assert.rejects(authority.issue({ csr, cluster, now }), fault("bad-input"));
    await assert.rejects(authority.issue({ csr: new Uint8Array([1, 2, 3]), cluster, now }), fault("bad-input"));
    const forged = (await request()).csr;
    const last = forged.length - 1;
    forged[last] = (forged[last] ?? 0) ^ 1;
    await assert.rejects(authority.issue({ csr: forged, cluster, now }), fault("bad-input"));
  });

  it("refuses certificates of others, of servers, from the future, and tells expired ones", async () => {
    const { csr } = await request();
    const { certificate } = await authority.issue({ csr, cluster, now });
    const elsewhere = mkdtempSync(join(tmpdir(), "capstan-ca-"));
    const stranger = await loadAuthority(elsewhere, times, now);
    assert.throws(() => stranger.identify(certificate, now), fault("certificate-refused"));
    rmSync(elsewhere, { recursive: true });
    assert.throws(() => authority.identify(authority.cas[0] ?? new Uint8Array(), now), fault("certificate-refused"));
    assert.throws(() => authority.identify(new Uint8Array([0x30, 0]), now), fault("certificate-refused"));
    const server = await authority.server(["localhost"], now);
    const serverDer = new Uint8Array(new X509Certificate(readFileSync(server.certFile)).raw);
    assert.throws(() => authority.identify(serverDer, now), fault("certificate-refused"));
    assert.throws(() => authority.identify(certificate, now - 11 * 60_000), fault("clock-skew"));
    assert.equal(authority.identify(certificate, now - 9 * 60_000).expired, false);
    assert.equal(authority.identify(certificate, now + day + 4 * 60_000).expired, false);
    assert.equal(authority.identify(certificate, now + day + 6 * 60_000).expired, true);
  });

  it("knows a proof of possession of the certificate's key", async () => {
    const { csr, pem } = await request();
    const { certificate } = await authority.issue({ csr, cluster, now });
    const bytes = new TextEncoder().encode("renew me");
    assert.equal(authority.possesses(certificate, bytes, sign("sha256", bytes, pem)), true);
    assert.equal(authority.possesses(certificate, bytes, sign("sha256", bytes, (await request()).pem)), false);
    assert.equal(authority.possesses(certificate, bytes, new Uint8Array(8)), false);
  });

  it("serves TLS under its own names, and both sides know each other", async () => {
    const files = await authority.server(["localhost", "127.0.0.1"], now);
    const written = readFileSync(files.certFile, "utf8");
    const same = await authority.server(["127.0.0.1", "localhost"], now + 30 * day);
    assert.equal(readFileSync(same.certFile, "utf8"), written);
    await authority.server(["localhost", "127.0.0.1"], now + 61 * day);
    assert.notEqual(readFileSync(files.certFile, "utf8"), written);
    const { csr, pem } = await request();
    const issued = await authority.issue({ csr, cluster, now });
    const seen = await handshake(await authority.server(["localhost", "127.0.0.1"], now), {
      key: pem,
      cert: pemOf(issued.certificate),
      ca: pemOf(authority.cas[0] ?? new Uint8Array()),
    });
    assert.equal(authority.identify(seen, now).cluster, "eu-1");
  });
});

describe("a second CA", () => {
  const folder = mkdtempSync(join(tmpdir(), "capstan-ca2-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("issues at once, is known to whoever trusts the first alone, and outlives it", async () => {
    await assert.rejects(addRoot(folder, now), fault("bad-input"));
    const authority = await loadAuthority(folder, times, now);
    const names = ["localhost", "127.0.0.1"];
    const files = await authority.server(names, now);
    const [first = ""] = authority.roots();
    const oldCa = pemOf(authority.cas[0] ?? new Uint8Array());
    const one = await request();
    const before = await authority.issue({ csr: one.csr, cluster, now });
    const second = await addRoot(folder, now);
    await authority.reload();
    assert.deepEqual(authority.trusted(), [first, second]);
    assert.equal(authority.pin, first, "the hub's chain ends there");
    const newCa = pemOf(authority.cas[0] ?? new Uint8Array());
    await authority.server(names, now);
    const two = await request();
    const after = await authority.issue({ csr: two.csr, cluster, now });
    assert.ok(new X509Certificate(after.certificate).verify(new X509Certificate(newCa).publicKey));
    for (const ca of [oldCa, newCa, oldCa + newCa]) {
      const seen = await handshake(files, { key: two.pem, cert: pemOf(after.certificate), ca });
      assert.equal(authority.identify(seen, now).cluster, "eu-1");
    }
    assert.equal(authority.identify(before.certificate, now).cluster, "eu-1");
    const shown = await handshake(files, { key: one.pem, cert: pemOf(before.certificate), ca: oldCa }, "chain");
    assert.equal(createHash("sha256").update(shown).digest("hex"), first, "join tokens pin it");

    authority.retire([first]);
    await authority.server(names, now);
    assert.throws(() => authority.identify(before.certificate, now), fault("certificate-refused"));
    assert.equal(authority.identify(after.certificate, now).cluster, "eu-1");
    assert.deepEqual([authority.pin, authority.cas.length], [second, 1]);
    await handshake(files, { key: two.pem, cert: pemOf(after.certificate), ca: newCa });
    await assert.rejects(handshake(files, { key: two.pem, cert: pemOf(after.certificate), ca: oldCa }));
    authority.retire([first, second]);
    assert.equal(authority.identify(after.certificate, now).cluster, "eu-1", "the newest cannot be retired");
  });
});

/** One mTLS handshake; the certificate as the server got it, or the end of the chain as the client did. */
function handshake(
  files: { certFile: string; keyFile: string; caFile: string },
  client: { key: string; cert: string; ca: string },
  want: "client" | "chain" = "client",
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const options = {
      ca: readFileSync(files.caFile),
      cert: readFileSync(files.certFile),
      key: readFileSync(files.keyFile),
      requestCert: true,
      rejectUnauthorized: false,
    };
    const server = createServer(options, (socket: TLSSocket) => {
      if (want === "client") resolve(new Uint8Array(socket.getPeerCertificate(true).raw));
      socket.end();
      server.close();
    });
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const socket = connect({ ...client, port, host: "127.0.0.1" });
      socket.once("secureConnect", () => {
        let end: DetailedPeerCertificate = socket.getPeerCertificate(true);
        while (end.issuerCertificate !== undefined && end.issuerCertificate !== end) end = end.issuerCertificate;
        if (want === "chain") resolve(new Uint8Array(end.raw));
        socket.end();
      });
      socket.once("error", (error) => {
        server.close();
        reject(error);
      });
    });
  });
}

describe("signing", () => {
  it("signs with the newest key, verifies with all, and lets each key vouch for the next", async () => {
    const folder = mkdtempSync(join(tmpdir(), "capstan-sign-"));
    const first = await loadSigner(folder);
    const bytes = signedBytes(domains.desired, new TextEncoder().encode("state"));
    const old = first.sign(bytes);
    const added = await addSigningKey(folder);
    await first.reload();
    assert.deepEqual([first.keys()[0]?.keyId, first.current()], [added, old.keyId], "offered, not used");
    first.use(added);
    assert.equal(first.sign(bytes).keyId, added);
    const signer = await loadSigner(folder);
    assert.equal(signer.keys().length, 2);
    assert.equal(signer.keys()[1]?.keyId, old.keyId);
    assert.notEqual(signer.sign(bytes).keyId, old.keyId);
    assert.equal(signer.verify(bytes, old), true);
    assert.equal(signer.verify(bytes, { ...old, keyId: "0000000000000000" }), false);
    assert.equal(signer.verify(new Uint8Array([...bytes, 1]), old), false);
    const [endorsement] = signer.endorsements();
    assert.ok(endorsement);
    const x = Buffer.from(first.keys()[1]?.publicKey ?? []).toString("base64url");
    const pinned = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    const covered = signedBytes(domains.verificationKey, endorsement.key.publicKey);
    assert.equal(verify(null, covered, pinned, endorsement.by.signature), true);
    assert.match(old.keyId, /^[0-9a-f]{16}$/);
    assert.equal(sha256Digest(first.keys()[1]?.publicKey ?? new Uint8Array()).slice(7, 23), old.keyId);
    rmSync(folder, { recursive: true });
  });
});

describe("sealing", () => {
  it("encrypts a bundle once and the same, and opens it only whole and under its own digest", async () => {
    const folder = mkdtempSync(join(tmpdir(), "capstan-seal-"));
    const sealing = await loadSealing(folder);
    const plain = new TextEncoder().encode("kind: Secret");
    const digest = sha256Digest(plain);
    const sealed = sealing.encrypt(digest, plain);
    assert.deepEqual(sealing.encrypt(digest, plain), sealed);
    assert.deepEqual((await loadSealing(folder)).decrypt(digest, sealed), plain);
    assert.throws(() => sealing.decrypt(sha256Digest(new Uint8Array()), sealed), fault("digest-mismatch"));
    assert.throws(() => sealing.decrypt(digest, { ...sealed, keyId: "feed" }), fault("digest-mismatch"));
    assert.throws(
      () => sealing.decrypt(digest, { ...sealed, ciphertext: sealed.ciphertext.subarray(1) }),
      fault("digest-mismatch"),
    );
    assert.throws(
      () => sealing.decrypt(digest, { ...sealed, ciphertext: new Uint8Array(3) }),
      fault("digest-mismatch"),
    );

    // The agent's side, by the words of the schema.
    const agent = generateKeyPairSync("x25519");
    const raw = Buffer.from(agent.publicKey.export({ format: "jwk" }).x ?? "", "base64url");
    const key = sealing.sealKey({ digest, keyId: sealed.keyId }, raw.toString("hex"));
    const x = Buffer.from(key.ephemeralPublic).toString("base64url");
    const ephemeral = createPublicKey({ key: { kty: "OKP", crv: "X25519", x }, format: "jwk" });
    const shared = diffieHellman({ privateKey: agent.privateKey, publicKey: ephemeral });
    const salt = Buffer.concat([key.ephemeralPublic, raw]);
    const wrap = Buffer.from(hkdfSync("sha256", shared, salt, "capstan.v1.seal", 32));
    const content = open(wrap, digest, { nonce: key.nonce, ciphertext: key.sealed });
    assert.deepEqual(new Uint8Array(open(content, digest, sealed)), plain);
    assert.throws(() => sealing.sealKey({ digest, keyId: sealed.keyId }, "00".repeat(32)), fault("bad-input"));
    rmSync(folder, { recursive: true });
  });
});

function open(key: Uint8Array, aad: string, box: { nonce: Uint8Array; ciphertext: Uint8Array }): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, box.nonce).setAAD(Buffer.from(aad));
  decipher.setAuthTag(box.ciphertext.subarray(-16));
  return Buffer.concat([decipher.update(box.ciphertext.subarray(0, -16)), decipher.final()]);
}
