import { z } from "zod";
import type { Api } from "../api.ts";
import type { ConfigMapKeyRef, HostedBranch, HostedRepository } from "../model.ts";
import { type BitbucketSignIn, bitbucketSignIn } from "./bitbucket-cloud.ts";
import {
  bearer,
  type CloneProtocol,
  type Provider,
  type PullRequestProvider,
  part,
  parts,
  query,
  type RepositoryHost,
  type RepositoryProvider,
  serverOf,
} from "./provider.ts";

interface BitbucketServerFields extends BitbucketSignIn {
  readonly project: string;
  readonly api: string;
  readonly insecure?: boolean;
  readonly caRef?: ConfigMapKeyRef;
}

/** `pullRequest.bitbucketServer`. */
export interface BitbucketServerPullRequests extends BitbucketServerFields {
  readonly repo: string;
}

/** `scmProvider.bitbucketServer`. */
export interface BitbucketServerRepositories extends BitbucketServerFields {
  readonly allBranches?: boolean;
}

const ref = z.object({ displayId: z.string(), latestCommit: z.string() });
const pull = z.object({
  id: z.int(),
  title: z.string(),
  fromRef: ref,
  toRef: z.object({ displayId: z.string() }),
  author: z.object({ user: z.object({ name: z.string().default("") }) }).nullish(),
});
const repository = z.object({
  id: z.int(),
  slug: z.string().nullish(),
  name: z.string(),
  project: z.object({ key: z.string() }),
  links: z.object({ clone: z.array(z.object({ name: z.string(), href: z.string() })).default([]) }),
});

const common: Provider<BitbucketServerFields> = {
  server({ api }) {
    // There is no public Bitbucket Server: any address is somebody's own. A given `/rest` is not doubled.
    const { url } = serverOf(api.replace(/\/rest\/?$/, ""), "", "/rest/api/1.0");
    return { url, isPublic: false };
  },
  signIn: bitbucketSignIn,
  tokenHeader: bearer,
};

/** Open pull requests of a repository. Bitbucket Server gives them no labels. */
export const bitbucketServerPullRequests: PullRequestProvider<BitbucketServerPullRequests> = {
  ...common,
  async pullRequests(api, { project, repo }) {
    const all = await listed(api, `/projects/${part(project)}/repos/${part(repo)}/pull-requests`, pull);
    return all.map((each) => ({
      number: String(each.id),
      title: each.title,
      branch: each.fromRef.displayId,
      targetBranch: each.toRef.displayId,
      headSha: each.fromRef.latestCommit,
      labels: [],
      author: each.author?.user.name ?? "",
    }));
  },
};

/** Repositories of a project. */
export const bitbucketServerRepositories: RepositoryProvider<BitbucketServerRepositories> = {
  ...common,
  host: (api, config) => new BitbucketServerHost(api, config),
};

class BitbucketServerHost implements RepositoryHost {
  readonly #api: Api;
  readonly #config: BitbucketServerRepositories;

  constructor(api: Api, config: BitbucketServerRepositories) {
    this.#api = api;
    this.#config = config;
  }

  async repositories(protocol: CloneProtocol): Promise<readonly HostedRepository[]> {
    const link = protocol === "ssh" ? "ssh" : "http";
    const all = await listed(this.#api, `/projects/${part(this.#config.project)}/repos`, repository);
    return all.map((each) => ({
      organization: each.project.key,
      repository: each.slug ?? each.name,
      repositoryId: each.id,
      url: each.links.clone.find(({ name }) => name === link)?.href ?? "",
      // Told by a question of its own.
      defaultBranch: "",
      labels: [],
    }));
  }

  async branches(of: HostedRepository): Promise<readonly HostedBranch[]> {
    // 404 and an empty answer both mean a repository without its default branch; Argo CD skips it, whatever is asked.
    const found = await this.#api.find(`${repositoryPath(of)}/branches/default`, ref);
    if (found === undefined) return [];
    if (this.#config.allBranches !== true) return [branchOf(of, found)];
    return (await listed(this.#api, `${repositoryPath(of)}/branches`, ref)).map((each) => branchOf(of, each));
  }

  hasPath(of: HostedBranch, path: string): Promise<boolean> {
    const asked = query({ at: of.branch, limit: 1, type: true });
    return this.#api.exists(`${repositoryPath(of)}/browse/${parts(path)}${asked}`);
  }
}

function branchOf(of: HostedRepository, found: z.infer<typeof ref>): HostedBranch {
  return { ...of, branch: found.displayId, sha: found.latestCommit };
}

function repositoryPath(of: HostedRepository): string {
  return `/projects/${part(of.organization)}/repos/${part(of.repository)}`;
}

/** The answer says where its next page starts. */
async function listed<T>(api: Api, path: string, schema: z.ZodType<T>): Promise<T[]> {
  const page = z.object({ values: z.array(schema), isLastPage: z.boolean(), nextPageStart: z.int().nullish() });
  const pages = await api.pages(`${path}${query({ limit: 100 })}`, page, ({ value }) =>
    value.isLastPage || value.nextPageStart === null || value.nextPageStart === undefined
      ? undefined
      : `${path}${query({ limit: 100, start: value.nextPageStart })}`,
  );
  return pages.flatMap(({ values }) => values);
}
