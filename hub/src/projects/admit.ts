import type { ApplicationSource, ApplicationSpec, AppProject, AppProjectSpec } from "../documents/model.ts";
import { fits } from "./glob.ts";
import { normalizeRepository } from "./repository.ts";

/** Where an application goes, resolved to one cluster. */
export interface AdmitDestination {
  /** The cluster's name and server as Argo CD knows them. */
  readonly name: string;
  readonly server: string;
  /** `spec.argocd.project` of the cluster, where it belongs to one project alone. */
  readonly project?: string;
}

/** Why a project does not admit an application. */
export interface Refusal {
  readonly rule: "source" | "destination" | "source-namespace";
  readonly message: string;
  /** What to do about it. */
  readonly next: string;
}

/** What a project is asked about. */
export interface AdmitRequest {
  readonly spec: ApplicationSpec;
  readonly destination: AdmitDestination;
  /** Namespace of the Application (or set) itself. */
  readonly sourceNamespace: string;
  /** Namespace in which Argo CD's own documents live, whose Applications need no permission. */
  readonly homeNamespace: string;
}

/** Checks an application against its project; empty: it is admitted. All reasons are given at once. */
export function admit(project: AppProject, request: AdmitRequest): Refusal[] {
  const name = project.metadata.name;
  const refusals: Refusal[] = [];
  for (const source of sourcesOf(request.spec)) {
    if (permitsSource(project.spec, source.repoURL)) continue;
    refusals.push({
      rule: "source",
      message: `project ${name} does not permit the repository ${source.repoURL}.`,
      next: "Add it to spec.sourceRepos of the project, or use another repository.",
    });
  }
  const namespace = request.spec.destination.namespace ?? "";
  if (!permitsDestination(project, request.destination, namespace)) {
    const where = `cluster ${request.destination.name === "" ? request.destination.server : request.destination.name}`;
    refusals.push({
      rule: "destination",
      message: `project ${name} does not permit ${where}, namespace ${JSON.stringify(namespace)}.`,
      next: "Add it to spec.destinations of the project, or choose another destination.",
    });
  }
  if (!permitsSourceNamespace(project.spec, request)) {
    refusals.push({
      rule: "source-namespace",
      message: `project ${name} does not take Applications from namespace ${JSON.stringify(request.sourceNamespace)}.`,
      next: "Add it to spec.sourceNamespaces of the project.",
    });
  }
  return refusals;
}

/** All sources of an application; `sources` win over `source`. */
export function sourcesOf(spec: ApplicationSpec): readonly ApplicationSource[] {
  if ((spec.sources?.length ?? 0) > 0) return spec.sources ?? [];
  return spec.source === undefined ? [] : [spec.source];
}

/** `sourceRepos`: globs over normalised URLs; a `!` pattern that hits refuses, whatever else permits. */
export function permitsSource(spec: AppProjectSpec, repoURL: string): boolean {
  const wanted = normalizeRepository(repoURL);
  let permitted = false;
  for (const pattern of spec.sourceRepos ?? []) {
    const isDeny = pattern.startsWith("!");
    const normal = isDeny ? `!${normalizeRepository(pattern.slice(1))}` : normalizeRepository(pattern);
    if (fits(normal, wanted, "/")) permitted = true;
    else if (isDeny) return false;
  }
  return permitted;
}

/** `destinations`: each part is a glob, or with `!` its opposite; a deny that hits refuses, whatever else permits. */
export function permitsDestination(project: AppProject, destination: AdmitDestination, namespace: string): boolean {
  if (project.spec.permitOnlyProjectScopedClusters === true && destination.project !== project.metadata.name)
    return false;
  let permitted = false;
  for (const item of project.spec.destinations ?? []) {
    const [name, server, wantedNamespace] = [item.name ?? "", item.server ?? "", item.namespace ?? ""];
    const nameFits = destination.name !== "" && fits(name, destination.name);
    const serverFits = destination.server !== "" && fits(server, destination.server);
    const namespaceFits = fits(wantedNamespace, namespace);
    if ((nameFits || serverFits) && namespaceFits) permitted = true;
    else if (!nameFits && name.startsWith("!")) return false;
    else if (!serverFits && server.startsWith("!") && namespaceFits) return false;
    else if (!namespaceFits && wantedNamespace.startsWith("!") && (serverFits || nameFits)) return false;
  }
  return permitted;
}

function permitsSourceNamespace(spec: AppProjectSpec, request: AdmitRequest): boolean {
  if (request.sourceNamespace === request.homeNamespace) return true;
  return (spec.sourceNamespaces ?? []).some((pattern) => fits(pattern, request.sourceNamespace));
}
