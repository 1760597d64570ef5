import "reflect-metadata";
import { createHash, createPublicKey, randomBytes, randomUUID, verify, webcrypto, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { join } from "node:path";
import { type ClusterId, Fault, parseClusterId } from "@capstan/proto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  X509Certificate as Certificate,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  Pkcs10CertificateRequest,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { IdentityTimes } from "../../identity/model.ts";
import type { Authority, IssuedCertificate, PeerIdentity } from "../../identity/port.ts";
import { readFileIfThere, readOrMake, writeFileAtomic } from "../disk/files.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
const signing = { name: "ECDSA", hash: "SHA-256" } as const;
const caLife = 10 * 365 * 24 * 3600 * 1000;
const serverLife = 90 * 24 * 3600 * 1000;
const clientAuth = "1.3.6.1.5.5.7.3.2";

interface Keys {
  readonly fleet: string;
  readonly certificate: Certificate;
  readonly privateKey: webcrypto.CryptoKey;
}

/** What a leaf says of itself. */
interface Leaf {
  readonly publicKey: webcrypto.CryptoKey | PublicKey;
  readonly names: readonly { readonly type: "url" | "dns" | "ip"; readonly value: string }[];
  readonly usage: ExtendedKeyUsage;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A server's certificate, as files. */
export interface ServerCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly notAfter: number;
}

/** The hub's certificate authority and its own certificate. */
export interface HubAuthority extends Authority {
  /** Files of the hub's server certificate for these names; made anew when names differ or two thirds of its life are over. */
  server(names: readonly string[], now: number): Promise<ServerCertificate>;
}

/** The CA in `folder` (`ca.key`, `ca.crt`, `fleet`; 0600), made at the first start together with the fleet's UUID. */
export async function loadAuthority(folder: string, times: IdentityTimes, now: number): Promise<HubAuthority> {
  const fleet = (await readOrMake(join(folder, "fleet"), () => `${randomUUID()}\n`)).trim();
  const keyPem = await readOrMake(join(folder, "ca.key"), async () => privatePem(await newKeys()));
  const pair = await importPair(keyPem);
  const caPem = await readOrMake(join(folder, "ca.crt"), async () => (await makeCa(fleet, pair, now)).toString("pem"));
  const keys = { fleet, certificate: new Certificate(caPem), privateKey: pair.privateKey };
  const root = new X509Certificate(caPem);
  const ca = new Uint8Array(root.raw);
  return {
    fleet,
    pin: createHash("sha256").update(ca).digest("hex"),
    ca,
    issue: ({ csr, cluster, now: at }) => issue(keys, times, { csr, cluster, at }),
    inspect: async (csr) => tlsKeyOf((await readRequest(csr)).publicKey.rawData),
    identify: (der, at) => identify({ fleet, root, skew: times.skew }, der, at),
    possesses: (der, bytes, signature) => possesses(der, bytes, signature),
    server: (names, at) => serverCertificate({ folder, keys, times }, names, at),
  };
}

async function issue(
  keys: Keys,
  times: IdentityTimes,
  request: { readonly csr: Uint8Array; readonly cluster: ClusterId; readonly at: number },
): Promise<IssuedCertificate> {
  const { publicKey } = await readRequest(request.csr);
  // Certificates count in seconds: what is returned must be what stands in it.
  const notAfter = Math.floor((request.at + times.certificate) / 1000) * 1000;
  const leaf = await makeLeaf(keys, {
    publicKey,
    names: [{ type: "url", value: `spiffe://${keys.fleet}/cluster/${request.cluster}` }],
    usage: ExtendedKeyUsage.clientAuth,
    notBefore: request.at - times.backdate,
    notAfter,
  });
  return { certificate: new Uint8Array(leaf.rawData), notAfter, tlsKey: tlsKeyOf(publicKey.rawData) };
}

/** Checks form, key type and proof of possession; every name and extension in it is passed over. */
async function readRequest(der: Uint8Array): Promise<Pkcs10CertificateRequest> {
  const bad = (found: string, cause?: unknown) =>
    new Fault("bad-input", { message: `expected a PKCS#10 request for a P-256 key, found ${found}.`, cause });
  if (der.length > 16_384) throw bad(`${der.length} bytes`);
  try {
    const request = new Pkcs10CertificateRequest(new Uint8Array(der));
    const key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: "der", type: "spki" });
    if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw bad("another kind of key");
    if (!(await request.verify())) throw bad("a signature that is not of this key");
    return request;
  } catch (thrown) {
    throw thrown instanceof Fault ? thrown : bad("bytes of another form", thrown);
  }
}

function identify(
  trust: { readonly fleet: string; readonly root: X509Certificate; readonly skew: number },
  der: Uint8Array,
  now: number,
): PeerIdentity {
  const leaf = parseLeaf(der);
  const { root, skew } = trust;
  if (leaf.ca || !leaf.checkIssued(root) || !leaf.verify(root.publicKey)) throw refused("one of another authority");
  if (!leaf.keyUsage?.includes(clientAuth)) throw refused("one that is not for clients");
  const cluster = clusterOf(leaf.subjectAltName, trust.fleet);
  const notBefore = Date.parse(leaf.validFrom);
  const notAfter = Date.parse(leaf.validTo);
  if (now < notBefore - skew) {
    throw new Fault("clock-skew", {
      message: `expected a certificate that is valid already, found one valid from ${new Date(notBefore).toISOString()}.`,
      where: { cluster },
      next: "Set the clocks of hub and cluster.",
    });
  }
  const spki = leaf.publicKey.export({ type: "spki", format: "der" });
  return { cluster, tlsKey: tlsKeyOf(spki), notBefore, notAfter, expired: now > notAfter + skew };
}

/** The one URI name, and nothing beside it. */
function clusterOf(names: string | undefined, fleet: string): ClusterId {
  const head = "URI:spiffe://";
  const [found, kind, id, ...rest] = names?.startsWith(head) === true ? names.slice(head.length).split("/") : [];
  if (found !== fleet) throw refused("one without a name of this fleet");
  if (kind !== "cluster" || id === undefined || rest.length > 0)
    throw refused("one whose name is not a single cluster");
  try {
    return parseClusterId(id);
  } catch (cause) {
    throw refused("one whose name is not a single cluster", cause);
  }
}

function possesses(der: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  return verify("sha256", bytes, { key: parseLeaf(der).publicKey, dsaEncoding: "der" }, signature);
}

function parseLeaf(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw refused("bytes of another form", cause);
  }
}

function refused(found: string, cause?: unknown): Fault {
  return new Fault("certificate-refused", {
    message: `expected a certificate that this hub has issued to a cluster, found ${found}.`,
    next: "Let the cluster join anew.",
    cause,
  });
}

async function serverCertificate(
  from: { readonly folder: string; readonly keys: Keys; readonly times: IdentityTimes },
  names: readonly string[],
  now: number,
): Promise<ServerCertificate> {
  const { folder, keys, times } = from;
  const [certFile, keyFile, caFile] = [join(folder, "server.crt"), join(folder, "server.key"), join(folder, "ca.crt")];
  const found = await readFileIfThere(certFile);
  const old = found === undefined ? undefined : new X509Certificate(found);
  if (old !== undefined && stillGood(old, keys, names, now) && (await readFileIfThere(keyFile)) !== undefined) {
    return { certFile, keyFile, caFile, notAfter: Date.parse(old.validTo) };
  }
  // The key stays where it is: a crash between two files then cannot part the two.
  const pair = await importPair(await readOrMake(keyFile, async () => privatePem(await newKeys())));
  const notAfter = Math.floor((now + serverLife) / 1000) * 1000;
  const leaf = await makeLeaf(keys, {
    publicKey: pair.publicKey,
    names: generalNames(names),
    usage: ExtendedKeyUsage.serverAuth,
    notBefore: now - times.backdate,
    notAfter,
  });
  await writeFileAtomic(certFile, `${leaf.toString("pem")}\n`);
  return { certFile, keyFile, caFile, notAfter };
}

function stillGood(old: X509Certificate, keys: Keys, names: readonly string[], now: number): boolean {
  const wanted = names.map((name) => (isIP(name) === 0 ? `DNS:${name}` : `IP Address:${name}`)).sort();
  const found = (old.subjectAltName ?? "").split(", ").sort();
  const root = new X509Certificate(Buffer.from(keys.certificate.rawData));
  const renewAt = Date.parse(old.validTo) - serverLife / 3;
  const begun = now >= Date.parse(old.validFrom);
  return begun && now < renewAt && wanted.join() === found.join() && old.verify(root.publicKey);
}

function generalNames(names: readonly string[]): { type: "dns" | "ip"; value: string }[] {
  return names.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value }));
}

async function makeLeaf(keys: Keys, leaf: Leaf): Promise<Certificate> {
  return X509CertificateGenerator.create({
    serialNumber: serial(),
    issuer: keys.certificate.subject,
    notBefore: new Date(leaf.notBefore),
    notAfter: new Date(leaf.notAfter),
    signingKey: keys.privateKey,
    publicKey: leaf.publicKey,
    signingAlgorithm: signing,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([leaf.usage]),
      // The subject is empty, so the names are critical (RFC 5280, 4.2.1.6).
      new SubjectAlternativeNameExtension([...leaf.names], true),
      await SubjectKeyIdentifierExtension.create(leaf.publicKey),
      await AuthorityKeyIdentifierExtension.create(keys.certificate.publicKey),
    ],
  });
}

async function makeCa(fleet: string, keys: webcrypto.CryptoKeyPair, now: number): Promise<Certificate> {
  return X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=Capstan fleet ${fleet}`,
    notBefore: new Date(now - 3600_000),
    notAfter: new Date(now + caLife),
    keys,
    signingAlgorithm: signing,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function privatePem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return `${PemConverter.encode(der, "PRIVATE KEY")}\n`;
}

async function importPair(pem: string): Promise<webcrypto.CryptoKeyPair> {
  const [der] = PemConverter.decode(pem);
  const spki = createPublicKey(pem).export({ type: "spki", format: "der" });
  const privateKey = await webcrypto.subtle.importKey("pkcs8", der ?? new ArrayBuffer(0), algorithm, true, ["sign"]);
  const publicKey = await webcrypto.subtle.importKey("spki", new Uint8Array(spki), algorithm, true, ["verify"]);
  return { privateKey, publicKey };
}

/** 16 random bytes, positive. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString("hex");
}

function tlsKeyOf(spki: ArrayBuffer | Uint8Array): string {
  return createHash("sha256").update(new Uint8Array(spki)).digest("hex");
}
