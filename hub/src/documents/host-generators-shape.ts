import { templateShape } from "./application-shape.ts";
import {
  bool,
  extend,
  int,
  json,
  keep,
  list,
  map,
  pointer,
  type StructShape,
  string,
  stringMap,
  strings,
  struct,
} from "./shape.ts";

const secretRef = pointer(struct({ secretName: keep(string), key: keep(string) }));
const configMapKey = pointer(struct({ configMapName: keep(string), key: keep(string) }));
const basicAuth = pointer(struct({ username: keep(string), passwordRef: secretRef }));
const bearerToken = pointer(struct({ tokenRef: secretRef }));

const pullRequestFilter = struct({
  branchMatch: pointer(string),
  targetBranchMatch: pointer(string),
  titleMatch: pointer(string),
});

const githubPullRequests = struct({
  owner: keep(string),
  repo: keep(string),
  api: string,
  tokenRef: secretRef,
  appSecretName: string,
  labels: strings,
});
const gitlabPullRequests = struct({
  project: keep(string),
  api: string,
  tokenRef: secretRef,
  labels: strings,
  pullRequestState: string,
  insecure: bool,
  caRef: configMapKey,
});
const giteaPullRequests = struct({
  owner: keep(string),
  repo: keep(string),
  api: keep(string),
  tokenRef: secretRef,
  insecure: bool,
  labels: strings,
});
const bitbucketServerPullRequests = struct({
  project: keep(string),
  repo: keep(string),
  api: keep(string),
  basicAuth,
  bearerToken,
  insecure: bool,
  caRef: configMapKey,
});
const bitbucketPullRequests = struct({
  owner: keep(string),
  repo: keep(string),
  api: string,
  basicAuth,
  bearerToken,
});
const azurePullRequests = struct({
  organization: keep(string),
  project: keep(string),
  repo: keep(string),
  api: string,
  tokenRef: secretRef,
  labels: strings,
});

/** `pullRequest` of a set. */
export const pullRequestShape: StructShape = struct({
  github: pointer(githubPullRequests),
  gitlab: pointer(gitlabPullRequests),
  gitea: pointer(giteaPullRequests),
  bitbucketServer: pointer(bitbucketServerPullRequests),
  bitbucket: pointer(bitbucketPullRequests),
  azuredevops: pointer(azurePullRequests),
  filters: list(pullRequestFilter),
  requeueAfterSeconds: pointer(int),
  continueOnRepoNotFoundError: bool,
  values: stringMap,
  template: templateShape,
});

const repositoryFilter = struct({
  repositoryMatch: pointer(string),
  pathsExist: strings,
  pathsDoNotExist: strings,
  labelMatch: pointer(string),
  branchMatch: pointer(string),
});

/** What the providers of repositories have in common. */
const anyHost = struct({ api: string, allBranches: bool });

/** `scmProvider` of a set. */
export const scmProviderShape: StructShape = struct({
  github: pointer(
    extend(anyHost, {
      organization: keep(string),
      tokenRef: secretRef,
      appSecretName: string,
      excludeArchivedRepos: bool,
    }),
  ),
  gitlab: pointer(
    extend(anyHost, {
      group: keep(string),
      includeSubgroups: bool,
      includeSharedProjects: pointer(bool),
      includeArchivedRepos: bool,
      tokenRef: secretRef,
      insecure: bool,
      topic: string,
      caRef: configMapKey,
    }),
  ),
  gitea: pointer(
    extend(anyHost, { owner: keep(string), tokenRef: secretRef, insecure: bool, excludeArchivedRepos: bool }),
  ),
  bitbucketServer: pointer(
    extend(anyHost, { project: keep(string), basicAuth, bearerToken, insecure: bool, caRef: configMapKey }),
  ),
  bitbucket: pointer(extend(anyHost, { owner: keep(string), user: string, appPasswordRef: secretRef })),
  azureDevOps: pointer(
    extend(anyHost, { organization: keep(string), teamProject: keep(string), accessTokenRef: secretRef }),
  ),
  awsCodeCommit: pointer(json),
  filters: list(repositoryFilter),
  cloneProtocol: string,
  requeueAfterSeconds: pointer(int),
  values: stringMap,
  template: templateShape,
});

/** `plugin` of a set. */
export const pluginShape: StructShape = struct({
  configMapRef: keep(struct({ name: keep(string) })),
  input: struct({ parameters: map(json) }),
  requeueAfterSeconds: pointer(int),
  values: stringMap,
  template: templateShape,
});
