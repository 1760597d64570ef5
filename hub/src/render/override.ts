import type { ApplicationSource, Json, JsonObject } from "../documents/model.ts";
import type { Tree } from "../sources/model.ts";
import { joinPath } from "../sources/path.ts";
import { readYaml } from "../yaml/read.ts";
import { textOf } from "../yaml/text.ts";
import { isObject } from "./manifest.ts";

/** Files at a source's path that change its parameters, as Argo CD (and its image updater) has them. */
export const overrideFile = /^\.argocd-source(-.+)?\.yaml$/;

/**
 * The source with `.argocd-source.yaml` and then `.argocd-source-NAME.yaml` of its path put over it, as JSON merge
 * patches. Only parameters of the tools can change: never repository, revision, path, chart or ref.
 */
export async function withOverrides(
  source: ApplicationSource,
  at: { readonly tree: Tree; readonly path: string },
  name: string,
): Promise<ApplicationSource> {
  let merged = source as unknown as JsonObject;
  for (const file of [".argocd-source.yaml", `.argocd-source-${name}.yaml`]) {
    const path = joinPath(at.path, file);
    const entry = await at.tree.entry(path);
    if (entry === undefined || entry.kind === "directory") continue;
    const text = textOf(await at.tree.read(path), { file: path });
    for (const { value } of readYaml(text, { file: path })) merged = mergePatch(merged, value) as JsonObject;
  }
  if (merged === (source as unknown as JsonObject)) return source;
  const { directory, helm, kustomize, plugin } = merged as Partial<ApplicationSource>;
  const { directory: _, helm: __, kustomize: ___, plugin: ____, ...fixed } = source;
  return {
    ...fixed,
    ...(directory === undefined ? {} : { directory }),
    ...(helm === undefined ? {} : { helm }),
    ...(kustomize === undefined ? {} : { kustomize }),
    ...(plugin === undefined ? {} : { plugin }),
  };
}

/** RFC 7386: maps merge, null removes, all else replaces. */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const merged: Record<string, Json> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key] ?? null, value);
  }
  return merged;
}
