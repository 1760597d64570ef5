import type { JsonObject } from "../documents/model.ts";
import { badInput, type GenerateContext, type Params } from "./context.ts";
import { generateDirectories } from "./git-directories.ts";
import { generateFiles } from "./git-files.ts";
import type { GitGenerator } from "./git-model.ts";
import type { GitTreeView } from "./model.ts";

/** One element for each directory, or each object of each file, that the patterns take. */
export function generateGit(context: GenerateContext, generator: GitGenerator, path: string): Params[] {
  checkProject(context);
  const hasDirectories = (generator.directories?.length ?? 0) > 0;
  if (!hasDirectories && (generator.files?.length ?? 0) === 0) {
    throw badInput("a git generator needs directories or files.", "Name the paths to look at.");
  }
  const tree = treeOf(context, generator);
  if (tree === undefined) return [];
  return hasDirectories
    ? generateDirectories({ context, generator, path }, tree)
    : generateFiles({ context, generator, path }, tree);
}

/** A project that is written out must exist; one that is templated cannot be known yet. */
function checkProject(context: GenerateContext): void {
  const spec = context.input.set.spec.template["spec"] as JsonObject | undefined;
  const project = typeof spec?.["project"] === "string" ? spec["project"] : "";
  if (!project.includes("{{") && !context.input.projects.has(project)) {
    throw badInput(
      `the project ${JSON.stringify(project)} does not exist.`,
      "Create the AppProject, or name another.",
      "spec.template.spec.project",
    );
  }
}

function treeOf(context: GenerateContext, generator: GitGenerator): GitTreeView | undefined {
  const { repoURL, revision } = generator;
  const tree = context.input.git.tree(repoURL, revision);
  if (tree === undefined) {
    context.need({ repoURL, revision });
    return undefined;
  }
  if (tree.fault !== undefined) throw tree.fault.at({ repository: repoURL, revision });
  if (!tree.complete) context.complete = false;
  return tree;
}
