import { Fault } from "@capstan/proto";
import type { Repository, RepositoryKey } from "./model.ts";

const fetchable = new Set(["http:", "https:", "file:"]);

/**
 * Reads a repository's URL: `http(s)://…`, `file:///…` or an absolute path. A user or password in the URL is refused,
 * because URLs are shown to people. Throws `bad-input`.
 */
export function parseRepository(text: string): Repository {
  const url = toURL(text);
  if (url === undefined || !fetchable.has(url.protocol) || (url.protocol === "file:" && url.host !== "")) {
    throw new Fault("bad-input", {
      message: `expected an http, https or file URL of a Git repository, found ${JSON.stringify(shown(text))}.`,
      next: "Write the repository as https://HOST/PATH, or as an absolute path on the hub.",
    });
  }
  if (url.username !== "" || url.password !== "") {
    throw new Fault("bad-input", {
      message: "expected a repository URL without a user or password in it.",
      where: { repository: shown(text) },
      next: "Take it out, and give the credential in the hub's config for this URL's prefix.",
    });
  }
  url.hash = "";
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = path;
  const fetchURL = url.href.replace(/\/$/, "");
  return { key: fetchURL.replace(/\.git$/, "") as RepositoryKey, url: fetchURL };
}

/** The key of a repository's URL; undefined where the text is none. */
export function repositoryKeyOf(text: string): RepositoryKey | undefined {
  try {
    return parseRepository(text).key;
  } catch {
    return undefined;
  }
}

/** Whether two URLs name the same repository; false where either is none. */
export function sameRepository(one: string, other: string): boolean {
  const key = repositoryKeyOf(one);
  return key !== undefined && key === repositoryKeyOf(other);
}

function toURL(text: string): URL | undefined {
  const trimmed = text.trim();
  return URL.parse(trimmed.startsWith("/") ? `file://${encodeURI(trimmed)}` : trimmed) ?? undefined;
}

/** The text without what stands before an `@` in its authority, and bounded. */
function shown(text: string): string {
  return text.replace(/\/\/[^/]*@/, "//").slice(0, 200);
}
