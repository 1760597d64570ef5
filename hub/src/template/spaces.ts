const space = /^[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/;

/** Go's unicode.IsSpace, which knows no byte order mark. */
export function isSpace(character: string): boolean {
  return space.test(character);
}

/** Go's strings.TrimSpace. All spaces are one UTF-16 unit. */
export function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text[start] ?? "")) start += 1;
  while (end > start && isSpace(text[end - 1] ?? "")) end -= 1;
  return text.slice(start, end);
}
