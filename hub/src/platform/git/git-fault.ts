import { Fault } from "@capstan/proto";
import type { Repository } from "../../sources/model.ts";

const auth =
  /Authentication failed|could not read (Username|Password)|terminal prompts disabled|error: 40[13]\b|HTTP 40[13]\b|Permission denied|Too many authentication failures|invalid format|error in libcrypto/i;
const hostKey = /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|No \w+ host key is known/i;
const noSsh = /cannot run ssh|ssh: (command )?not found/i;
const missing = /not found|does not appear to be a git repository|does not exist|error: 404\b|HTTP 404\b|No such file/i;
const redirect = /error: 30[1278]\b|unable to update url base from redirection|redirect/i;

/**
 * Turns what Git printed into a fault with a cure; all of it is kept as the cause. `secrets` are cut out of the text,
 * should they ever be in it.
 */
export function gitFault(said: string, repository: Repository, secrets: readonly string[] = []): Fault {
  const text = scrub(said, secrets);
  const lines = text.split("\n");
  const line =
    lines.find(
      (candidate) => /^(fatal|error|remote: error)/.test(candidate) && !candidate.startsWith("fatal: Could not read"),
    ) ?? lines[0];
  const where = { repository: repository.url };
  const found = (line ?? "").replace(/^(fatal|error): /, "").slice(0, 300);
  if (noSsh.test(text)) {
    return new Fault("tool-missing", {
      message: "the repository is reached over SSH, and there is no ssh on the hub's PATH.",
      where,
      next: "Install OpenSSH's client where the hub runs, or use the repository's https URL.",
    });
  }
  if (hostKey.test(text)) {
    return new Fault("repository-unreachable", {
      message: "the SSH server's host key is not the one that the hub knows.",
      where,
      cause: text,
      next: "Compare `ssh-keyscan HOST` with what the host's operator says, and correct the file of sources.servers[].knownHosts.",
    });
  }
  if (auth.test(text)) {
    return new Fault("repository-auth", {
      message: `the repository wants other credentials: ${found}.`,
      where,
      cause: text,
      next: "Give the hub a credential for this URL's prefix (sources.credentials), or check the one it has.",
    });
  }
  if (missing.test(text)) {
    return new Fault("repository-not-found", {
      message: `no repository was found there: ${found}.`,
      where,
      cause: text,
      next: "Check repoURL; where the repository is private, give the hub a credential for it.",
    });
  }
  if (redirect.test(text)) {
    return new Fault("repository-unreachable", {
      message: `the server sends elsewhere, and a credential is never sent along: ${found}.`,
      where,
      cause: text,
      next: "Write the URL that the server redirects to.",
    });
  }
  return new Fault("repository-unreachable", {
    message: `the repository could not be fetched: ${found === "" ? "Git gave no reason" : found}.`,
    where,
    cause: text,
    next: "See whether the Git server is up and reachable from the hub.",
  });
}

/** The text without the secrets and without users in URLs. */
export function scrub(text: string, secrets: readonly string[]): string {
  let clean = text.replace(/(\w+:\/\/)[^/\s@]*@/g, "$1");
  for (const secret of secrets) if (secret !== "") clean = clean.replaceAll(secret, "***");
  return clean;
}
