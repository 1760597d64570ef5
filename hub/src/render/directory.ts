import { Fault } from "@capstan/proto";
import type { ApplicationSource } from "../documents/model.ts";
import type { Tree, TreeEntry } from "../sources/model.ts";
import { joinPath } from "../sources/path.ts";
import type { BuildEnvironment } from "./environment.ts";
import { globMatcher } from "./glob.ts";
import { planJsonnet } from "./jsonnet.ts";
import { link } from "./link.ts";
import { overrideFile } from "./override.ts";
import { type PlannedFile, repositoryRoot, type SourcePlan } from "./plan.ts";

const manifestFile = /\.(ya?ml|json|jsonnet)$/;

/** Where a directory is, and what its files may name. */
export interface DirectoryPlace {
  readonly tree: Tree;
  readonly path: string;
  readonly entries: readonly TreeEntry[];
  readonly environment: BuildEnvironment;
}

/** Plans a directory: the YAML, JSON and Jsonnet files at the path, deeper ones only with `recurse`. */
export async function planDirectory(source: ApplicationSource, at: DirectoryPlace): Promise<SourcePlan> {
  const { recurse = false, include = "", exclude = "" } = source.directory ?? {};
  const included = include === "" ? () => true : globMatcher(include);
  const excluded = exclude === "" ? () => false : globMatcher(exclude);
  const files = new Map<string, PlannedFile>();
  const evaluated: TreeEntry[] = [];
  for (const entry of at.entries) {
    const inside = at.path === "" ? entry.path : entry.path.slice(at.path.length + 1);
    if (!manifestFile.test(inside) || overrideFile.test(inside) || (!recurse && inside.includes("/"))) continue;
    if (!included(inside) || excluded(inside)) continue;
    if (entry.kind === "link") throw link(entry);
    if (entry.path.endsWith(".jsonnet")) evaluated.push(entry);
    else files.set(joinPath(repositoryRoot, entry.path), { tree: at.tree, entry });
  }
  if (files.size === 0 && evaluated.length === 0) throw empty(at.path, at.tree);
  const plan = { type: "directory", path: at.path, tree: at.tree, made: new Map(), warnings: [] } as const;
  const manifests = [...files.keys()];
  if (evaluated.length === 0) return { ...plan, files, manifests };
  const { plan: jsonnet, files: needed } = await planJsonnet(source, evaluated, at);
  return { ...plan, files: new Map([...files, ...needed]), manifests, jsonnet };
}

/** A text that says it is no manifest, as Argo CD has it. */
export function isSkipped(text: string): boolean {
  return text.includes("+argocd:skip-file-rendering");
}

function empty(path: string, tree: Tree): Fault {
  return new Fault("path-empty", {
    message: `expected manifests at ${path === "" ? "the repository's root" : path}, found no YAML, JSON or Jsonnet file.`,
    where: { repository: tree.repository.url, revision: tree.commit, file: path },
    next: "Check path, directory.include and directory.exclude; directory.recurse also reads deeper folders.",
  });
}
