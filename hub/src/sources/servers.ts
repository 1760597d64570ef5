import type { Repository } from "./model.ts";
import { isCovered } from "./prefix.ts";

/** How to reach the servers whose URL starts with `prefix`. Paths of files on the hub; none of them is a secret itself. */
export interface ServerRule {
  readonly prefix: string;
  /** PEM of the certificate authorities that are trusted besides the system's. */
  readonly ca?: string;
  /** PEM of a client certificate and of its key. */
  readonly certificate?: string;
  readonly key?: string;
  /** `http://HOST:PORT`; instead of the environment's. */
  readonly proxy?: string;
  /** Host keys as `ssh-keyscan` prints them. */
  readonly knownHosts?: string;
}

/** The rules that concern a repository, as one: of each setting the rule with the longest prefix decides. */
export function serverFor(rules: readonly ServerRule[], repository: Pick<Repository, "key" | "url">): ServerRule {
  const matching = rules.filter(({ prefix }) => isCovered(prefix, repository));
  const shortestFirst = matching.sort((one, other) => one.prefix.length - other.prefix.length);
  return Object.assign({ prefix: "" }, ...shortestFirst) as ServerRule;
}
