import { z } from "zod";
import type { Api } from "../api.ts";
import type { HostedBranch, HostedRepository, SecretKeyRef } from "../model.ts";
import {
  bearer,
  hasLabels,
  type PullRequestProvider,
  part,
  query,
  type RepositoryHost,
  type RepositoryProvider,
  type Server,
  type SignIn,
  serverOf,
} from "./provider.ts";

/** `pullRequest.azuredevops`. */
export interface AzurePullRequests {
  readonly organization: string;
  readonly project: string;
  readonly repo: string;
  readonly api?: string;
  readonly tokenRef?: SecretKeyRef;
  readonly labels?: readonly string[];
}

/** `scmProvider.azureDevOps`. */
export interface AzureRepositories {
  readonly organization: string;
  readonly teamProject: string;
  readonly api?: string;
  readonly accessTokenRef?: SecretKeyRef;
  readonly allBranches?: boolean;
}

const version = "7.1";
const top = 100;
const pull = z.object({
  pullRequestId: z.int(),
  title: z.string().default(""),
  sourceRefName: z.string(),
  targetRefName: z.string(),
  lastMergeSourceCommit: z.object({ commitId: z.string() }).nullish(),
  labels: z.array(z.object({ name: z.string() })).nullish(),
  createdBy: z.object({ uniqueName: z.string().default("") }).nullish(),
});
const repository = z.object({
  id: z.string(),
  name: z.string(),
  defaultBranch: z.string().nullish(),
  remoteUrl: z.string().nullish(),
  isDisabled: z.boolean().default(false),
});
const branch = z.object({ name: z.string(), commit: z.object({ commitId: z.string() }) });

function server({ api, organization }: { readonly api?: string; readonly organization: string }): Server {
  const { url, isPublic } = serverOf(api, "https://dev.azure.com");
  return { url: `${url}/${part(organization)}`, isPublic };
}

/** A personal access token is a password without a user. */
function signIn(ref: SecretKeyRef | undefined): SignIn {
  return ref === undefined ? { kind: "none" } : { kind: "basic", username: "", ref };
}

/** Active pull requests of a repository. One that was never merged on trial names no commit, and is left out as in Argo CD. */
export const azurePullRequests: PullRequestProvider<AzurePullRequests> = {
  server,
  signIn: ({ tokenRef }) => signIn(tokenRef),
  tokenHeader: bearer,
  async pullRequests(api, { project, repo, labels }) {
    const path = `/${part(project)}/_apis/git/repositories/${part(repo)}/pullrequests`;
    const url = (skip: number) =>
      `${path}${query({ "searchCriteria.status": "active", $top: top, $skip: skip, "api-version": version })}`;
    const page = z.object({ value: z.array(pull) });
    const pages = await api.pages(url(0), page, ({ value }, at) =>
      value.value.length < top ? undefined : url(at * top),
    );
    return pages
      .flatMap(({ value }) => value)
      .flatMap((each) => {
        const commit = each.lastMergeSourceCommit?.commitId;
        const found = (each.labels ?? []).map(({ name }) => name);
        if (commit === undefined || !hasLabels(labels, found)) return [];
        return {
          number: String(each.pullRequestId),
          title: each.title,
          branch: withoutHeads(each.sourceRefName),
          targetBranch: withoutHeads(each.targetRefName),
          headSha: commit,
          labels: found,
          author: (each.createdBy?.uniqueName ?? "").split("@")[0] ?? "",
        };
      });
  },
};

/** Repositories of a project. Their URL is HTTPS, whatever the clone protocol. */
export const azureRepositories: RepositoryProvider<AzureRepositories> = {
  server,
  signIn: ({ accessTokenRef }) => signIn(accessTokenRef),
  tokenHeader: bearer,
  host: (api, config) => new AzureHost(api, config),
};

class AzureHost implements RepositoryHost {
  readonly #api: Api;
  readonly #config: AzureRepositories;

  constructor(api: Api, config: AzureRepositories) {
    this.#api = api;
    this.#config = config;
  }

  async repositories(): Promise<readonly HostedRepository[]> {
    const asked = query({ "api-version": version });
    const { value } = await this.#api.get(
      `/${part(this.#config.teamProject)}/_apis/git/repositories${asked}`,
      z.object({ value: z.array(repository) }),
    );
    return value.value
      .filter(({ defaultBranch, remoteUrl, isDisabled }) => Boolean(defaultBranch) && Boolean(remoteUrl) && !isDisabled)
      .map(({ id, name, defaultBranch, remoteUrl }) => ({
        organization: this.#config.organization,
        repository: name,
        repositoryId: id,
        url: remoteUrl ?? "",
        defaultBranch: withoutHeads(defaultBranch ?? ""),
        labels: [],
      }));
  }

  async branches(of: HostedRepository): Promise<readonly HostedBranch[]> {
    const path = `${this.#path(of)}/stats/branches`;
    if (this.#config.allBranches === true) {
      const { value } = await this.#api.get(
        `${path}${query({ "api-version": version })}`,
        z.object({ value: z.array(branch) }),
      );
      return value.value.map(({ name, commit }) => ({ ...of, branch: name, sha: commit.commitId }));
    }
    const found = await this.#api.find(`${path}${query({ name: of.defaultBranch, "api-version": version })}`, branch);
    return found === undefined ? [] : [{ ...of, branch: found.name, sha: found.commit.commitId }];
  }

  hasPath(of: HostedBranch, path: string): Promise<boolean> {
    const asked = query({
      path,
      "versionDescriptor.version": of.branch,
      "versionDescriptor.versionType": "branch",
      $format: "json",
      "api-version": version,
    });
    return this.#api.exists(`${this.#path(of)}/items${asked}`);
  }

  #path(of: HostedRepository): string {
    return `/${part(this.#config.teamProject)}/_apis/git/repositories/${part(String(of.repositoryId))}`;
  }
}

function withoutHeads(ref: string): string {
  return ref.replace(/^refs\/heads\//, "");
}
