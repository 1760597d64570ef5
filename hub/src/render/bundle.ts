import { type Digest, Fault, type ObjectRef, objectKey, objectText, whereText } from "@capstan/proto";
import { canonicalJson } from "../yaml/canonical.ts";
import { hasName, placeOf, withoutServerFields } from "./manifest.ts";
import type { Bundle, Manifest, RenderLimits } from "./model.ts";
import { compareObjects } from "./order.ts";

/** sha256 of bytes, as 64 hex digits; handed in by the platform. */
export type Sha256 = (bytes: Uint8Array) => string;

/**
 * Makes the bundle of a target from the manifests of its sources. One object twice in one source is refused; of two
 * sources the later one wins, with a warning, as in Argo CD. Throws `bad-manifest`, `too-large`.
 */
export function makeBundle(sources: readonly (readonly Manifest[])[], sha256: Sha256, limits: RenderLimits): Bundle {
  const chosen = new Map<string, Manifest>();
  const warnings: string[] = [];
  for (const manifests of sources) {
    const ofThisSource = new Map<string, Manifest>();
    for (const manifest of manifests) {
      const { ref } = manifest;
      // Hooks whose name is made for each run may share its beginning.
      const key = hasName(manifest) ? objectKey(ref) : `${objectKey(ref)}#${chosen.size}`;
      const twin = ofThisSource.get(key);
      if (twin !== undefined) throw twice(ref, twin, manifest);
      if (chosen.has(key)) warnings.push(`${objectText(ref)} is in more than one source; the last one wins.`);
      ofThisSource.set(key, manifest);
      chosen.set(key, manifest);
    }
  }
  if (chosen.size > limits.objects) throw tooLarge(`${limits.objects} objects`, `${chosen.size}`);
  const ordered = [...chosen.values()].sort((one, other) => compareObjects(one.ref, other.ref));
  const bytes = encode(ordered, limits);
  return { bytes, digest: `sha256:${sha256(bytes)}` as Digest, objects: ordered.map(({ ref }) => ref), warnings };
}

function encode(manifests: readonly Manifest[], limits: RenderLimits): Uint8Array {
  const lines: string[] = [];
  let length = 0;
  for (const manifest of manifests) {
    const line = `${canonicalJson(withoutServerFields(manifest.value))}\n`;
    length += line.length;
    if (length > limits.bundleBytes) throw tooLarge(`${limits.bundleBytes} bytes`, "more");
    lines.push(line);
  }
  const bytes = new TextEncoder().encode(lines.join(""));
  if (bytes.byteLength > limits.bundleBytes) throw tooLarge(`${limits.bundleBytes} bytes`, `${bytes.byteLength}`);
  return bytes;
}

function twice(ref: ObjectRef, first: Manifest, second: Manifest): Fault {
  return new Fault("bad-manifest", {
    message: `expected ${objectText(ref)} once, found it in ${whereText(placeOf(first))} and in ${whereText(placeOf(second))}.`,
    where: { ...placeOf(second), object: objectText(ref) },
    next: "Remove one of the two.",
  });
}

function tooLarge(most: string, found: string): Fault {
  return new Fault("too-large", {
    message: `expected a bundle of at most ${most}, found ${found}.`,
    next: "Split the application.",
  });
}
