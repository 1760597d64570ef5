import type { ApplicationSource } from "../documents/model.ts";
import type { Tree } from "../sources/model.ts";
import type { RenderRequest } from "./model.ts";

/** Argo CD's build environment: the variables that a source may name. */
export type BuildEnvironment = ReadonlyMap<string, string>;

/** The variables of one source of a request. */
export function buildEnvironment(request: RenderRequest, source: ApplicationSource, tree: Tree): BuildEnvironment {
  return new Map([
    ["ARGOCD_APP_NAME", request.name],
    ["ARGOCD_APP_NAMESPACE", request.namespace],
    ["ARGOCD_APP_PROJECT_NAME", request.project ?? ""],
    ["ARGOCD_APP_REVISION", tree.commit],
    ["ARGOCD_APP_REVISION_SHORT", tree.commit.slice(0, 7)],
    ["ARGOCD_APP_REVISION_SHORT_8", tree.commit.slice(0, 8)],
    ["ARGOCD_APP_SOURCE_REPO_URL", source.repoURL],
    ["ARGOCD_APP_SOURCE_PATH", source.path ?? ""],
    ["ARGOCD_APP_SOURCE_TARGET_REVISION", source.targetRevision ?? ""],
    ["KUBE_VERSION", request.kubeVersion ?? ""],
    ["KUBE_API_VERSIONS", [...(request.apiVersions ?? [])].sort().join(",")],
  ]);
}

/** Whether a source names what changes with every commit. */
export function namesRevision(text: string): boolean {
  return text.includes("ARGOCD_APP_REVISION");
}

/** Puts variables in as Go's `os.Expand` does: `$NAME` and `${NAME}`, unknown ones are empty, `$$` is a dollar sign. */
export function substitute(text: string, environment: BuildEnvironment): string {
  return text.replace(
    /\$(?:\{([^}]*)\}|([*#$@!?\-0-9])|([A-Za-z_][A-Za-z0-9_]*))/g,
    (_, braced?: string, special?: string, plain?: string) =>
      special === "$" ? "$" : (environment.get(braced ?? special ?? plain ?? "") ?? ""),
  );
}
