import "reflect-metadata";
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { join } from "node:path";
import { ExtendedKeyUsage } from "@peculiar/x509";
import type { IdentityTimes } from "../../identity/model.ts";
import { readFileIfThere, readOrMake, writeFileAtomic } from "../disk/files.ts";
import { crossSigned, importPair, lastOf, makeLeaf, newKeys, pinOf, privatePem, type Root } from "./certificates.ts";

const serverLife = 90 * 24 * 3600 * 1000;

/** A server's certificate, as files. */
export interface ServerCertificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}

/** The files of the hub's certificate. `roots.crt` holds the CAs that are trusted, the newest first. */
export async function serverCertificate(
  from: { readonly folder: string; readonly roots: readonly Root[]; readonly times: IdentityTimes },
  names: readonly string[],
  now: number,
): Promise<ServerCertificate> {
  const { folder, roots, times } = from;
  const [certFile, keyFile, caFile] = [
    join(folder, "server.crt"),
    join(folder, "server.key"),
    join(folder, "roots.crt"),
  ];
  const files = { certFile, keyFile, caFile };
  const trusted = [...roots]
    .reverse()
    .map(({ x509 }) => x509.toString())
    .join("");
  if (text(await readFileIfThere(caFile)) !== trusted) await writeFileAtomic(caFile, trusted);
  const found = text(await readFileIfThere(certFile));
  if (isGood(found, { roots, names, now }) && (await readFileIfThere(keyFile)) !== undefined) return files;
  // The key stays where it is: a crash between two files then cannot part the two.
  const pair = await importPair(await readOrMake(keyFile, async () => privatePem(await newKeys())));
  const leaf = await makeLeaf(lastOf(roots), {
    publicKey: pair.publicKey,
    names: generalNames(names),
    usage: ExtendedKeyUsage.serverAuth,
    notBefore: now - times.backdate,
    notAfter: Math.floor((now + serverLife) / 1000) * 1000,
  });
  const chain = [leaf.toString("pem"), ...(await chainOf(roots, now))];
  await writeFileAtomic(certFile, chain.map((pem) => `${pem.trim()}\n`).join(""));
  return files;
}

/**
 * What stands between the hub's own certificate and the oldest CA that is trusted: each newer CA, signed by the one before it
 * (of the same name, as RFC 4210, 4.4 has it, so that no path length counts), and that oldest one, whose pin join tokens
 * have. Empty for a single CA, which TLS adds by itself.
 */
async function chainOf(roots: readonly Root[], now: number): Promise<string[]> {
  const [oldest, ...newer] = roots;
  if (oldest === undefined || newer.length === 0) return [];
  const links: string[] = [];
  for (const [index, root] of newer.entries()) {
    links.unshift((await crossSigned(root, roots[index] ?? oldest, now)).toString("pem"));
  }
  return [...links, oldest.certificate.toString("pem")];
}

/** Whether the file still serves: names, issuer, life, and a chain that ends in the oldest CA that is trusted. */
function isGood(
  file: string,
  { roots, names, now }: { readonly roots: readonly Root[]; readonly names: readonly string[]; readonly now: number },
): boolean {
  const [leaf, ...chain] = (file.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (pem) => new X509Certificate(pem),
  );
  if (leaf === undefined || chain.length !== (roots.length === 1 ? 0 : roots.length)) return false;
  const end = chain.at(-1);
  if (end !== undefined && pinOf(end) !== roots[0]?.pin) return false;
  const wanted = names.map((name) => (isIP(name) === 0 ? `DNS:${name}` : `IP Address:${name}`)).sort();
  const found = (leaf.subjectAltName ?? "").split(", ").sort();
  const renewAt = Date.parse(leaf.validTo) - serverLife / 3;
  const begun = now >= Date.parse(leaf.validFrom);
  return begun && now < renewAt && wanted.join() === found.join() && leaf.verify(lastOf(roots).x509.publicKey);
}

function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes ?? new Uint8Array());
}

function generalNames(names: readonly string[]): { type: "dns" | "ip"; value: string }[] {
  return names.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value }));
}
