import type { Document } from "../documents/model.ts";
import type { LintPlace } from "../generators/lint.ts";
import { readYamlParts, type YamlDocument, type YamlPlace } from "../yaml/read.ts";

/**
 * Line and column in a file of a field of one of its documents, or of a place within the field's template: the tag that
 * holds the place is counted, as quotes, folds and indentation shift what stands before it.
 */
export function findPlace(text: string, document: Document, at: LintPlace): YamlPlace {
  const found = readYamlParts(text, { file: document.origin.file }).find(
    (part): part is YamlDocument => "placeOf" in part && part.line === document.origin.line,
  );
  if (found === undefined) return { line: document.origin.line, column: 1 };
  const field = found.placeOf(at.path);
  const value = valueAt(found, at.path);
  if (at.offset === undefined || typeof value !== "string") return field;
  const before = value.slice(0, at.offset);
  // The place is within the last tag that opened before it, or at one that opens there.
  const opened = value.startsWith("{{", at.offset) ? before.length : before.lastIndexOf("{{");
  if (opened < 0) return field;
  const start = offsetOf(text, field);
  let from = start;
  for (let tag = value.slice(0, opened).split("{{").length - 1; tag >= 0; tag -= 1) {
    const next = text.indexOf("{{", from);
    if (next < 0) return field;
    if (tag === 0) return placeOf(text, next + (at.offset - opened));
    from = next + 2;
  }
  return field;
}

function valueAt(document: YamlDocument, path: readonly (string | number)[]): unknown {
  let value: unknown = document.value;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

function offsetOf(text: string, { line, column }: YamlPlace): number {
  let offset = 0;
  for (let passed = 1; passed < line; passed += 1) offset = text.indexOf("\n", offset) + 1;
  return offset + column - 1;
}

function placeOf(text: string, offset: number): YamlPlace {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}
