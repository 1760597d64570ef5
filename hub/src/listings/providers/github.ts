import { z } from "zod";
import type { Api, Page } from "../api.ts";
import type { HostedBranch, HostedRepository, SecretKeyRef } from "../model.ts";
import {
  bearer,
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

interface GithubFields {
  readonly api?: string;
  readonly tokenRef?: SecretKeyRef;
  readonly appSecretName?: string;
}

/** `pullRequest.github`. */
export interface GithubPullRequests extends GithubFields {
  readonly owner: string;
  readonly repo: string;
  readonly labels?: readonly string[];
}

/** `scmProvider.github`. */
export interface GithubRepositories extends GithubFields {
  readonly organization: string;
  readonly allBranches?: boolean;
  readonly excludeArchivedRepos?: boolean;
}

const publicServer = "https://api.github.com";
const pull = z.object({
  number: z.int(),
  title: z.string(),
  head: z.object({ ref: z.string(), sha: z.string() }),
  base: z.object({ ref: z.string() }),
  labels: z.array(z.object({ name: z.string() })).default([]),
  user: z.object({ login: z.string() }).nullish(),
});
const repository = z.object({
  id: z.int(),
  name: z.string(),
  owner: z.object({ login: z.string() }),
  default_branch: z.string().nullish(),
  ssh_url: z.string(),
  clone_url: z.string(),
  topics: z.array(z.string()).nullish(),
  archived: z.boolean().default(false),
});
const branch = z.object({ name: z.string(), commit: z.object({ sha: z.string() }) });

const common: Provider<GithubFields> = {
  /** An Enterprise server's API is below `/api/v3`, unless its name says that it is an API host. */
  server({ api }) {
    const host = URL.parse(api ?? "")?.host ?? "";
    const isApiHost = host.startsWith("api.") || host.includes(".api.");
    return serverOf(api, publicServer, isApiHost ? "" : "/api/v3");
  },
  signIn: ({ appSecretName = "", tokenRef }) =>
    appSecretName === "" ? tokenSignIn(tokenRef) : { kind: "app", secretName: appSecretName },
  tokenHeader: bearer,
};

/** Open pull requests of a repository. */
export const githubPullRequests: PullRequestProvider<GithubPullRequests> = {
  ...common,
  async pullRequests(api, { owner, repo, labels }) {
    const first = `/repos/${part(owner)}/${part(repo)}/pulls`;
    const pages = await api.pages(`${first}?per_page=100`, z.array(pull), nextPage(first));
    return pages
      .flat()
      .map(({ number, title, head, base, labels: found, user }) => ({
        number: String(number),
        title,
        branch: head.ref,
        targetBranch: base.ref,
        headSha: head.sha,
        labels: found.map(({ name }) => name),
        author: user?.login ?? "",
      }))
      .filter((each) => hasLabels(labels, each.labels));
  },
};

/** Repositories of an organisation. */
export const githubRepositories: RepositoryProvider<GithubRepositories> = {
  ...common,
  host: (api, config) => new GithubHost(api, config),
};

class GithubHost implements RepositoryHost {
  readonly #api: Api;
  readonly #config: GithubRepositories;

  constructor(api: Api, config: GithubRepositories) {
    this.#api = api;
    this.#config = config;
  }

  async repositories(protocol: "ssh" | "https"): Promise<readonly HostedRepository[]> {
    const { organization, excludeArchivedRepos = false } = this.#config;
    const first = `/orgs/${part(organization)}/repos`;
    const pages = await this.#api.pages(`${first}?per_page=100`, z.array(repository), nextPage(first));
    return pages
      .flat()
      .filter(({ archived }) => !(excludeArchivedRepos && archived))
      .map((each) => ({
        organization: each.owner.login,
        repository: each.name,
        repositoryId: each.id,
        url: protocol === "ssh" ? each.ssh_url : each.clone_url,
        defaultBranch: each.default_branch ?? "",
        labels: each.topics ?? [],
      }));
  }

  async branches(of: HostedRepository): Promise<readonly HostedBranch[]> {
    const first = `${repositoryPath(of)}/branches`;
    if (this.#config.allBranches === true) {
      const pages = await this.#api.pages(`${first}?per_page=100`, z.array(branch), nextPage(first));
      return pages.flat().map(({ name, commit }) => ({ ...of, branch: name, sha: commit.sha }));
    }
    if (of.defaultBranch === "") return [];
    // A repository without its default branch is empty.
    const found = await this.#api.find(`${first}/${part(of.defaultBranch)}`, branch);
    return found === undefined ? [] : [{ ...of, branch: found.name, sha: found.commit.sha }];
  }

  hasPath(of: HostedBranch, path: string): Promise<boolean> {
    return this.#api.exists(`${repositoryPath(of)}/contents/${parts(path)}${query({ ref: of.branch })}`);
  }
}

function repositoryPath(of: HostedRepository): string {
  return `/repos/${part(of.organization)}/${part(of.repository)}`;
}

/** `Link: <…page=2>; rel="next"`: only the number of the page is taken from it. */
function nextPage(path: string) {
  return ({ headers }: Page<unknown>): string | undefined => {
    const next = (headers["link"] ?? "").split(",").find((link) => /;\s*rel="?next"?/.test(link));
    const page = next === undefined ? undefined : /[?&]page=(\d+)/.exec(next)?.[1];
    return page === undefined ? undefined : `${path}${query({ per_page: 100, page })}`;
  };
}
