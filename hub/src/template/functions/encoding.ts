import { sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { decodeBase32, encodeBase32 } from "../base32.ts";
import { decodeBase64, encodeBase64 } from "../base64.ts";
import { toBytes } from "../bytes.ts";
import { adler32, hexOf } from "../hashes.ts";
import { basePath, cleanPath, dirPath, extPath } from "../paths.ts";
import { define, type FunctionTable, fail, text } from "./define.ts";

const base = define("string", ([path]) => basePath(text(path)));
const dir = define("string", ([path]) => dirPath(text(path)));
const clean = define("string", ([path]) => cleanPath(text(path)));
const ext = define("string", ([path]) => extPath(text(path)));
const isAbs = define("string", ([path]) => text(path).startsWith("/"));

/** Sprig's encodings, checksums and paths. */
export const encodingFunctions: FunctionTable = {
  b64enc: define("string", ([value]) => encodeBase64(toBytes(text(value)))),
  b64dec: define("string", ([value]) => orTrouble(decodeBase64(text(value)), "base64")),
  b32enc: define("string", ([value]) => encodeBase32(toBytes(text(value)))),
  b32dec: define("string", ([value]) => orTrouble(decodeBase32(text(value)), "base32")),
  sha1sum: define("string", ([value]) => hexOf(sha1(toBytes(text(value))))),
  sha256sum: define("string", ([value]) => hexOf(sha256(toBytes(text(value))))),
  sha512sum: define("string", ([value]) => hexOf(sha512(toBytes(text(value))))),
  adler32sum: define("string", ([value]) => String(adler32(toBytes(text(value))))),
  base,
  osBase: base,
  dir,
  osDir: dir,
  clean,
  osClean: clean,
  ext,
  osExt: ext,
  isAbs,
  osIsAbs: isAbs,
};

/** Sprig gives the error's text where the input is none. */
function orTrouble(decoded: string | number, name: string): string {
  return typeof decoded === "string" ? decoded : `illegal ${name} data at input byte ${decoded}`;
}

/** Functions that make keys, salts or random text: their results would differ from render to render. */
export const refusedFunctions: FunctionTable = Object.fromEntries(
  [
    "randAlphaNum",
    "randAlpha",
    "randAscii",
    "randNumeric",
    "randInt",
    "randBytes",
    "shuffle",
    "uuidv4",
    "bcrypt",
    "htpasswd",
    "genPrivateKey",
    "genCA",
    "genCAWithKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "encryptAES",
  ].map((name) => [
    name,
    define("...any", () => fail(`${name} gives another result each time, so that nothing would ever be in sync`)),
  ]),
);
