import { fromBytes, toBytes } from "../bytes.ts";
import { adler32, hexOf, sha1, sha256, sha512 } from "../hashes.ts";
import { basePath, cleanPath, dirPath, extPath } from "../paths.ts";
import { define, type FunctionTable, fail, text } from "./define.ts";

const base32Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const base = define("string", ([path]) => basePath(text(path)));
const dir = define("string", ([path]) => dirPath(text(path)));
const clean = define("string", ([path]) => cleanPath(text(path)));
const ext = define("string", ([path]) => extPath(text(path)));
const isAbs = define("string", ([path]) => text(path).startsWith("/"));

/** Sprig's encodings, checksums and paths. */
export const encodingFunctions: FunctionTable = {
  b64enc: define("string", ([value]) => btoa(binaryText(toBytes(text(value))))),
  b64dec: define("string", ([value]) => decodeBase64(text(value))),
  b32enc: define("string", ([value]) => encodeBase32(toBytes(text(value)))),
  b32dec: define("string", ([value]) => decodeBase32(text(value))),
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

function binaryText(bytes: Uint8Array): string {
  let result = "";
  for (const byte of bytes) result += String.fromCharCode(byte);
  return result;
}

/** Sprig gives the error's text where the input is no base64. */
function decodeBase64(value: string): string {
  const plain = value.replace(/[\r\n]/g, "");
  const places = [...value].flatMap((character, index) => (character === "\r" || character === "\n" ? [] : [index]));
  const bad = /[^A-Za-z0-9+/]/.exec(plain.replace(/={0,2}$/, ""));
  const end = plain.replace(/={0,2}$/, "");
  if (bad !== null || plain.length % 4 !== 0) {
    const offset = bad?.index ?? (plain.includes("=") ? plain.indexOf("=") : plain.length - (plain.length % 4));
    return `illegal base64 data at input byte ${places[offset] ?? value.length}`;
  }
  if (end.length % 4 === 1) return `illegal base64 data at input byte ${end.length - 1}`;
  return fromBytes(Uint8Array.from(atob(plain), (character) => character.charCodeAt(0)));
}

function encodeBase32(bytes: Uint8Array): string {
  let bits = 0;
  let value = 0;
  let result = "";
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) result += base32Alphabet[(value >> (bits - 5)) & 31];
    value &= (1 << bits) - 1;
  }
  if (bits > 0) result += base32Alphabet[(value << (5 - bits)) & 31];
  return result.padEnd(Math.ceil(result.length / 8) * 8, "=");
}

function decodeBase32(value: string): string {
  const plain = value.replace(/[\r\n]/g, "");
  const body = plain.replace(/=+$/, "");
  const padding = plain.length - body.length;
  const bad = [...body].findIndex((character) => !base32Alphabet.includes(character));
  const expected = [0, -1, 6, -1, 4, 3, -1, 1][body.length % 8] ?? -1;
  if (bad < 0 && padding === 0 && body.length % 8 !== 0)
    return `illegal base32 data at input byte ${body.length - (body.length % 8)}`;
  if (bad >= 0) return `illegal base32 data at input byte ${bad}`;
  if (padding !== expected)
    return `illegal base32 data at input byte ${expected < 0 ? body.length : plain.length - (plain.length % 8)}`;
  let bits = 0;
  let held = 0;
  const bytes: number[] = [];
  for (const character of body) {
    held = ((held << 5) | base32Alphabet.indexOf(character)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 0xff);
    }
  }
  return fromBytes(Uint8Array.from(bytes));
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
