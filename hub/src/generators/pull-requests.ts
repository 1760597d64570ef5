import type { PullRequest, PullRequestQuery } from "../listings/model.ts";
import { compilePattern } from "../listings/repositories.ts";
import { GoList, GoMap, type Value } from "../template/value.ts";
import type { GenerateContext, Params } from "./context.ts";
import { type AskingGenerator, askedOf, everySeconds, listingOf } from "./listing.ts";
import { slugOf } from "./slug.ts";
import { appendValues } from "./values.ts";

interface PullRequestFilter {
  readonly branchMatch?: string;
  readonly targetBranchMatch?: string;
  readonly titleMatch?: string;
}

/** `pullRequest` of a set. */
export interface PullRequestGenerator extends AskingGenerator {
  readonly filters?: readonly PullRequestFilter[];
  readonly continueOnRepoNotFoundError?: boolean;
}

/** One element for each open pull request that a filter takes. */
export function generatePullRequests(
  context: GenerateContext,
  generator: PullRequestGenerator,
  path: string,
): Params[] {
  const query: PullRequestQuery = {
    kind: "pullRequests",
    namespace: context.input.set.metadata.namespace,
    everySeconds: everySeconds(generator),
    spec: askedOf(generator, ["filters", "continueOnRepoNotFoundError"]),
  };
  const takes = compileFilters(generator.filters ?? []);
  const sets: Params[] = [];
  for (const pull of listed(context, { generator, query }, path)) {
    if (!takes(pull)) continue;
    const params = paramsOf(pull, context.goTemplate);
    try {
      appendValues(context, generator.values, params);
      sets.push(params);
    } catch (thrown) {
      context.fail(thrown, { generator: path, step: "generator", element: params });
    }
  }
  return sets;
}

function listed(
  context: GenerateContext,
  asked: { readonly generator: PullRequestGenerator; readonly query: PullRequestQuery },
  path: string,
): readonly PullRequest[] {
  // A repository that is not there has no pull requests, where the set says so.
  const state = context.input.listings?.get(asked.query);
  const isGone = state?.fault?.code === "repository-not-found";
  if (isGone && asked.generator.continueOnRepoNotFoundError === true) return [];
  return listingOf(context, asked.query, path)?.items ?? [];
}

/** Conditions of a filter are all to hold, one filter is enough. Throws `bad-input` with the field. */
function compileFilters(filters: readonly PullRequestFilter[]): (pull: PullRequest) => boolean {
  const compiled = filters.map((filter, index) => {
    const matcher = (field: keyof PullRequestFilter) => {
      const source = filter[field];
      return source === undefined ? () => true : compilePattern(source, `filters[${index}].${field}`);
    };
    const [branch, target, title] = [matcher("branchMatch"), matcher("targetBranchMatch"), matcher("titleMatch")];
    return (pull: PullRequest) => branch(pull.branch) && target(pull.targetBranch) && title(pull.title);
  });
  return (pull) => compiled.length === 0 || compiled.some((takes) => takes(pull));
}

function paramsOf(pull: PullRequest, goTemplate: boolean): Params {
  const entries: [string, Value][] = [
    ["number", pull.number],
    ["title", pull.title],
    ["branch", pull.branch],
    ["branch_slug", slugOf(pull.branch)],
    ["target_branch", pull.targetBranch],
    ["target_branch_slug", slugOf(pull.targetBranch)],
    ["head_sha", pull.headSha],
    ["head_short_sha", pull.headSha.slice(0, 8)],
    ["head_short_sha_7", pull.headSha.slice(0, 7)],
    ["author", pull.author],
  ];
  // Argo CD gives labels in Go templates only.
  if (goTemplate) entries.push(["labels", new GoList([...pull.labels], "string")]);
  return new GoMap(new Map(entries));
}
