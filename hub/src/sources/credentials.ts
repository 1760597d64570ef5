import type { Credential, Repository } from "./model.ts";
import type { SecretReader, SecretReference } from "./port.ts";
import { isCovered } from "./prefix.ts";

/** Who to be at the repositories whose URL starts with `prefix`. The secret stays where it is. */
export interface CredentialRule {
  /** As `https://git.example.com/team/`; it ends where a part of the path ends. */
  readonly prefix: string;
  /** With a user the secret is a password (`basic`), else a token (`bearer`); of an SSH address it is a private key. */
  readonly username?: string;
  readonly secret: SecretReference;
  /** The secret is the path of an SSH agent's socket. */
  readonly sshAgent?: boolean;
}

/** The rule with the longest prefix, or undefined. A prefix matches whole parts: `…/team` does not match `…/teams`. */
export function ruleFor(rules: readonly CredentialRule[], repository: Repository): CredentialRule | undefined {
  const matching = rules.filter(({ prefix }) => isCovered(prefix, repository));
  return matching.sort((a, b) => b.prefix.length - a.prefix.length)[0];
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
  if (rule.sshAgent === true) return { kind: "ssh-agent", socket: secret };
  if (repository.url.startsWith("ssh:")) return { kind: "ssh-key", privateKey: secret };
  return rule.username === undefined
    ? { kind: "bearer", token: secret }
    : { kind: "basic", username: rule.username, password: secret };
}
