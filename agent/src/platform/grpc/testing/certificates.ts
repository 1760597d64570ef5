import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { bitString, context, element, objectIdentifier, sequence } from "../../crypto/der.ts";
import { pem } from "../channel.ts";

/** A certificate and its key, for tests. */
export interface TestPair {
  readonly der: Uint8Array;
  readonly key: KeyObject;
}

const ecdsaWithSha256 = sequence(objectIdentifier(1, 2, 840, 10045, 4, 3, 2));
const minute = 60_000;

/** A certificate authority for tests: P-256, good for a day. */
export class TestCa {
  readonly #key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  readonly der: Uint8Array;

  constructor() {
    const spki = createPublicKey(this.#key).export({ type: "spki", format: "der" });
    const extensions = [extension([2, 5, 29, 19], sequence(element(0x01, Uint8Array.of(0xff))), true)];
    this.der = this.#issue(spki, caName, { extensions, from: Date.now() - minute, to: Date.now() + 1440 * minute });
  }

  /** Hex SHA-256 over the certificate. */
  get pin(): string {
    return createHash("sha256").update(this.der).digest("hex");
  }

  get pem(): string {
    return pem("CERTIFICATE", this.der);
  }

  /** A certificate of a hub at 127.0.0.1 and localhost. */
  server(): TestPair {
    const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    const names = sequence(element(0x82, text("localhost")), element(0x87, Uint8Array.of(127, 0, 0, 1)));
    const spki = createPublicKey(key).export({ type: "spki", format: "der" });
    return { der: this.#leaf(spki, names, { usage: 1, seconds: 86_400 }), key };
  }

  /** A client's certificate for the key of a PKCS#10 request. */
  client(csr: Uint8Array, uri: string, seconds: number): Uint8Array {
    return this.#leaf(keyOfRequest(csr), sequence(element(0x86, text(uri))), { usage: 2, seconds });
  }

  #leaf(spki: Uint8Array, names: Uint8Array, { usage, seconds }: { readonly usage: 1 | 2; readonly seconds: number }) {
    const purpose = sequence(objectIdentifier(1, 3, 6, 1, 5, 5, 7, 3, usage));
    const extensions = [extension([2, 5, 29, 37], purpose), extension([2, 5, 29, 17], names, true)];
    return this.#issue(spki, sequence(), {
      extensions,
      from: Date.now() - 5 * minute,
      to: Date.now() + seconds * 1000,
    });
  }

  #issue(
    spki: Uint8Array,
    subject: Uint8Array,
    leaf: { readonly extensions: readonly Uint8Array[]; readonly from: number; readonly to: number },
  ): Uint8Array {
    const serial = element(0x02, Uint8Array.of(0x01, ...randomBytes(8)));
    const validity = sequence(time(leaf.from), time(leaf.to));
    const version = context(0, element(0x02, Uint8Array.of(2)));
    const extensions = context(3, sequence(...leaf.extensions));
    const tbs = sequence(version, serial, ecdsaWithSha256, caName, validity, subject, spki, extensions);
    return sequence(tbs, ecdsaWithSha256, bitString(sign("sha256", tbs, this.#key)));
  }
}

const caName = sequence(element(0x31, sequence(objectIdentifier(2, 5, 4, 3), element(0x0c, text("test fleet")))));

function extension(
  [first, second, ...arcs]: readonly [number, number, ...number[]],
  value: Uint8Array,
  critical = false,
) {
  const flag = critical ? [element(0x01, Uint8Array.of(0xff))] : [];
  return sequence(objectIdentifier(first, second, ...arcs), ...flag, element(0x04, value));
}

function time(at: number): Uint8Array {
  return element(0x18, text(`${new Date(at).toISOString().replace(/[-:T]|\.[0-9]+/g, "")}`));
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** The SubjectPublicKeyInfo (P-256: 91 bytes) that stands in a request. */
function keyOfRequest(csr: Uint8Array): Uint8Array {
  const head = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d030107034200", "hex");
  const at = Buffer.from(csr).indexOf(head);
  if (at < 0) throw new Error("no P-256 key in the request");
  return csr.subarray(at, at + 91);
}
