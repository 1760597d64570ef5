import { Fault } from "@capstan/proto";
import type { JsonObject } from "../documents/model.ts";
import type { Api } from "./api.ts";
import type { Asking, ConfigMaps } from "./asking.ts";
import type { GeneratorsConfig } from "./config.ts";
import type { ConfigMapKeyRef, Listing, ListingQuery } from "./model.ts";
import { pluginOf } from "./plugin.ts";
import { azurePullRequests, azureRepositories } from "./providers/azure-devops.ts";
import { bitbucketPullRequests, bitbucketRepositories } from "./providers/bitbucket-cloud.ts";
import { bitbucketServerPullRequests, bitbucketServerRepositories } from "./providers/bitbucket-server.ts";
import { giteaPullRequests, giteaRepositories } from "./providers/gitea.ts";
import { githubPullRequests, githubRepositories } from "./providers/github.ts";
import { gitlabPullRequests, gitlabRepositories } from "./providers/gitlab.ts";
import type { Provider, PullRequestProvider, RepositoryProvider } from "./providers/provider.ts";
import { listRepositories, type RepositorySpec } from "./repositories.ts";

// In the order in which Argo CD looks for them.
const pullRequestProviders = {
  github: githubPullRequests,
  gitlab: gitlabPullRequests,
  gitea: giteaPullRequests,
  bitbucketServer: bitbucketServerPullRequests,
  bitbucket: bitbucketPullRequests,
  azuredevops: azurePullRequests,
} as unknown as Readonly<Record<string, PullRequestProvider<JsonObject>>>;
const repositoryProviders = {
  github: githubRepositories,
  gitlab: gitlabRepositories,
  gitea: giteaRepositories,
  bitbucketServer: bitbucketServerRepositories,
  azureDevOps: azureRepositories,
  bitbucket: bitbucketRepositories,
} as unknown as Readonly<Record<string, RepositoryProvider<JsonObject>>>;

/** Reads a query: whom to ask, as whom, and how. Pure. Throws `bad-input`, `bad-config`, `not-allowed`, `unsupported`. */
export function askingOf(
  query: ListingQuery,
  world: { readonly config: GeneratorsConfig; readonly configMaps: ConfigMaps },
): Asking {
  if (query.kind === "plugin") return pluginOf(query, world.configMaps);
  if (!world.config.scmProviders) {
    throw new Fault("not-allowed", {
      message: "generators that ask Git hosts are switched off.",
      next: "Set generators.scmProviders in the hub's config, if they are meant to run.",
    });
  }
  if (query.kind === "pullRequests") {
    const { provider, fields } = chosen(pullRequestProviders, query.spec, "pullRequest");
    const run = async (api: Api): Promise<Listing> => ({
      kind: "pullRequests",
      items: await provider.pullRequests(api, fields),
    });
    return { ...askingFor(provider, fields, world.config), run };
  }
  const { provider, fields } = chosen(repositoryProviders, query.spec, "scmProvider");
  const spec = query.spec as unknown as RepositorySpec;
  const run = async (api: Api): Promise<Listing> => ({
    kind: "repositories",
    items: await listRepositories(provider.host(api, fields), spec),
  });
  return { ...askingFor(provider, fields, world.config), run };
}

function chosen<P>(providers: Readonly<Record<string, P>>, spec: JsonObject, generator: string) {
  if (spec["awsCodeCommit"] !== undefined) {
    throw new Fault("unsupported", {
      message: "scmProvider.awsCodeCommit is not supported yet.",
      next: "Use another provider, or a plugin generator.",
    });
  }
  for (const [name, provider] of Object.entries(providers)) {
    const fields = spec[name];
    if (fields !== undefined) return { provider, fields: fields as JsonObject };
  }
  throw new Fault("bad-input", {
    message: `${generator} names no provider that is known.`,
    next: `Name one of ${Object.keys(providers).join(", ")}.`,
  });
}

function askingFor(provider: Provider<JsonObject>, fields: JsonObject, config: GeneratorsConfig): Omit<Asking, "run"> {
  const api = typeof fields["api"] === "string" ? fields["api"] : "";
  const { allowedScmProviders } = config;
  if (api !== "" && allowedScmProviders.length > 0 && !allowedScmProviders.includes(api)) {
    throw new Fault("not-allowed", {
      message: `the API ${api} is none of those that sets may name: ${allowedScmProviders.join(", ")}.`,
      next: "Use one of them, or add it to generators.allowedScmProviders in the hub's config.",
    });
  }
  return {
    server: provider.server(fields),
    signIn: provider.signIn(fields),
    tokenHeader: (token) => provider.tokenHeader(token),
    insecure: fields["insecure"] === true,
    caRef: fields["caRef"] as ConfigMapKeyRef | undefined,
    timeoutMs: undefined,
  };
}
