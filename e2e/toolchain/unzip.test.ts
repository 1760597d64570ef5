import assert from "node:assert/strict";
import test from "node:test";
import { deflateRawSync } from "node:zlib";
import { unzip } from "./unzip.ts";

/** A zip archive with the given files, packed by method 8 or, for the names in `plain`, stored. */
function zip(files: Readonly<Record<string, string>>, plain: readonly string[] = []): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, text] of Object.entries(files)) {
    const stored = plain.includes(name);
    const packed = stored ? Buffer.from(text) : deflateRawSync(text);
    const local = Buffer.alloc(30 + name.length);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    local.write(name, 30);
    const entry = Buffer.alloc(46 + name.length);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(stored ? 0 : 8, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(Buffer.byteLength(text), 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    entry.write(name, 46);
    bodies.push(local, packed);
    directory.push(entry);
    at += local.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...bodies, ...directory, end]);
}

test("named files come out of an archive, deflated or stored", () => {
  const archive = zip({ "helm/helm": "x".repeat(10_000), other: "no", kubectl: "plain" }, ["kubectl"]);
  const files = unzip(archive, ["helm/helm", "kubectl"]);
  assert.equal(files.get("helm/helm")?.toString(), "x".repeat(10_000));
  assert.equal(files.get("kubectl")?.toString(), "plain");
  assert.equal(files.has("other"), false);
});

test("an absent file, a damaged directory and what is no archive are errors", () => {
  assert.throws(() => unzip(zip({ a: "1" }), ["b"]), /has no file b/);
  assert.throws(() => unzip(Buffer.from("hello"), ["a"]), /no zip archive/);
  const archive = zip({ a: "1" });
  archive.writeUInt32LE(0, archive.readUInt32LE(archive.length - 6));
  assert.throws(() => unzip(archive, ["a"]), /directory is damaged/);
});
