import { z } from "zod";
import type { Api, Page } from "../api.ts";
import type { ConfigMapKeyRef, HostedBranch, HostedRepository, SecretKeyRef } from "../model.ts";
import {
  type CloneProtocol,
  type Provider,
  type PullRequestProvider,
  part,
  query,
  type RepositoryHost,
  type RepositoryProvider,
  serverOf,
  tokenSignIn,
} from "./provider.ts";

interface GitlabFields {
  readonly api?: string;
  readonly tokenRef?: SecretKeyRef;
  readonly insecure?: boolean;
  readonly caRef?: ConfigMapKeyRef;
}

/** `pullRequest.gitlab`. */
export interface GitlabPullRequests extends GitlabFields {
  /** Path or number of the project. */
  readonly project: string;
  readonly labels?: readonly string[];
  readonly pullRequestState?: string;
}

/** `scmProvider.gitlab`. */
export interface GitlabRepositories extends GitlabFields {
  readonly group: string;
  readonly includeSubgroups?: boolean;
  readonly includeSharedProjects?: boolean;
  readonly includeArchivedRepos?: boolean;
  readonly allBranches?: boolean;
  readonly topic?: string;
}

const mergeRequest = z.object({
  iid: z.int(),
  title: z.string(),
  source_branch: z.string(),
  target_branch: z.string(),
  sha: z.string().nullish(),
  labels: z.array(z.string()).default([]),
  author: z.object({ username: z.string() }).nullish(),
});
const project = z.object({
  id: z.int(),
  path: z.string(),
  namespace: z.object({ full_path: z.string() }),
  default_branch: z.string().nullish(),
  ssh_url_to_repo: z.string(),
  http_url_to_repo: z.string(),
  topics: z.array(z.string()).nullish(),
  tag_list: z.array(z.string()).nullish(),
});
const branch = z.object({ name: z.string(), commit: z.object({ id: z.string() }) });
const treeEntry = z.object({ path: z.string() });

const common: Provider<GitlabFields> = {
  server: ({ api }) => serverOf(api, "https://gitlab.com/api/v4", "/api/v4"),
  signIn: ({ tokenRef }) => tokenSignIn(tokenRef),
  tokenHeader: (token) => ({ "private-token": token }),
};

/** Merge requests of a project, by state: without one, of every state, as in Argo CD. */
export const gitlabPullRequests: PullRequestProvider<GitlabPullRequests> = {
  ...common,
  async pullRequests(api, { project: name, labels = [], pullRequestState = "" }) {
    const asked = {
      per_page: 100,
      state: pullRequestState === "" ? undefined : pullRequestState,
      labels: labels.length === 0 ? undefined : labels.join(","),
    };
    const path = `/projects/${part(name)}/merge_requests`;
    const pages = await api.pages(`${path}${query(asked)}`, z.array(mergeRequest), nextPage(path, asked));
    return pages.flat().map((each) => ({
      number: String(each.iid),
      title: each.title,
      branch: each.source_branch,
      targetBranch: each.target_branch,
      headSha: each.sha ?? "",
      labels: each.labels,
      author: each.author?.username ?? "",
    }));
  },
};

/** Projects of a group. */
export const gitlabRepositories: RepositoryProvider<GitlabRepositories> = {
  ...common,
  host: (api, config) => new GitlabHost(api, config),
};

class GitlabHost implements RepositoryHost {
  readonly #api: Api;
  readonly #config: GitlabRepositories;

  constructor(api: Api, config: GitlabRepositories) {
    this.#api = api;
    this.#config = config;
  }

  async repositories(protocol: CloneProtocol): Promise<readonly HostedRepository[]> {
    const { group, includeSubgroups = false, includeSharedProjects = true, topic = "" } = this.#config;
    const asked = {
      per_page: 100,
      include_subgroups: includeSubgroups,
      with_shared: includeSharedProjects,
      topic: topic === "" ? undefined : topic,
      archived: this.#config.includeArchivedRepos === true ? undefined : false,
    };
    const path = `/groups/${part(group)}/projects`;
    const pages = await this.#api.pages(`${path}${query(asked)}`, z.array(project), nextPage(path, asked));
    return pages.flat().map((each) => ({
      organization: each.namespace.full_path,
      repository: each.path,
      repositoryId: each.id,
      url: protocol === "ssh" ? each.ssh_url_to_repo : each.http_url_to_repo,
      defaultBranch: each.default_branch ?? "",
      // Servers before 14.5 have no topics.
      labels: (each.topics?.length ?? 0) > 0 ? (each.topics ?? []) : (each.tag_list ?? []),
    }));
  }

  async branches(of: HostedRepository): Promise<readonly HostedBranch[]> {
    const path = `/projects/${of.repositoryId}/repository/branches`;
    if (this.#config.allBranches === true) {
      const asked = { per_page: 100 };
      const pages = await this.#api.pages(`${path}${query(asked)}`, z.array(branch), nextPage(path, asked));
      return pages.flat().map(({ name, commit }) => ({ ...of, branch: name, sha: commit.id }));
    }
    if (of.defaultBranch === "") return [];
    const found = await this.#api.find(`${path}/${part(of.defaultBranch)}`, branch);
    return found === undefined ? [] : [{ ...of, branch: found.name, sha: found.commit.id }];
  }

  /** There is no question for a directory alone: the one above it is listed. */
  async hasPath(of: HostedBranch, path: string): Promise<boolean> {
    const above = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : undefined;
    const asked = { per_page: 100, path: above, ref: of.branch };
    const tree = `/projects/${of.repositoryId}/repository/tree`;
    if (!(await this.#api.exists(`${tree}${query(asked)}`))) return false;
    const pages = await this.#api.pages(`${tree}${query(asked)}`, z.array(treeEntry), nextPage(tree, asked));
    return pages.flat().some((entry) => entry.path === path);
  }
}

function nextPage(path: string, asked: Parameters<typeof query>[0]) {
  return ({ headers }: Page<unknown>): string | undefined => {
    const page = headers["x-next-page"] ?? "";
    return page === "" ? undefined : `${path}${query({ ...asked, page })}`;
  };
}
