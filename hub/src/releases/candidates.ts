import { Fault, type TargetKey, targetKey } from "@capstan/proto";
import type { Cluster } from "../clusters/model.ts";
import type { AppProject } from "../documents/model.ts";
import { unsupported } from "../documents/unsupported.ts";
import type { Destinations } from "../targets/destination.ts";
import type { Candidate, Refused, Target } from "../targets/model.ts";

/** The project's word on an application: every rule that it breaks. */
export type Admit = (project: AppProject, target: Candidate, cluster: Cluster) => readonly Fault[];

/** What candidates are sorted with. */
export interface SortInput {
  readonly destinations: Destinations;
  readonly projects: ReadonlyMap<string, AppProject>;
  /** Who has the name already; undefined: nobody, or the owner itself. */
  rival(target: TargetKey): string | undefined;
  readonly admit: Admit;
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
      if (input.destinations.isLocal(candidate.application.spec.destination)) sorted.local.push(candidate);
      else sorted.targets.push({ ...accept(candidate, key, input) });
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
  const project = input.projects.get(application.spec.project);
  if (project === undefined && application.spec.project !== "default") {
    throw new Fault("not-found", {
      message: `project ${JSON.stringify(application.spec.project)} does not exist.`,
      where: { field: "spec.project" },
      next: "Apply the AppProject, or name an existing one.",
    });
  }
  if (project !== undefined) {
    const [first] = input.admit(project, candidate, destination);
    if (first !== undefined) throw first;
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
