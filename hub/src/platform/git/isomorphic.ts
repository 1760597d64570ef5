import fs from "node:fs";
import { Fault } from "@capstan/proto";
import git from "isomorphic-git";
import http from "isomorphic-git/http/node";
import type { Repository } from "../../sources/model.ts";
import { revisionText } from "../../sources/revision.ts";
import { authorization, httpCredential } from "../http/authorization.ts";
import type { Fetching, GitBackend, GitObject, ReadOptions } from "./backend.ts";
import { parseTag } from "./commit.ts";
import { scrub } from "./git-fault.ts";
import { secretsOf } from "./native.ts";
import { tagsOf } from "./tags.ts";

/** Git without the `git` command: HTTP and HTTPS only, packs held in memory. For small repositories. */
export class IsomorphicGit implements GitBackend {
  readonly name = "isomorphic-git";
  /** Parsed pack indexes, by mirror; made anew after each fetch. */
  readonly #caches = new Map<string, object>();

  async fetch(directory: string, fetching: Fetching): Promise<void> {
    const { repository, credential, signal } = fetching;
    if (!repository.url.startsWith("http")) throw needsGit(repository);
    const base = { fs, gitdir: directory };
    try {
      await git.init({ ...base, bare: true });
      await git.addRemote({ ...base, remote: "origin", url: repository.url, force: true });
      const sent = httpCredential(credential);
      const headers: Record<string, string> = sent === undefined ? {} : { Authorization: authorization(sent) };
      const request = { ...base, http: bounded(signal), url: repository.url, headers, corsProxy: "" };
      if (fetching.wanted !== undefined) {
        await git.fetch({ ...request, ref: revisionText(fetching.wanted), singleBranch: true, tags: false });
      } else await this.#fetchRefs(request);
    } catch (thrown) {
      throw signal.aborted
        ? new Fault("cancelled", { message: "the fetch was cancelled." })
        : translate(thrown, fetching);
    }
    this.#caches.delete(directory);
  }

  async object(directory: string, name: string, options: ReadOptions): Promise<GitObject | undefined> {
    const base = { fs, gitdir: directory, cache: this.#cache(directory) };
    try {
      let oid = await this.#oid(base, name);
      for (let depth = 0; oid !== undefined && depth < 10; depth += 1) {
        const found: { type: string; object: unknown } = await git.readObject({ ...base, oid, format: "content" });
        const bytes = found.object as Uint8Array;
        const type = found.type as GitObject["type"];
        if (options.peel && type === "tag") oid = parseTag(bytes);
        else if (options.peel && type !== "commit") return undefined;
        else return { oid, type, size: bytes.length, bytes: bytes.length > options.maxBytes ? undefined : bytes };
      }
    } catch (thrown) {
      if (codeOf(thrown) !== "NotFoundError" && codeOf(thrown) !== "AmbiguousError") throw Fault.from(thrown);
    }
    return undefined;
  }

  tags(directory: string): Promise<readonly string[]> {
    return tagsOf(directory);
  }

  close(): Promise<void> {
    this.#caches.clear();
    return Promise.resolve();
  }

  /** Branches and tags; where a ref is gone from the remote, it goes here too. */
  async #fetchRefs(request: Parameters<typeof git.fetch>[0]): Promise<void> {
    const { fs: files, gitdir, url = "", http: client, headers } = request;
    const base = { fs: files, gitdir: gitdir ?? "" };
    // Each call gets headers of its own: the library writes its protocol version into them.
    const refs = await git.listServerRefs({
      http: client,
      url,
      symrefs: true,
      headers: { ...headers },
    });
    const wanted = new Map<string, string>();
    for (const { ref, oid } of refs) {
      if (ref === "HEAD") wanted.set("refs/capstan/HEAD", oid);
      else if (/^refs\/(heads|tags)\/./.test(ref) && !ref.endsWith("^{}")) wanted.set(ref, oid);
    }
    // What is gone goes first: a branch `a` stands in the way of a new `a/b`.
    for (const ref of await ownRefs(base)) if (!wanted.has(mirrored(ref))) await git.deleteRef({ ...base, ref });
    if (wanted.size > 0) await git.fetch({ ...request, headers: { ...headers }, tags: true, singleBranch: false });
    for (const [ref, value] of wanted) await git.writeRef({ ...base, ref, value, force: true });
  }

  async #oid(base: { fs: typeof fs; gitdir: string; cache: object }, name: string): Promise<string | undefined> {
    if (/^[0-9a-f]{40}$/.test(name)) return name;
    if (name.startsWith("refs/")) return await git.resolveRef({ ...base, ref: name });
    return await git.expandOid({ ...base, oid: name });
  }

  #cache(directory: string): object {
    const cache = this.#caches.get(directory) ?? {};
    this.#caches.set(directory, cache);
    return cache;
  }
}

/** The refs that the mirror holds: its own, and those that the library keeps for its remote. */
async function ownRefs(base: { fs: object; gitdir: string }): Promise<readonly string[]> {
  const at = { fs, gitdir: base.gitdir };
  const branches = await git.listBranches(at);
  const remote = await git.listBranches({ ...at, remote: "origin" });
  const tags = await git.listTags(at);
  return [
    ...branches.map((name) => `refs/heads/${name}`),
    ...remote.filter((name) => name !== "HEAD").map((name) => `refs/remotes/origin/${name}`),
    ...tags.map((name) => `refs/tags/${name}`),
  ];
}

function mirrored(ref: string): string {
  return ref.replace(/^refs\/remotes\/origin\//, "refs/heads/");
}

/** The HTTP client, given up when the signal aborts. */
function bounded(signal: AbortSignal): typeof http {
  return {
    request: (request) =>
      new Promise((resolve, reject) => {
        const stop = () => reject(signal.reason as Error);
        signal.addEventListener("abort", stop, { once: true });
        if (signal.aborted) stop();
        http
          .request(request)
          .then(resolve, reject)
          .finally(() => signal.removeEventListener("abort", stop));
      }),
  };
}

function translate(thrown: unknown, { repository, credential }: Fetching): Fault {
  const status = (thrown as { data?: { statusCode?: number } }).data?.statusCode;
  const said = scrub(thrown instanceof Error ? thrown.message : String(thrown), secretsOf(credential)).slice(0, 300);
  const where = { repository: repository.url };
  if (status === 401 || status === 403) {
    return new Fault("repository-auth", {
      message: `the repository wants other credentials (HTTP ${status}).`,
      where,
      next: "Give the hub a credential for this URL's prefix (sources.credentials), or check the one it has.",
    });
  }
  if (status === 404) {
    return new Fault("repository-not-found", {
      message: "no repository was found there (HTTP 404).",
      where,
      next: "Check repoURL; where the repository is private, give the hub a credential for it.",
    });
  }
  return new Fault("repository-unreachable", {
    message: `the repository could not be fetched: ${said}.`,
    where,
    next: "See whether the Git server is up and reachable from the hub.",
  });
}

function needsGit(repository: Repository): Fault {
  return new Fault("tool-missing", {
    message: "local repositories need the git command, which is not on the hub's PATH.",
    where: { repository: repository.url },
    next: "Install git beside the hub.",
  });
}

function codeOf(thrown: unknown): string {
  const code = (thrown as { code?: unknown }).code;
  return typeof code === "string" ? code : "";
}
