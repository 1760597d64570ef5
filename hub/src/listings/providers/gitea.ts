import { parallel } from "@capstan/proto";
import { z } from "zod";
import type { Api, Page } from "../api.ts";
import type { HostedBranch, HostedRepository, SecretKeyRef } from "../model.ts";
import {
  atOnce,
  type CloneProtocol,
  hasLabels,
  type Provider,
  type PullRequestProvider,
  part,
  parts,
  query,
  type RepositoryHost,
  type RepositoryProvider,
  serverOf,
  tokenSignIn,
} from "./provider.ts";

interface GiteaFields {
  readonly api?: string;
  readonly tokenRef?: SecretKeyRef;
  readonly insecure?: boolean;
}

/** `pullRequest.gitea`. */
export interface GiteaPullRequests extends GiteaFields {
  readonly owner: string;
  readonly repo: string;
  readonly labels?: readonly string[];
}

/** `scmProvider.gitea`. */
export interface GiteaRepositories extends GiteaFields {
  readonly owner: string;
  readonly allBranches?: boolean;
  readonly excludeArchivedRepos?: boolean;
}

const label = z.object({ name: z.string() });
const pull = z.object({
  number: z.int(),
  title: z.string(),
  head: z.object({ ref: z.string(), sha: z.string() }),
  base: z.object({ ref: z.string() }),
  labels: z.array(label).nullish(),
  user: z.object({ login: z.string() }).nullish(),
});
const repository = z.object({
  id: z.int(),
  name: z.string(),
  default_branch: z.string().nullish(),
  ssh_url: z.string(),
  html_url: z.string(),
  archived: z.boolean().default(false),
});
const branch = z.object({ name: z.string(), commit: z.object({ id: z.string() }) });
const perPage = 50;

const common: Provider<GiteaFields> = {
  server: ({ api }) => serverOf(api, "https://gitea.com/api/v1", "/api/v1"),
  signIn: ({ tokenRef }) => tokenSignIn(tokenRef),
  tokenHeader: (token) => ({ authorization: `token ${token}` }),
};

/** Open pull requests of a repository; Forgejo speaks the same. */
export const giteaPullRequests: PullRequestProvider<GiteaPullRequests> = {
  ...common,
  async pullRequests(api, { owner, repo, labels }) {
    const path = `/repos/${part(owner)}/${part(repo)}/pulls`;
    const all = await listed(api, path, { schema: pull, asked: { state: "open" } });
    return all
      .map(({ number, title, head, base, labels: found, user }) => ({
        number: String(number),
        title,
        branch: head.ref,
        targetBranch: base.ref,
        headSha: head.sha,
        labels: (found ?? []).map(({ name }) => name),
        author: user?.login ?? "",
      }))
      .filter((each) => hasLabels(labels, each.labels));
  },
};

/** Repositories of an organisation. */
export const giteaRepositories: RepositoryProvider<GiteaRepositories> = {
  ...common,
  host: (api, config) => new GiteaHost(api, config),
};

class GiteaHost implements RepositoryHost {
  readonly #api: Api;
  readonly #config: GiteaRepositories;

  constructor(api: Api, config: GiteaRepositories) {
    this.#api = api;
    this.#config = config;
  }

  async repositories(protocol: CloneProtocol): Promise<readonly HostedRepository[]> {
    const { owner, excludeArchivedRepos = false } = this.#config;
    const all = await listed(this.#api, `/orgs/${part(owner)}/repos`, { schema: repository });
    const taken = all.filter(({ archived }) => !(excludeArchivedRepos && archived));
    return parallel(taken, atOnce, async (each) => {
      // The labels of its issues, as Argo CD takes them.
      const labels = await listed(this.#api, `${this.#path(each.name)}/labels`, { schema: label });
      return {
        organization: owner,
        repository: each.name,
        repositoryId: each.id,
        url: protocol === "ssh" ? each.ssh_url : each.html_url,
        defaultBranch: each.default_branch ?? "",
        labels: labels.map(({ name }) => name),
      };
    });
  }

  async branches(of: HostedRepository): Promise<readonly HostedBranch[]> {
    const path = `${this.#path(of.repository)}/branches`;
    if (this.#config.allBranches === true) {
      const all = await listed(this.#api, path, { schema: branch });
      return all.map(({ name, commit }) => ({ ...of, branch: name, sha: commit.id }));
    }
    if (of.defaultBranch === "") return [];
    const found = await this.#api.find(`${path}/${part(of.defaultBranch)}`, branch);
    return found === undefined ? [] : [{ ...of, branch: of.defaultBranch, sha: found.commit.id }];
  }

  hasPath(of: HostedBranch, path: string): Promise<boolean> {
    return this.#api.exists(`${this.#path(of.repository)}/contents/${parts(path)}${query({ ref: of.branch })}`);
  }

  #path(name: string): string {
    return `/repos/${part(this.#config.owner)}/${part(name)}`;
  }
}

/** All of a list. A server may give fewer a page than it is asked for, so that only its own word ends the list. */
async function listed<T>(
  api: Api,
  path: string,
  given: { readonly schema: z.ZodType<T>; readonly asked?: Readonly<Record<string, string>> },
): Promise<T[]> {
  const url = (page: number) => `${path}${query({ ...given.asked, page, limit: perPage })}`;
  let count = 0;
  const next = ({ value, headers }: Page<T[]>, at: number) => {
    count += value.length;
    const total = Number(headers["x-total-count"] ?? Number.NaN);
    const more = Number.isNaN(total) ? value.length === perPage : count < total && value.length > 0;
    return more ? url(at + 1) : undefined;
  };
  return (await api.pages(url(1), z.array(given.schema), next)).flat();
}
