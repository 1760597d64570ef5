import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "@capstan/proto";
import type { Credential, Repository } from "../../sources/model.ts";
import type { ServerRule } from "../../sources/servers.ts";

/** What one fetch over SSH needs. */
export interface SshNeeds {
  readonly repository: Repository;
  readonly credential: Credential | undefined;
  readonly rule: ServerRule;
}

/** Git's variables for one fetch; what they name is gone when it is disposed. */
export interface OpenSsh extends AsyncDisposable {
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * Gives OpenSSH one key and one list of host keys, and none of the user's own: no configuration, no prompt, no unknown
 * host. The key lies in a file of its own while the fetch lasts, for SSH takes it no other way. Throws `bad-config`.
 */
export async function openSsh(home: string, { repository, credential, rule }: SshNeeds): Promise<OpenSsh> {
  if (!repository.url.startsWith("ssh:")) return { variables: {}, [Symbol.asyncDispose]: async () => undefined };
  if (rule.knownHosts === undefined) throw noHostKeys(repository);
  const folder = await mkdtemp(join(home, "ssh-"));
  const options = [
    ...["BatchMode=yes", "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no"],
    ...["PasswordAuthentication=no", "KbdInteractiveAuthentication=no", "ConnectTimeout=20", "ServerAliveInterval=15"],
    `UserKnownHostsFile=${rule.knownHosts}`,
  ];
  const variables: Record<string, string> = {};
  if (credential?.kind === "ssh-key") {
    const file = join(folder, "key");
    // OpenSSH refuses a key whose last line is not ended, as secrets that were cut often are.
    await writeFile(file, `${credential.privateKey.trimEnd()}\n`, { mode: 0o600 });
    options.push("IdentitiesOnly=yes", `IdentityFile=${file}`, "IdentityAgent=none");
  } else if (credential?.kind === "ssh-agent") options.push(`IdentityAgent=${credential.socket}`);
  const words = ["ssh", "-F", "/dev/null", ...options.flatMap((option) => ["-o", quoted(option)])];
  variables["GIT_SSH_COMMAND"] = words.join(" ");
  variables["GIT_SSH_VARIANT"] = "ssh";
  return { variables, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** Once for the shell that Git starts, once for OpenSSH, which splits values at blanks. */
function quoted(option: string): string {
  const sign = option.indexOf("=");
  const [name, value] = [option.slice(0, sign), option.slice(sign + 1)];
  const inner = /\s/.test(value) ? `"${value}"` : value;
  return `'${`${name}=${inner}`.replaceAll("'", "'\\''")}'`;
}

function noHostKeys(repository: Repository): Fault {
  return new Fault("bad-config", {
    message: "expected the host key of the SSH server, found none.",
    where: { repository: repository.url },
    next: "Write what `ssh-keyscan HOST` prints to a file, compare it with what the host's operator says, and name it in sources.servers[].knownHosts.",
  });
}
