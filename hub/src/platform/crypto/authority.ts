import "reflect-metadata";
import { createHash, createPublicKey, randomUUID, verify, X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ClusterId, Fault, parseClusterId } from "@capstan/proto";
import { X509Certificate as Certificate, ExtendedKeyUsage, Pkcs10CertificateRequest } from "@peculiar/x509";
import type { IdentityTimes } from "../../identity/model.ts";
import type { Authority, IssuedCertificate, PeerIdentity } from "../../identity/port.ts";
import { diskFault, readFileIfThere, readOrMake } from "../disk/files.ts";
import {
  type Issuer,
  importPair,
  lastOf,
  makeCa,
  makeLeaf,
  newKeys,
  pinOf,
  privatePem,
  type Root,
} from "./certificates.ts";
import { type ServerCertificate, serverCertificate } from "./server-certificate.ts";

const clientAuth = "1.3.6.1.5.5.7.3.2";

/** The hub's certificate authority and its own certificate. */
export interface HubAuthority extends Authority {
  /** Files of the hub's server certificate for these names; made anew when names differ or two thirds of its life are over. */
  server(names: readonly string[], now: number): Promise<ServerCertificate>;
}

/**
 * The CAs in `folder`: `ca.key` and `ca.crt`, made at the first start together with the fleet's UUID (`fleet`), and those
 * that took their place since (`ca-0002.key`, `ca-0002.crt`, …); all 0600. The newest issues.
 */
export async function loadAuthority(folder: string, times: IdentityTimes, now: number): Promise<HubAuthority> {
  const fleet = (await readOrMake(join(folder, "fleet"), () => `${randomUUID()}\n`)).trim();
  const keyPem = await readOrMake(join(folder, "ca.key"), async () => privatePem(await newKeys()));
  const pair = await importPair(keyPem);
  await readOrMake(join(folder, "ca.crt"), async () => (await makeCa(fleet, pair, now)).toString("pem"));
  let files = await rootFiles(folder);
  let roots = await readRoots(folder, { fleet, files });
  let retired: ReadonlySet<string> = new Set();
  const newest = () => lastOf(roots);
  const good = () => roots.filter((root) => root === newest() || !retired.has(root.pin));
  return {
    fleet,
    get pin() {
      return good()[0]?.pin ?? newest().pin;
    },
    get cas() {
      return good()
        .map(({ x509 }) => new Uint8Array(x509.raw))
        .reverse();
    },
    roots: () => roots.map(({ pin }) => pin),
    trusted: () => good().map(({ pin }) => pin),
    retire: (pins) => {
      retired = new Set(pins);
    },
    reload: async () => {
      const found = await rootFiles(folder);
      if (found.length === 0 || found.join() === files.join()) return;
      roots = await readRoots(folder, { fleet, files: found });
      files = found;
    },
    issue: ({ csr, cluster, now: at }) => issue(newest(), times, { csr, cluster, at }),
    inspect: async (csr) => tlsKeyOf((await readRequest(csr)).publicKey.rawData),
    identify: (der, at) => identify({ fleet, roots: good(), skew: times.skew }, der, at),
    possesses: (der, bytes, signature) => possesses(der, bytes, signature),
    server: (names, at) => serverCertificate({ folder, roots: good(), times }, names, at),
  };
}

/**
 * Makes the next CA. It has the name of the ones before and is signed by the last of them too, so that whoever trusts that
 * one alone still knows the hub. Returns its pin.
 */
export async function addRoot(folder: string, now: number): Promise<string> {
  const fleet = new TextDecoder().decode((await readFileIfThere(join(folder, "fleet"))) ?? new Uint8Array()).trim();
  const files = fleet === "" ? [] : await rootFiles(folder);
  if (files.length === 0) {
    throw new Fault("bad-input", {
      message: "expected the keys of a hub, found none.",
      where: { file: folder },
      next: "Name the folder that `data` in the hub's config says; the first start of a hub makes the first CA.",
    });
  }
  const last = Number(/-(\d{4})\.crt$/.exec(files.at(-1) ?? "")?.[1] ?? 1);
  const name = `ca-${String(last + 1).padStart(4, "0")}`;
  // The certificate last: a CA without one is not there yet.
  const pair = await importPair(await readOrMake(join(folder, `${name}.key`), async () => privatePem(await newKeys())));
  const pem = await readOrMake(join(folder, `${name}.crt`), async () =>
    (await makeCa(fleet, pair, now)).toString("pem"),
  );
  return pinOf(new X509Certificate(pem));
}

/** Certificates of all CAs, oldest first. */
async function rootFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((thrown: unknown) => {
    throw diskFault(thrown, folder);
  });
  const later = names.filter((name) => /^ca-\d{4}\.crt$/.test(name)).sort();
  return names.includes("ca.crt") ? ["ca.crt", ...later] : later;
}

async function readRoots(
  folder: string,
  { fleet, files }: { readonly fleet: string; readonly files: readonly string[] },
): Promise<readonly Root[]> {
  const roots: Root[] = [];
  for (const file of files) {
    const pem = await readFile(join(folder, file), "utf8");
    const pair = await importPair(await readFile(join(folder, file.replace(/crt$/, "key")), "utf8"));
    const x509 = new X509Certificate(pem);
    roots.push({ fleet, certificate: new Certificate(pem), privateKey: pair.privateKey, x509, pin: pinOf(x509) });
  }
  return roots;
}

async function issue(
  keys: Issuer,
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
  trust: { readonly fleet: string; readonly roots: readonly Root[]; readonly skew: number },
  der: Uint8Array,
  now: number,
): PeerIdentity {
  const leaf = parseLeaf(der);
  const { roots, skew } = trust;
  const issued = roots.some(({ x509 }) => leaf.checkIssued(x509) && leaf.verify(x509.publicKey));
  if (leaf.ca || !issued) throw refused("one of another authority, or of one that is trusted no longer");
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

function tlsKeyOf(spki: ArrayBuffer | Uint8Array): string {
  return createHash("sha256").update(new Uint8Array(spki)).digest("hex");
}
