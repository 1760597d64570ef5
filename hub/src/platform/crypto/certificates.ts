import "reflect-metadata";
import { createHash, createPublicKey, randomBytes, webcrypto, type X509Certificate } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  type X509Certificate as Certificate,
  type ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
const signing = { name: "ECDSA", hash: "SHA-256" } as const;
const caLife = 10 * 365 * 24 * 3600 * 1000;

/** What issues: a CA certificate and its key. */
export interface Issuer {
  readonly fleet: string;
  readonly certificate: Certificate;
  readonly privateKey: webcrypto.CryptoKey;
}

/** A CA certificate with its key. */
export interface Root extends Issuer {
  readonly x509: X509Certificate;
  readonly pin: string;
}

/** What a leaf says of itself. */
export interface Leaf {
  readonly publicKey: webcrypto.CryptoKey | PublicKey;
  readonly names: readonly { readonly type: "url" | "dns" | "ip"; readonly value: string }[];
  readonly usage: ExtendedKeyUsage;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A certificate that is no CA's. Its subject is empty: only the names count. */
export async function makeLeaf(issuer: Issuer, leaf: Leaf): Promise<Certificate> {
  return X509CertificateGenerator.create({
    serialNumber: serial(),
    issuer: issuer.certificate.subject,
    notBefore: new Date(leaf.notBefore),
    notAfter: new Date(leaf.notAfter),
    signingKey: issuer.privateKey,
    publicKey: leaf.publicKey,
    signingAlgorithm: signing,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([leaf.usage]),
      // The subject is empty, so the names are critical (RFC 5280, 4.2.1.6).
      new SubjectAlternativeNameExtension([...leaf.names], true),
      await SubjectKeyIdentifierExtension.create(leaf.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey),
    ],
  });
}

/** A self-signed CA of the fleet. All of a fleet have one name. */
export async function makeCa(fleet: string, keys: webcrypto.CryptoKeyPair, now: number): Promise<Certificate> {
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

/** A new P-256 key pair. */
export function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

/** PKCS#8, PEM. */
export async function privatePem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return `${PemConverter.encode(der, "PRIVATE KEY")}\n`;
}

/** A private key (PEM) with its public half. */
export async function importPair(pem: string): Promise<webcrypto.CryptoKeyPair> {
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

/** A CA's key as another CA of the same name vouches for it. */
export async function crossSigned(root: Root, by: Root, now: number): Promise<Certificate> {
  return X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: root.certificate.subject,
    issuer: by.certificate.subject,
    notBefore: new Date(now - 3600_000),
    notAfter: by.certificate.notAfter,
    signingKey: by.privateKey,
    publicKey: root.certificate.publicKey,
    signingAlgorithm: signing,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(root.certificate.publicKey),
      await AuthorityKeyIdentifierExtension.create(by.certificate.publicKey),
    ],
  });
}

/** Lower-case hex SHA-256 over a certificate's DER. */
export function pinOf(certificate: X509Certificate): string {
  return createHash("sha256").update(certificate.raw).digest("hex");
}

/** The newest CA. */
export function lastOf(roots: readonly Root[]): Root {
  const last = roots.at(-1);
  if (last === undefined) throw new Error("unreachable: an authority has a root");
  return last;
}
