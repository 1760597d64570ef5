/**
 * Generators turn an ApplicationSet into Applications: pure, over what has been loaded. `generate.ts` is the way in;
 * what it lacks comes back as `needs`, which the caller loads before it calls again. What fails is named and left out,
 * and the result says whether it is complete: only then may anything be removed (docs/concepts/sets-lanes-releases.md).
 */
import type { Fault } from "@capstan/proto";
import type { Application, ApplicationSet, JsonObject } from "../documents/model.ts";
import type { ListingQuery, ListingSnapshot } from "../listings/model.ts";

/** A cluster as Argo CD's cluster Secret shows it. */
export interface ClusterParams {
  readonly name: string;
  readonly server: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly project?: string;
}

/** A pure view of what has been loaded from Git. */
export interface GitSnapshot {
  /** Undefined: not loaded yet; it becomes a need. */
  tree(repoURL: string, revision: string): GitTreeView | undefined;
}

export interface GitTreeView {
  readonly commit: string;
  /** False where the listing may lack something: then nothing may be removed. */
  readonly complete: boolean;
  /** All files, without a leading slash. */
  paths(): readonly string[];
  /** Undefined: not loaded yet; it becomes a need. */
  text(path: string): string | undefined;
  /** Set where the repository or revision could not be read at all. */
  readonly fault?: Fault;
}

/** What must be loaded before `generate` can finish; without a path, the listing is meant. */
export interface GitNeed {
  readonly repoURL: string;
  readonly revision: string;
  readonly path?: string;
}

export interface GenerateInput {
  readonly set: ApplicationSet;
  /** One per cluster Secret; `in-cluster` is added as Argo CD does. */
  readonly clusters: readonly ClusterParams[];
  /** Names of the projects that exist. */
  readonly projects: ReadonlySet<string>;
  readonly git: GitSnapshot;
  /** What servers outside answered; absent: none can be asked, and generators that need one are refused by name. */
  readonly listings?: ListingSnapshot;
  /** Data of a ConfigMap document in the set's namespace; undefined: there is none of that name. */
  readonly configMap?: (name: string) => Readonly<Record<string, string>> | undefined;
  /** `isolate`: a bad element is left out, its neighbours go on. `strict`: the first fault stops the whole set, as Argo CD does. */
  readonly compat: "isolate" | "strict";
  /** Argo CD's `--enable-new-git-file-globbing`. */
  readonly newGitFileGlobbing: boolean;
  /** What if: nothing of it is remembered. */
  readonly preview?: boolean;
}

/** Where an application came from. */
export interface Trace {
  /** `generators[1].matrix.generators[0].git`. */
  readonly generator: string;
  /** The element's parameters. */
  readonly element: JsonObject;
}

export interface GeneratedApplication {
  readonly application: Application;
  readonly trace: Trace;
}

/** Why Argo CD's last check rejects an application; `name-invalid` is what the API server would say. */
export type Rejection = "no-name" | "name-invalid" | "duplicate-name" | "project-missing" | "destination-invalid";

export interface RejectedApplication extends GeneratedApplication {
  readonly rejection: Rejection;
  readonly fault: Fault;
}

/** A fault of one element, or of a whole generator (then without `element`). */
export interface ElementFault {
  readonly fault: Fault;
  readonly generator: string;
  readonly element?: JsonObject;
  /** Which of Argo CD's steps failed; `panic` is a generator that would crash there. */
  readonly step: "generator" | "render" | "validation" | "panic" | "decode";
}

export type ConditionType = "ErrorOccurred" | "ParametersGenerated" | "ResourcesUpToDate";

/** One of the set's conditions, with Argo CD's types and reasons. */
export interface Condition {
  readonly type: ConditionType;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** One target that a run added, removed or changed, and why. */
export interface TargetChange {
  readonly kind: "added" | "removed" | "changed";
  /** The application's name. */
  readonly name: string;
  /** The generator that makes it, or made it. */
  readonly generator: string;
  /** `metadata.labels.env: "dev" to "prod"` for each parameter that differs; empty where only the template did. */
  readonly because: readonly string[];
}

/** What a run changed against the one before. */
export interface Changes {
  readonly targets: readonly TargetChange[];
  /** Of how many. */
  readonly total: number;
}

export interface GenerateResult {
  /** Valid ones, in order of the generators; names are unique. */
  readonly applications: readonly GeneratedApplication[];
  readonly faults: readonly ElementFault[];
  /** Load these and call again; until it is empty the rest is provisional. */
  readonly needs: readonly GitNeed[];
  /** Ask these and call again; until it is empty the rest is provisional. */
  readonly listingNeeds: readonly ListingQuery[];
  /** False where anything failed or was listed incompletely: then nothing may be removed (promise 3). */
  readonly complete: boolean;
  /** Complete, and yet no application at all. */
  readonly empty: boolean;
  /** Generated but not accepted; what runs under their names is neither changed nor removed. */
  readonly rejected: readonly RejectedApplication[];
  /** The names of the rejected. */
  readonly heldNames: readonly string[];
  readonly conditions: readonly Condition[];
  /** The last change that the set's memory saw; absent without one. */
  readonly changes?: Changes;
}
