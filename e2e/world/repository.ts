import { createHmac } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gitEnv } from "./git-env.ts";
import { run, runOrThrow } from "./process.ts";
import { TempDir } from "./temp.ts";

/** File contents by path, relative to the root of the repository. */
export type Files = Readonly<Record<string, string>>;

/** What a push did, as handed to `onPush`. */
export interface Push {
  readonly repositoryUrl: string;
  /** `refs/heads/main` and the like. */
  readonly ref: string;
  readonly before: string;
  readonly after: string;
}

/** What to clone. */
export interface RepositoryInit {
  readonly url: string;
  /** Called after each push, before `push` resolves; see `githubWebhook`. */
  readonly onPush?: (push: Push) => Promise<void>;
}

const nothing = "0".repeat(40);

/** A working clone, as a person has it. */
export class Repository implements AsyncDisposable {
  readonly url: string;
  /** Called after each push; may be set when the receiver is known only later. */
  onPush: ((push: Push) => Promise<void>) | undefined;
  readonly #dir: TempDir;

  private constructor(init: RepositoryInit, dir: TempDir) {
    this.url = init.url;
    this.onPush = init.onPush;
    this.#dir = dir;
  }

  /** Clones the URL (credentials may stand in it); an empty repository gets the branch `main`. */
  static async clone(init: RepositoryInit): Promise<Repository> {
    const dir = await TempDir.make("clone");
    const self = new Repository(init, dir);
    await self.git("clone", "--quiet", init.url, ".");
    if ((await self.#head()) === undefined) await self.git("symbolic-ref", "HEAD", "refs/heads/main");
    return self;
  }

  /** The working directory. */
  get path(): string {
    return this.#dir.path;
  }

  /** Writes files, making folders as needed; nothing is staged. */
  async write(files: Files): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      const full = join(this.path, path);
      await mkdir(dirname(full), { recursive: true });
      await writeFile(full, content);
    }
  }

  read(path: string): Promise<string> {
    return readFile(join(this.path, path), "utf8");
  }

  /** Changes one file by a function of its text; throws when nothing changes, as a test would then prove nothing. */
  async edit(path: string, change: (text: string) => string): Promise<void> {
    const before = await this.read(path);
    const after = change(before);
    if (after === before) throw new Error(`the edit of ${path} changes nothing`);
    await this.write({ [path]: after });
  }

  /** Deletes files and folders. */
  async deleteFiles(...paths: string[]): Promise<void> {
    for (const path of paths) await rm(join(this.path, path), { recursive: true });
  }

  /** Commits everything as it stands and returns the commit's SHA. A commit without changes is allowed. */
  async commit(message: string): Promise<string> {
    await this.git("add", "--all");
    await this.git("commit", "--quiet", "--allow-empty", "--message", message);
    return this.git("rev-parse", "HEAD");
  }

  /** Pushes the current branch (by force where told so), calls `onPush`, and returns the SHA that is now there. */
  async push(options: { readonly force?: boolean } = {}): Promise<string> {
    const ref = await this.git("symbolic-ref", "HEAD");
    const remote = await this.git("ls-remote", "origin", ref);
    const before = remote.split(/\s/)[0] || nothing;
    await this.git("push", "--quiet", ...(options.force === true ? ["--force"] : []), "origin", `HEAD:${ref}`);
    const after = await this.git("rev-parse", "HEAD");
    await this.onPush?.({ repositoryUrl: this.url, ref, before, after });
    return after;
  }

  /** Writes, commits and pushes in one go. */
  async publish(files: Files, message: string): Promise<string> {
    await this.write(files);
    await this.commit(message);
    return this.push();
  }

  /** Any other git command in the clone; returns its trimmed output. */
  async git(...args: string[]): Promise<string> {
    const env = gitEnv(this.path);
    return (await runOrThrow({ name: "git", binary: "git", args, env, cwd: this.path })).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dir[Symbol.asyncDispose]();
  }

  async #head(): Promise<string | undefined> {
    const args = ["rev-parse", "--verify", "--quiet", "HEAD"];
    const result = await run({ name: "git", binary: "git", args, env: gitEnv(this.path), cwd: this.path });
    return result.code === 0 ? result.stdout.trim() : undefined;
  }
}

/** Where and with which secret a forge would tell of a push. */
export interface WebhookInit {
  readonly url: string;
  readonly secret: string;
}

/** An `onPush` that posts GitHub's push event, signed as GitHub does; throws when it is refused. */
export function githubWebhook(init: WebhookInit): (push: Push) => Promise<void> {
  return async (push) => {
    const response = await sendGithubPush(init, push);
    if (!response.ok) throw new Error(`the webhook was refused: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  };
}

/** Posts GitHub's push event and returns the answer, whatever it is. */
export function sendGithubPush(init: WebhookInit, push: Push): Promise<Response> {
  const name = new URL(push.repositoryUrl).pathname.replace(/^\/|\.git$/g, "");
  const body = JSON.stringify({
    ref: push.ref,
    before: push.before,
    after: push.after,
    repository: {
      full_name: name,
      clone_url: push.repositoryUrl,
      html_url: push.repositoryUrl.replace(/\.git$/, ""),
      default_branch: "main",
    },
    head_commit: { id: push.after },
  });
  const signature = createHmac("sha256", init.secret).update(body).digest("hex");
  const headers = {
    "content-type": "application/json",
    "x-github-event": "push",
    "x-github-delivery": crypto.randomUUID(),
    "x-hub-signature-256": `sha256=${signature}`,
  };
  return fetch(init.url, { method: "POST", headers, body });
}
