import { canonicalJson } from "../yaml/canonical.ts";
import type { Document, Json, JsonObject } from "./model.ts";

/** A document as bytes: canonical JSON, integers beyond 2^53 kept exact. */
export function encodeDocument(document: Document): Uint8Array {
  return new TextEncoder().encode(canonicalJson(document as unknown as JsonObject));
}

/** The reverse of `encodeDocument`. */
export function decodeStoredDocument(bytes: Uint8Array): Document {
  return JSON.parse(new TextDecoder().decode(bytes), exact) as Document;
}

/** Keeps integers that a number cannot hold. */
function exact(_key: string, value: Json, context?: { readonly source?: string }): Json {
  const source = context?.source;
  const inexact = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return inexact && source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}
