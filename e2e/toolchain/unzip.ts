import { inflateRawSync } from "node:zlib";

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
const stored = 0;
const deflated = 8;

/**
 * Reads the named files out of a zip archive (PKWARE APPNOTE 6.3: end record, central directory, local headers). No
 * zip64, no encryption: our archives are wheels and layers below 2 GiB. Throws when a name is absent.
 */
export function unzip(archive: Buffer, names: readonly string[]): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const entry of entries(archive)) {
    if (names.includes(entry.name)) found.set(entry.name, content(archive, entry));
  }
  for (const name of names) if (!found.has(name)) throw new Error(`the archive has no file ${name}`);
  return found;
}

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly packed: number;
  readonly size: number;
  readonly header: number;
}

function* entries(archive: Buffer): Generator<Entry> {
  const end = archive.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  if (end < 0 || archive.readUInt32LE(end) !== endSignature) throw new Error("this is no zip archive");
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left -= 1) {
    if (archive.readUInt32LE(at) !== entrySignature) throw new Error("the zip archive's directory is damaged");
    const nameLength = archive.readUInt16LE(at + 28);
    yield {
      name: archive.toString("utf8", at + 46, at + 46 + nameLength),
      method: archive.readUInt16LE(at + 10),
      packed: archive.readUInt32LE(at + 20),
      size: archive.readUInt32LE(at + 24),
      header: archive.readUInt32LE(at + 42),
    };
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
}

function content(archive: Buffer, entry: Entry): Buffer {
  const start = entry.header + 30 + archive.readUInt16LE(entry.header + 26) + archive.readUInt16LE(entry.header + 28);
  const bytes = archive.subarray(start, start + entry.packed);
  if (entry.method === stored) return bytes;
  if (entry.method !== deflated) throw new Error(`${entry.name} is packed by method ${entry.method}, not by deflate`);
  const plain = inflateRawSync(bytes, { maxOutputLength: entry.size });
  if (plain.length !== entry.size) throw new Error(`${entry.name} has ${plain.length} bytes, not ${entry.size}`);
  return plain;
}
