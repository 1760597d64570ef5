import { trimSpace } from "./spaces.ts";
import type { GoMap } from "./value.ts";

/** What a fast template without an end is. */
export class UnclosedTag extends Error {
  readonly offset: number;
  constructor(offset: number) {
    super('cannot find end tag "}}"');
    this.offset = offset;
  }
}

/** A text cut into literal parts and tags; undefined: it holds no tag on one line, and stays as it is. */
export type FastTemplate = readonly (string | { readonly tag: string })[] | undefined;

/** Reads a template of the old mode (github.com/valyala/fasttemplate behind Argo CD's check). Throws UnclosedTag. */
export function compileFast(text: string): FastTemplate {
  if (!/\{\{.*\}\}/.test(text)) return undefined;
  const parts: (string | { readonly tag: string })[] = [];
  let at = 0;
  for (;;) {
    const open = text.indexOf("{{", at);
    parts.push(text.slice(at, open < 0 ? undefined : open));
    if (open < 0) return parts;
    const close = text.indexOf("}}", open + 2);
    if (close < 0) throw new UnclosedTag(open);
    parts.push({ tag: text.slice(open + 2, close) });
    at = close + 2;
  }
}

/** Fills the tags in; one that names no text parameter stays as it stands. One pass, nothing in a value is filled. */
export function renderFast(template: FastTemplate, text: string, params: GoMap): string {
  if (template === undefined) return text;
  let result = "";
  for (const part of template) {
    if (typeof part === "string") {
      result += part;
      continue;
    }
    const name = trimSpace(part.tag);
    const value = name === "" ? undefined : params.entries.get(name);
    result += typeof value === "string" ? value : `{{${part.tag}}}`;
  }
  return result;
}
