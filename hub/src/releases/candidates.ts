import { Fault, type TargetKey, targetKey } from "@capstan/proto";
import type { Cluster } from "../clusters/model.ts";
import type { Application, AppProject } from "../documents/model.ts";
import { unsupported, unsupportedInProject } from "../documents/unsupported.ts";
import { admit } from "../projects/admit.ts";
import { admitLocal } from "../projects/documents.ts";
import type { Destinations } from "../targets/destination.ts";
import type { Candidate, Refused, Target } from "../targets/model.ts";

/** What candidates are sorted with. */
export interface SortInput {
  readonly destinations: Destinations;
  readonly projects: ReadonlyMap<string, AppProject>;
  /** Who has the name already; undefined: nobody, or the owner itself. */
  rival(target: TargetKey): string | undefined;
}

/** Candidates sorted: targets, those for the hub itself (app-of-apps), and those refused. */
export interface Sorted {
  readonly targets: readonly (Target & { readonly destination: Cluster; readonly project: AppProject | undefined })[];
  readonly local: readonly Candidate[];
  readonly refused: readonly Refused[];
}

/** Sorts candidates; one that is wrong does not stop its neighbours. Pure. */
export function sortCandidates(candidates: readonly Candidate[], input: SortInput): Sorted {
  const sorted = { targets: [] as Sorted["targets"][number][], local: [] as Candidate[], refused: [] as Refused[] };
  for (const candidate of candidates) {
    const { namespace, name } = candidate.application.metadata;
    const key = targetKey(namespace, name);
    try {
      if (input.destinations.isLocal(candidate.application.spec.destination)) {
        acceptLocal(candidate.application, input);
        sorted.local.push(candidate);
      } else sorted.targets.push({ ...accept(candidate, key, input) });
    } catch (thrown) {
      const fault = Fault.from(thrown, "bad-input").at({ target: key, ...(candidate.set && { set: candidate.set }) });
      sorted.refused.push({ key, set: candidate.set, fault });
    }
  }
  return sorted;
}

function accept(candidate: Candidate, key: TargetKey, input: SortInput): Sorted["targets"][number] {
  const { application, set, madeBy } = candidate;
  const rival = input.rival(key);
  if (rival !== undefined) {
    throw new Fault("name-conflict", {
      message: `the application name ${key} is taken by ${rival}.`,
      next: "Give one of the two another name.",
    });
  }
  const destination = input.destinations.of(application);
  const project = projectOf(application, input);
  if (project !== undefined) {
    checkProject(project, candidate, destination);
  }
  const { refused } = unsupported(application.spec);
  if (refused[0] !== undefined) {
    throw new Fault("unsupported", {
      message: `the application is refused, for it asks for protection that is not honoured yet: ${refused.join("; ")}.`,
      next: "Remove the field where the target may do without it.",
    });
  }
  return { key, application, cluster: destination.id, set, madeBy, destination, project };
}

/** App-of-apps: it makes documents, which no project but a wide one may do. */
function acceptLocal(application: Application, input: SortInput): void {
  const project = projectOf(application, input);
  const refusals = project === undefined ? [] : admitLocal(project, application);
  if (refusals.length === 0) return;
  throw new Fault("not-allowed", {
    message: refusals.map(({ message }) => message).join(" "),
    where: { field: "spec.project" },
    next: refusals[0]?.next ?? "Permit it in the project.",
  });
}

function projectOf({ spec }: Application, { projects }: SortInput): AppProject | undefined {
  const project = projects.get(spec.project);
  if (project !== undefined || spec.project === "default") return project;
  throw new Fault("not-found", {
    message: `project ${JSON.stringify(spec.project)} does not exist.`,
    where: { field: "spec.project" },
    next: "Apply the AppProject, or name an existing one.",
  });
}

/** Where Argo CD's own documents live by default: its Applications need no permission of a project. */
const homeNamespace = "argocd";

/** Throws `not-allowed` with every rule of the project that the application breaks. */
function checkProject(project: AppProject, { application }: Candidate, { argocd }: Cluster): void {
  const { name, server, project: own } = argocd;
  const refusals = admit(project, {
    spec: application.spec,
    destination: { name, server, ...(own === undefined ? {} : { project: own }) },
    sourceNamespace: application.metadata.namespace,
    homeNamespace,
  });
  const findings = unsupportedInProject(project.spec).refused;
  if (refusals.length === 0 && findings.length === 0) return;
  throw new Fault(refusals.length > 0 ? "not-allowed" : "unsupported", {
    message: [...refusals.map(({ message }) => message), ...findings].join(" "),
    where: { field: "spec.project" },
    next: refusals[0]?.next ?? `Remove the field from project ${project.metadata.name} where it may do without.`,
  });
}
