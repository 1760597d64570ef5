import type { Repository } from "./model.ts";
import { repositoryKeyOf } from "./repository.ts";

/** Whether a repository lies below a URL. Whole parts only: `…/team` does not cover `…/teams`. */
export function isCovered(prefix: string, repository: Pick<Repository, "key" | "url">): boolean {
  const canonical = canonicalPrefix(prefix);
  return [repository.key as string, repository.url].some((url) => url === canonical || url.startsWith(`${canonical}/`));
}

/** As repository keys have it. */
function canonicalPrefix(prefix: string): string {
  return repositoryKeyOf(prefix) ?? (URL.parse(prefix)?.href ?? prefix).replace(/\/+$/, "").replace(/\.git$/, "");
}
