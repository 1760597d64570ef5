import { Fault } from "@capstan/proto";
import type { ApplicationSource } from "../documents/model.ts";
import type { Tree, TreeEntry } from "../sources/model.ts";
import { joinPath } from "../sources/path.ts";
import { globMatcher } from "./glob.ts";
import { overrideFile } from "./override.ts";
import { type PlannedFile, repositoryRoot, type SourcePlan } from "./plan.ts";

const manifestFile = /\.(ya?ml|json|jsonnet)$/;

/** Plans a plain directory: the YAML and JSON files at the path, deeper ones only with `recurse`. */
export function planDirectory(
  source: ApplicationSource,
  at: { readonly tree: Tree; readonly path: string; readonly entries: readonly TreeEntry[] },
): SourcePlan {
  const { recurse = false, include = "", exclude = "" } = source.directory ?? {};
  const included = include === "" ? () => true : globMatcher(include);
  const excluded = exclude === "" ? () => false : globMatcher(exclude);
  const files = new Map<string, PlannedFile>();
  for (const entry of at.entries) {
    const inside = at.path === "" ? entry.path : entry.path.slice(at.path.length + 1);
    if (!manifestFile.test(inside) || overrideFile.test(inside) || (!recurse && inside.includes("/"))) continue;
    if (!included(inside) || excluded(inside)) continue;
    if (entry.path.endsWith(".jsonnet")) throw jsonnet(entry);
    if (entry.kind === "link") throw link(entry);
    files.set(joinPath(repositoryRoot, entry.path), { tree: at.tree, entry });
  }
  if (files.size === 0) throw empty(at.path, at.tree);
  return { type: "directory", path: at.path, tree: at.tree, files, made: new Map(), warnings: [] };
}

/** A text that says it is no manifest, as Argo CD has it. */
export function isSkipped(text: string): boolean {
  return text.includes("+argocd:skip-file-rendering");
}

/** `link-refused` for a link that a render would need. */
export function link(entry: TreeEntry): Fault {
  return new Fault("link-refused", {
    message: `expected a regular file, found a ${entry.kind === "link" ? "symbolic link" : "submodule"}; links are never followed.`,
    where: { file: entry.path },
    next: "Put a copy of the file in its place.",
  });
}

function jsonnet(entry: TreeEntry): Fault {
  return new Fault("unsupported", {
    message: "Jsonnet files are not supported yet.",
    where: { file: entry.path },
    next: "Commit what Jsonnet makes, or leave the file out with directory.exclude.",
  });
}

function empty(path: string, tree: Tree): Fault {
  return new Fault("path-empty", {
    message: `expected manifests at ${path === "" ? "the repository's root" : path}, found no YAML or JSON file.`,
    where: { repository: tree.repository.url, revision: tree.commit, file: path },
    next: "Check path, directory.include and directory.exclude; directory.recurse also reads deeper folders.",
  });
}
