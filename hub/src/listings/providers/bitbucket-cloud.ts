import { z } from "zod";
import type { Api } from "../api.ts";
import type { HostedBranch, HostedRepository, SecretKeyRef } from "../model.ts";
import {
  bearer,
  type CloneProtocol,
  type PullRequestProvider,
  part,
  parts,
  type RepositoryHost,
  type RepositoryProvider,
  type Server,
  type SignIn,
  serverOf,
} from "./provider.ts";

/** `basicAuth` and `bearerToken` of both Bitbuckets. */
export interface BitbucketSignIn {
  readonly basicAuth?: { readonly username: string; readonly passwordRef: SecretKeyRef };
  readonly bearerToken?: { readonly tokenRef: SecretKeyRef };
}

/** `pullRequest.bitbucket`. */
export interface BitbucketPullRequests extends BitbucketSignIn {
  readonly owner: string;
  readonly repo: string;
  readonly api?: string;
}

/** `scmProvider.bitbucket`; `api` is ours. */
export interface BitbucketRepositories {
  readonly owner: string;
  readonly user?: string;
  readonly appPasswordRef?: SecretKeyRef;
  readonly allBranches?: boolean;
  readonly api?: string;
}

const pull = z.object({
  id: z.int(),
  title: z.string(),
  source: z.object({ branch: z.object({ name: z.string() }), commit: z.object({ hash: z.string() }).nullish() }),
  destination: z.object({ branch: z.object({ name: z.string() }) }),
  author: z.object({ nickname: z.string().default("") }).nullish(),
});
const repository = z.object({
  slug: z.string(),
  uuid: z.string(),
  mainbranch: z.object({ name: z.string() }).nullish(),
  links: z.object({ clone: z.array(z.object({ name: z.string(), href: z.string() })) }),
});
const branch = z.object({ name: z.string(), target: z.object({ hash: z.string() }) });

function server({ api }: { readonly api?: string }): Server {
  return serverOf(api, "https://api.bitbucket.org/2.0");
}

/** A bearer token wins over a password, as in Argo CD. */
export function bitbucketSignIn({ basicAuth, bearerToken }: BitbucketSignIn): SignIn {
  if (bearerToken !== undefined) return { kind: "bearer", ref: bearerToken.tokenRef };
  return basicAuth === undefined
    ? { kind: "none" }
    : { kind: "basic", username: basicAuth.username, ref: basicAuth.passwordRef };
}

/** Open pull requests of a repository at Bitbucket Cloud. Their labels are not told. */
export const bitbucketPullRequests: PullRequestProvider<BitbucketPullRequests> = {
  server,
  signIn: bitbucketSignIn,
  tokenHeader: bearer,
  async pullRequests(api, { owner, repo }) {
    const all = await listed(api, `/repositories/${part(owner)}/${part(repo)}/pullrequests?pagelen=50`, pull);
    return all.map((each) => ({
      number: String(each.id),
      title: each.title,
      branch: each.source.branch.name,
      targetBranch: each.destination.branch.name,
      headSha: each.source.commit?.hash ?? "",
      labels: [],
      author: each.author?.nickname ?? "",
    }));
  },
};

/** Repositories of a workspace of which the user is a member. */
export const bitbucketRepositories: RepositoryProvider<BitbucketRepositories> = {
  server,
  signIn: ({ user = "", appPasswordRef }) =>
    appPasswordRef === undefined ? { kind: "none" } : { kind: "basic", username: user, ref: appPasswordRef },
  tokenHeader: bearer,
  host: (api, config) => new BitbucketHost(api, config),
};

class BitbucketHost implements RepositoryHost {
  readonly #api: Api;
  readonly #config: BitbucketRepositories;

  constructor(api: Api, config: BitbucketRepositories) {
    this.#api = api;
    this.#config = config;
  }

  async repositories(protocol: CloneProtocol): Promise<readonly HostedRepository[]> {
    const { owner } = this.#config;
    const all = await listed(this.#api, `/repositories/${part(owner)}?role=member&pagelen=100`, repository);
    return all.map(({ slug, uuid, mainbranch, links }) => ({
      organization: owner,
      repository: slug,
      repositoryId: uuid,
      url: links.clone.find(({ name }) => name === protocol)?.href ?? "",
      defaultBranch: mainbranch?.name ?? "",
      labels: [],
    }));
  }

  async branches(of: HostedRepository): Promise<readonly HostedBranch[]> {
    const path = `${this.#path(of)}/refs/branches`;
    if (this.#config.allBranches === true) {
      const all = await listed(this.#api, `${path}?pagelen=100`, branch);
      return all.map(({ name, target }) => ({ ...of, branch: name, sha: target.hash }));
    }
    if (of.defaultBranch === "") return [];
    const found = await this.#api.find(`${path}/${parts(of.defaultBranch)}`, branch);
    return found === undefined ? [] : [{ ...of, branch: found.name, sha: found.target.hash }];
  }

  hasPath(of: HostedBranch, path: string): Promise<boolean> {
    return this.#api.exists(`${this.#path(of)}/src/${part(of.sha)}/${parts(path)}?format=meta`);
  }

  #path(of: HostedRepository): string {
    return `/repositories/${part(this.#config.owner)}/${part(of.repository)}`;
  }
}

/** The answer names its next page by URL. */
async function listed<T>(api: Api, first: string, schema: z.ZodType<T>): Promise<T[]> {
  const page = z.object({ values: z.array(schema), next: z.string().nullish() });
  const pages = await api.pages(first, page, ({ value }) => value.next ?? undefined);
  return pages.flatMap(({ values }) => values);
}
