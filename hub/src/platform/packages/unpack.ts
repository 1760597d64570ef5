import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { Fault } from "@capstan/proto";
import { extract } from "tar-stream";
import { normalisePath } from "../../sources/path.ts";

/** One file of an archive; `link`: its content is the place that it points to. */
export interface UnpackedFile {
  readonly path: string;
  readonly kind: "file" | "executable" | "link";
  readonly content: Uint8Array;
}

/** Bounds of an archive, unpacked. */
export interface UnpackLimits {
  readonly bytes: number;
  readonly entries: number;
}

/** 64 MiB and 20,000 files. */
export const defaultUnpackLimits: UnpackLimits = { bytes: 64 * 1024 * 1024, entries: 20_000 };

/**
 * Reads a gzipped tar. `strip` leaves out the first part of each path: a chart lies in a folder of its name.
 * Throws `path-escapes`, `too-large`, and `bad-input` for what is no such archive.
 */
export async function unpack(
  bytes: Uint8Array,
  strip: boolean,
  limits: UnpackLimits = defaultUnpackLimits,
): Promise<readonly UnpackedFile[]> {
  const files = new Map<string, UnpackedFile>();
  const tar = extract();
  let length = 0;
  let entries = 0;
  const reading = pipeline(Readable.from([bytes]), createGunzip(), tar);
  // Told below, once; without a listener of its own it would count as unhandled.
  reading.catch(() => undefined);
  try {
    for await (const entry of tar) {
      entries += 1;
      if (entries > limits.entries) throw tooLarge(`${limits.entries} entries`);
      const parts: Uint8Array[] = [];
      for await (const part of entry as AsyncIterable<Uint8Array>) {
        length += part.byteLength;
        if (length > limits.bytes) throw tooLarge(`${limits.bytes} bytes`);
        parts.push(part);
      }
      const { name, type, mode, linkname } = entry.header;
      const path = stripped(normalisePath(name), strip);
      if (path === "") continue;
      if (type === "file" || type === "contiguous-file") {
        files.set(path, { path, kind: (mode & 0o100) === 0 ? "file" : "executable", content: Buffer.concat(parts) });
      } else if (type === "symlink" || type === "link") {
        files.set(path, { path, kind: "link", content: new TextEncoder().encode(linkname ?? "") });
      }
    }
    await reading;
  } catch (thrown) {
    if (thrown instanceof Fault) throw thrown;
    throw new Fault("bad-input", { message: "expected a gzipped tar archive, found something else.", cause: thrown });
  }
  return [...files.values()];
}

function stripped(path: string, strip: boolean): string {
  if (!strip) return path;
  const slash = path.indexOf("/");
  return slash < 0 ? "" : path.slice(slash + 1);
}

function tooLarge(bound: string): Fault {
  return new Fault("too-large", { message: `expected an archive of at most ${bound} when unpacked, found more.` });
}
