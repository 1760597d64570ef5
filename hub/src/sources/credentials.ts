import type { Credential, Repository } from "./model.ts";
import type { SecretReader, SecretReference } from "./port.ts";

/** Who to be at the repositories whose URL starts with `prefix`. The secret stays where it is. */
export interface CredentialRule {
  /** As `https://git.example.com/team/`; it ends where a part of the path ends. */
  readonly prefix: string;
  /** With a user the secret is a password (`basic`), else a token (`bearer`). */
  readonly username?: string;
  readonly secret: SecretReference;
}

/** The rule with the longest prefix, or undefined. A prefix matches whole parts: `…/team` does not match `…/teams`. */
export function ruleFor(rules: readonly CredentialRule[], repository: Repository): CredentialRule | undefined {
  const matching = rules.filter((rule) => covers(canonicalPrefix(rule.prefix), repository));
  return matching.sort((a, b) => canonicalPrefix(b.prefix).length - canonicalPrefix(a.prefix).length)[0];
}

/** Reads the credential of a repository; undefined where no rule covers it. */
export async function credentialFor(
  rules: readonly CredentialRule[],
  repository: Repository,
  secrets: SecretReader,
): Promise<Credential | undefined> {
  const rule = ruleFor(rules, repository);
  if (rule === undefined) return undefined;
  const secret = await secrets.read(rule.secret);
  return rule.username === undefined
    ? { kind: "bearer", token: secret }
    : { kind: "basic", username: rule.username, password: secret };
}

function covers(prefix: string, repository: Repository): boolean {
  return [repository.key as string, repository.url].some((url) => url === prefix || url.startsWith(`${prefix}/`));
}

/** Scheme and host in lower case, default port gone, as repository keys have them. */
function canonicalPrefix(prefix: string): string {
  return (URL.parse(prefix)?.href ?? prefix).replace(/\/+$/, "").replace(/\.git$/, "");
}
