import { access, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "@capstan/proto";
import type { Credential, Repository } from "../../sources/model.ts";
import { revisionText } from "../../sources/revision.ts";
import type { ServerRule } from "../../sources/servers.ts";
import { authorization } from "../http/authorization.ts";
import type { Runner } from "../render/spawner.ts";
import type { Fetching, GitBackend, GitObject, ReadOptions } from "./backend.ts";
import { CatFile } from "./cat-file.ts";
import { gitFault } from "./git-fault.ts";
import { openSsh } from "./ssh.ts";
import { tagsOf } from "./tags.ts";

/** Where the `git` command is, and what it may know. */
export interface NativeGitOptions {
  /** Holds Git's only configuration file; made when first needed. */
  readonly home: string;
  readonly git: string;
  /** The only variable of the hub's environment that Git sees: `PATH`. */
  readonly path: string;
  /** `cat-file` processes kept open; the least used is closed first. */
  readonly readers: number;
  /** Starts the processes that run to their end. */
  readonly runner: Runner;
  /** How to reach a repository's server. */
  readonly server?: (repository: Repository) => ServerRule;
  /** The proxies of the hub's environment, by the names of their variables. */
  readonly proxies?: Readonly<Record<string, string>>;
}

// In a file, not in variables: Git forgets those where it starts the other end of a local transport.
const configuration = `[protocol]
	allow = never
[protocol "http"]
	allow = always
[protocol "https"]
	allow = always
[protocol "ssh"]
	allow = always
[protocol "file"]
	allow = always
[core]
	hooksPath = /dev/null
[safe]
	directory = *
[credential]
	helper =
[gc]
	auto = 0
[http]
	lowSpeedLimit = 1000
	lowSpeedTime = 30
`;

const allRefs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
// What Git says of its own files, and of locks that a killed process left.
const broken =
  /corrupt|bad object|invalid (object|index)|loose object|missing (blob|tree|commit)|unable to (read|find) [0-9a-f]{40}|packfile .* (cannot|too short|does not match)|\.lock': File exists|cannot lock ref|unresolved deltas|fatal: not a git repository/i;

// Where the mirror notes the commit of the remote's HEAD.
const head = "+HEAD:refs/capstan/HEAD";

/**
 * Native Git by child processes: a bare mirror a repository, no hooks, no configuration but ours, no prompts,
 * no protocol but http, https, ssh and file.
 */
export class NativeGit implements GitBackend {
  readonly name = "git";
  readonly #options: NativeGitOptions;
  readonly #readers = new Map<string, CatFile>();
  #configured: Promise<void> | undefined;

  constructor(options: NativeGitOptions) {
    this.#options = options;
  }

  async fetch(directory: string, fetching: Fetching): Promise<void> {
    await this.#configure();
    if (fetching.wanted !== undefined) {
      const sha = revisionText(fetching.wanted);
      await this.#fetchRefs(directory, fetching, [`+${sha}:refs/capstan/commits/${sha}`]);
      return;
    }
    try {
      await this.#fetchAll(directory, fetching);
    } catch (thrown) {
      if (!broken.test(saidBy(thrown))) throw thrown;
      await this.#replace(directory, fetching);
    }
    await this.#tidy(directory, fetching);
  }

  async object(directory: string, name: string, options: ReadOptions): Promise<GitObject | undefined> {
    if (!this.#readers.has(directory)) {
      if (!(await exists(join(directory, "HEAD")))) return undefined;
      await this.#configure();
    }
    return await this.#reader(directory).ask(options.peel ? `${name}^{commit}` : name, options.maxBytes);
  }

  tags(directory: string): Promise<readonly string[]> {
    return tagsOf(directory);
  }

  async close(): Promise<void> {
    const readers = [...this.#readers.values()];
    this.#readers.clear();
    await Promise.all(readers.map((reader) => reader.close()));
  }

  #configure(): Promise<void> {
    this.#configured ??= mkdir(this.#options.home, { recursive: true, mode: 0o700 }).then(() =>
      writeFile(join(this.#options.home, "gitconfig"), configuration),
    );
    return this.#configured;
  }

  #reader(directory: string): CatFile {
    const open = this.#readers.get(directory);
    this.#readers.delete(directory);
    const reader =
      open === undefined || open.ended ? new CatFile(this.#options.git, directory, this.#environment()) : open;
    this.#readers.set(directory, reader);
    for (const [other, idle] of this.#readers) {
      if (this.#readers.size <= this.#options.readers) break;
      if (idle.pending > 0) continue;
      this.#readers.delete(other);
      void idle.close();
    }
    return reader;
  }

  async #fetchAll(directory: string, fetching: Fetching): Promise<void> {
    if (!(await exists(join(directory, "HEAD")))) {
      await this.#run(["init", "--quiet", "--bare", "--template=", directory], fetching);
    }
    try {
      await this.#fetchRefs(directory, fetching, [head, ...allRefs]);
    } catch (thrown) {
      // A repository without commits, or whose HEAD names a branch that is not there, has no HEAD to fetch.
      if (!/couldn't find remote ref HEAD/.test(saidBy(thrown))) throw thrown;
      await this.#fetchRefs(directory, fetching, allRefs);
      await this.#run(["--git-dir", directory, "update-ref", "-d", "refs/capstan/HEAD"], fetching);
    }
  }

  /** A mirror that a full disk or a lost machine left torn is made anew; until that has worked, the old one serves. */
  async #replace(directory: string, fetching: Fetching): Promise<void> {
    const fresh = `${directory}.new`;
    const old = `${directory}.old`;
    try {
      await rm(fresh, { recursive: true, force: true });
      await this.#fetchAll(fresh, fetching);
      const reader = this.#readers.get(directory);
      this.#readers.delete(directory);
      await rename(directory, old);
      await rename(fresh, directory);
      await reader?.close();
    } finally {
      await rm(fresh, { recursive: true, force: true });
      await rm(old, { recursive: true, force: true });
    }
  }

  async #fetchRefs(directory: string, fetching: Fetching, refs: readonly string[]): Promise<void> {
    const options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"];
    if (fetching.wanted === undefined) options.push("--prune");
    const { url } = fetching.repository;
    await this.#run(
      ["--git-dir", directory, "fetch", ...options, "--no-recurse-submodules", "--end-of-options", url, ...refs],
      fetching,
    );
  }

  /** Packs what many small fetches have left behind. Nothing is thrown away: a commit in use may hang on no branch. */
  async #tidy(directory: string, fetching: Fetching): Promise<void> {
    const packs = (await names(join(directory, "objects", "pack"))).filter((name) => name.endsWith(".pack")).length;
    // One of 256 folders stands for all, as Git's own gc estimates it.
    const loose = (await names(join(directory, "objects", "17"))).length * 256;
    if (packs < 50 && loose < 6000) return;
    await this.#run(["--git-dir", directory, "repack", "--quiet", "-d", "--geometric=2"], fetching);
  }

  async #run(args: readonly string[], { repository, credential, signal }: Fetching): Promise<void> {
    const { git: file, home: cwd, runner, server } = this.#options;
    const rule = server?.(repository) ?? { prefix: "" };
    await using ssh = await openSsh(this.#options.home, { repository, credential, rule });
    const env = { ...this.#environment(settingsFor(credential, rule)), ...this.#options.proxies, ...ssh.variables };
    const ended = await runner.run({ file, args, cwd, env, outputBytes: 1024 * 1024 }, signal);
    if (ended.error !== undefined) {
      throw new Fault("tool-missing", { message: "git could not be started.", cause: ended.error });
    }
    if (ended.code !== 0) throw gitFault(new TextDecoder().decode(ended.stderr), repository, secretsOf(credential));
  }

  /** Everything by variables, because arguments are visible to every user of the machine. */
  #environment(settings: readonly (readonly [string, string])[] = []): Record<string, string> {
    const env: Record<string, string> = {
      PATH: this.#options.path,
      HOME: this.#options.home,
      LC_ALL: "C",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: join(this.#options.home, "gitconfig"),
      GIT_TERMINAL_PROMPT: "0",
      GIT_ASKPASS: "",
      GIT_CONFIG_COUNT: String(settings.length),
    };
    for (const [index, [key, value]] of settings.entries()) {
      env[`GIT_CONFIG_KEY_${index}`] = key;
      env[`GIT_CONFIG_VALUE_${index}`] = value;
    }
    return env;
  }
}

/** Git's own settings for one fetch over HTTP. */
function settingsFor(credential: Credential | undefined, rule: ServerRule): [string, string][] {
  const settings: [string, string][] = [];
  if (credential?.kind === "basic" || credential?.kind === "bearer") {
    settings.push(["http.extraHeader", `Authorization: ${authorization(credential)}`]);
    // A redirect would carry the header to another host.
    settings.push(["http.followRedirects", "false"]);
  }
  if (rule.ca !== undefined) settings.push(["http.sslCAInfo", rule.ca]);
  if (rule.certificate !== undefined) settings.push(["http.sslCert", rule.certificate]);
  if (rule.key !== undefined) settings.push(["http.sslKey", rule.key]);
  if (rule.proxy !== undefined) settings.push(["http.proxy", rule.proxy]);
  return settings;
}

/** Every form in which the secret could appear in a text. */
export function secretsOf(credential: Credential | undefined): readonly string[] {
  if (credential === undefined) return [];
  if (credential.kind === "ssh-key") return [credential.privateKey];
  if (credential.kind === "ssh-agent") return [];
  const plain = credential.kind === "bearer" ? credential.token : credential.password;
  return [plain, encodeURIComponent(plain), authorization(credential).replace(/^\w+ /, "")];
}

/** All that Git printed, as a fault keeps it. */
function saidBy(thrown: unknown): string {
  return thrown instanceof Fault ? String(thrown.cause) : String(thrown);
}

async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}

async function names(directory: string): Promise<readonly string[]> {
  return await readdir(directory).catch(() => []);
}
