import type { HostedBranch } from "../listings/model.ts";
import { normalizeName } from "../template/names.ts";
import { GoMap, goInt64, type Value } from "../template/value.ts";
import type { GenerateContext, Params } from "./context.ts";
import { type AskingGenerator, askedOf, everySeconds, listingOf } from "./listing.ts";
import { appendValues } from "./values.ts";

/** `scmProvider` of a set; providers and filters are read where they are asked. */
export type ScmProviderGenerator = AskingGenerator;

/** One element for each branch of each repository that the filters take. */
export function generateRepositories(
  context: GenerateContext,
  generator: ScmProviderGenerator,
  path: string,
): Params[] {
  const listing = listingOf(
    context,
    {
      kind: "repositories",
      namespace: context.input.set.metadata.namespace,
      everySeconds: everySeconds(generator),
      spec: askedOf(generator),
    },
    path,
  );
  const sets: Params[] = [];
  for (const branch of listing?.items ?? []) {
    const params = paramsOf(branch);
    try {
      appendValues(context, generator.values, params);
      sets.push(params);
    } catch (thrown) {
      context.fail(thrown, { generator: path, step: "generator", element: params });
    }
  }
  return sets;
}

function paramsOf(of: HostedBranch): Params {
  const { repositoryId: id } = of;
  return new GoMap(
    new Map<string, Value>([
      ["organization", of.organization],
      ["repository", of.repository],
      ["repository_id", typeof id === "number" ? goInt64(id) : id],
      ["url", of.url],
      ["branch", of.branch],
      ["branchNormalized", normalizeName(of.branch)],
      ["sha", of.sha],
      ["short_sha", of.sha.slice(0, 8)],
      ["short_sha_7", of.sha.slice(0, 7)],
      ["labels", of.labels.join(",")],
    ]),
  );
}
