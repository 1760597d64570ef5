import { hmac } from "@noble/hashes/hmac.js";
import { scrypt } from "@noble/hashes/scrypt.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { fromBytes, toBytes } from "../bytes.ts";
import type { GoObject } from "../value.ts";
import { define, type FunctionTable, fail, text, whole } from "./define.ts";

const seedText = "com.lyndir.masterpassword";
/** The Master Password algorithm's shapes of passwords, and the letters of each sign. */
const shapes: Readonly<Record<string, readonly string[]>> = {
  maximum: ["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
  long: (
    "CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno CvcvnoCvccCvcv " +
    "CvcvCvccnoCvcv CvcvCvccCvcvno CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno CvccnoCvccCvcv CvccCvccnoCvcv " +
    "CvccCvccCvcvno CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno"
  ).split(" "),
  medium: ["CvcnoCvc", "CvcCvcno"],
  short: ["Cvcn"],
  basic: ["aaanaaan", "aannaaan", "aaannaaa"],
  pin: ["nnnn"],
};
const letters: Readonly<Record<string, string>> = {
  V: "AEIOU",
  C: "BCDFGHJKLMNPQRSTVWXYZ",
  v: "aeiou",
  c: "bcdfghjklmnpqrstvwxyz",
  A: "AEIOUBCDFGHJKLMNPQRSTVWXYZ",
  a: "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
  n: "0123456789",
  o: "@&%?,=[]_:-+*$#!'^~;()/.",
  x: "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
};

/** Sprig's secrets whose result depends on nothing but their arguments. */
export const secretFunctions: FunctionTable = {
  derivePassword: define("uint32 string string string string", ([counter, kind, password, user, site], context) => {
    const known = shapes[text(kind)];
    if (known === undefined) return `cannot find password template ${text(kind)}`;
    // 32 MiB of mixing: a template may do it a few times, not in a long loop.
    context.charge(50_000);
    const salt = concat(seedText, number32(toBytes(text(user)).length), text(user));
    const key = scrypt(toBytes(text(password)), salt, { N: 32768, r: 8, p: 2, dkLen: 64 });
    const message = concat(seedText, number32(toBytes(text(site)).length), text(site), number32(whole(counter)));
    return spell(known, hmac(sha256, key, message));
  }),
  buildCustomCert: define("string string", ([certificate, key]) => {
    const [cert, private_] = [decodePem(text(certificate), "certificate"), decodePem(text(key), "private key")];
    return new Certificate(cert, private_);
  }),
  decryptAES: define("string string", ([, encrypted]) =>
    text(encrypted) === ""
      ? ""
      : fail("decryptAES is not supported: a secret in a template's text is readable by all who see the set"),
  ),
};

function number32(value: number): Uint8Array {
  return new Uint8Array([value >>> 24, value >>> 16, value >>> 8, value]);
}

function concat(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...(typeof part === "string" ? toBytes(part) : part)]));
}

function spell(known: readonly string[], seed: Uint8Array): string {
  const shape = known[(seed[0] ?? 0) % known.length] ?? "";
  return [...shape]
    .map((sign, index) => {
      const set = letters[sign] ?? "";
      return set[(seed[index + 1] ?? 0) % set.length] ?? "";
    })
    .join("");
}

function decodePem(encoded: string, what: string): string {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  } catch {
    return fail(`unable to decode base64 ${what}`);
  }
  const pem = fromBytes(bytes);
  const body = /-----BEGIN [A-Z0-9 ]+-----\n([A-Za-z0-9+/=\n\r]+)-----END [A-Z0-9 ]+-----/.exec(pem)?.[1];
  if (body === undefined) return fail(`unable to decode ${what}`);
  // Every certificate and key is a DER sequence.
  if (!atob(body.replace(/\s/g, "")).startsWith("\x30")) return fail(`error parsing ${what}`);
  return pem;
}

/** What `buildCustomCert` gives. */
class Certificate implements GoObject {
  readonly goType = "sprig.certificate";
  readonly goKind = "struct";
  readonly methods = {};
  readonly fields: { readonly Cert: string; readonly Key: string };
  constructor(certificate: string, key: string) {
    this.fields = { Cert: certificate, Key: key };
  }
  toText(): string {
    return `{${this.fields.Cert} ${this.fields.Key}}`;
  }

  copied(): GoObject {
    return this;
  }

  get parts(): readonly (readonly [string, string])[] {
    return Object.entries(this.fields);
  }
}
