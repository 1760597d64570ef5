import { Fault, parallel } from "@capstan/proto";
import { RE2JS } from "re2js";
import type { HostedBranch, HostedRepository } from "./model.ts";
import { atOnce, type CloneProtocol, type RepositoryHost } from "./providers/provider.ts";

/** One of `scmProvider.filters`. */
interface RepositoryFilter {
  readonly repositoryMatch?: string;
  readonly labelMatch?: string;
  readonly branchMatch?: string;
  readonly pathsExist?: readonly string[];
  readonly pathsDoNotExist?: readonly string[];
}

/** What of `scmProvider` is no provider's. */
export interface RepositorySpec {
  readonly filters?: readonly RepositoryFilter[];
  readonly cloneProtocol?: string;
}

/**
 * Repositories and branches that the filters take. As in Argo CD: conditions of a filter are all to hold, one filter is
 * enough; those on repositories cut the list before branches are asked for, so that classes of filters combine by AND.
 */
export async function listRepositories(host: RepositoryHost, spec: RepositorySpec): Promise<readonly HostedBranch[]> {
  const filters = spec.filters ?? [];
  const repositoryFilters = filters.filter((one) => one.repositoryMatch !== undefined || one.labelMatch !== undefined);
  const branchFilters = filters.filter(
    (one) =>
      one.branchMatch !== undefined || (one.pathsExist?.length ?? 0) > 0 || (one.pathsDoNotExist?.length ?? 0) > 0,
  );
  const compiled = new Map(filters.map((filter, index) => [filter, compile(filter, index)] as const));
  const all = await host.repositories(protocolOf(spec.cloneProtocol));
  const taken = all.filter(
    (each) => repositoryFilters.length === 0 || repositoryFilters.some((one) => compiled.get(one)?.repository(each)),
  );
  const branches = (await parallel(taken, atOnce, (each) => host.branches(each))).flat();
  if (branchFilters.length === 0) return branches;
  const holds = await parallel(branches, atOnce, async (each) => {
    for (const filter of branchFilters) {
      if (compiled.get(filter)?.branch(each) === true && (await pathsHold(host, each, filter))) return true;
    }
    return false;
  });
  return branches.filter((_, index) => holds[index]);
}

function protocolOf(text = ""): CloneProtocol {
  if (text === "" || text === "ssh") return "ssh";
  if (text === "https") return "https";
  throw new Fault("bad-input", {
    message: `cloneProtocol is ssh or https; found ${JSON.stringify(text)}.`,
    where: { field: "cloneProtocol" },
    next: "Use one of the two.",
  });
}

function compile(filter: RepositoryFilter, index: number) {
  const match = (field: "repositoryMatch" | "labelMatch" | "branchMatch") => {
    const source = filter[field];
    return source === undefined ? () => true : compilePattern(source, `filters[${index}].${field}`);
  };
  const [repository, label, branch] = [match("repositoryMatch"), match("labelMatch"), match("branchMatch")];
  return {
    repository: (each: HostedRepository) =>
      repository(each.repository) && (filter.labelMatch === undefined || each.labels.some(label)),
    branch: (each: HostedBranch) => branch(each.branch),
  };
}

/** A regular expression in RE2's language, found anywhere in the text. Throws `bad-input` with the field. */
export function compilePattern(source: string, field: string): (text: string) => boolean {
  try {
    const pattern = RE2JS.compile(source);
    return (text) => pattern.matcher(text).find();
  } catch (thrown) {
    throw new Fault("bad-input", {
      message: `${JSON.stringify(source)} is no regular expression: ${thrown instanceof Error ? thrown.message : String(thrown)}.`,
      where: { field },
      next: "Mend it; the language is RE2's.",
    });
  }
}

async function pathsHold(host: RepositoryHost, branch: HostedBranch, filter: RepositoryFilter): Promise<boolean> {
  for (const path of filter.pathsExist ?? []) if (!(await host.hasPath(branch, trimmed(path)))) return false;
  for (const path of filter.pathsDoNotExist ?? []) if (await host.hasPath(branch, trimmed(path))) return false;
  return true;
}

function trimmed(path: string): string {
  return path.replace(/\/+$/, "");
}
