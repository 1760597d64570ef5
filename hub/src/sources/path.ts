import { Fault } from "@capstan/proto";

const limit = 4096;

/**
 * A path inside a repository: no `.` or empty parts, no `/` at its ends; the root is `""`.
 * Throws `path-escapes` for `..` that leaves the root, absolute paths, NUL, backslashes, `.git` and more than 4,096 bytes.
 */
export function normalisePath(text: string): string {
  if (text.startsWith("/")) throw escapes(text, "it is absolute");
  return resolvePath("", text);
}

/** `text` as seen from a directory of the repository, `..` allowed as long as it stays inside. Same faults. */
export function resolvePath(directory: string, text: string): string {
  if (text.startsWith("/")) throw escapes(text, "it is absolute");
  if (text.includes("\0") || text.includes("\\")) throw escapes(text, "it holds NUL or a backslash");
  if (new TextEncoder().encode(text).byteLength > limit) throw escapes(text, `it is longer than ${limit} bytes`);
  const parts = directory === "" ? [] : directory.split("/");
  for (const part of text.split("/")) {
    if (part === "" || part === ".") continue;
    if (part.toLowerCase() === ".git") throw escapes(text, "it names Git's own directory");
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) throw escapes(text, "it leaves the repository");
  }
  return parts.join("/");
}

/** Whether `path` is `directory` itself or lies below it. */
export function isWithin(directory: string, path: string): boolean {
  return directory === "" || path === directory || path.startsWith(`${directory}/`);
}

/** `name` inside `directory`, both normalised. */
export function joinPath(directory: string, name: string): string {
  return directory === "" ? name : name === "" ? directory : `${directory}/${name}`;
}

function escapes(text: string, why: string): Fault {
  return new Fault("path-escapes", {
    message: `expected a path inside the repository, found ${JSON.stringify(text.slice(0, 200))}: ${why}.`,
    next: "Use a relative path that stays inside the repository.",
  });
}
