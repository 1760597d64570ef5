import type { Tree, TreeEntry } from "../sources/model.ts";
import type { SourceType } from "./model.ts";
import type { HelmSetting, JsonnetVariable } from "./port.ts";

/** A file of a job: where it will lie, and where its content is. */
export interface PlannedFile {
  readonly tree: Tree;
  readonly entry: TreeEntry;
}

/** Where the files of the source's own repository lie in a job. */
export const repositoryRoot = "repo";

/** What all plans have. `files` and `made` are by path in the job; nothing else can be read by the render. */
interface PlanBase {
  readonly type: SourceType;
  /** The source's path and tree: where its faults lie. */
  readonly path: string;
  readonly tree: Tree;
  readonly files: ReadonlyMap<string, PlannedFile>;
  /** Files that are not in the repository: inline values, edited kustomizations. */
  readonly made: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

/** The Jsonnet files of a directory. What they import is among the plan's files, and is no manifest itself. */
export interface JsonnetPlan {
  /** By place in the job. */
  readonly evaluate: readonly string[];
  readonly libs: readonly string[];
  readonly variables: readonly JsonnetVariable[];
}

/** How one source will be rendered: complete, so that its key tells all, and without having read what it need not. */
export type SourcePlan =
  | (PlanBase & {
      readonly type: "directory";
      /** Places of plain manifests; the other files are there for Jsonnet. */
      readonly manifests: readonly string[];
      readonly jsonnet?: JsonnetPlan;
    })
  | (PlanBase & { readonly type: "kustomize"; readonly directory: string })
  | (PlanBase & {
      readonly type: "helm";
      readonly chart: string;
      readonly releaseName: string;
      readonly namespace: string;
      readonly kubeVersion?: string;
      readonly apiVersions: readonly string[];
      readonly includeCrds: boolean;
      readonly skipSchemaValidation: boolean;
      readonly valueFiles: readonly string[];
      readonly settings: readonly HelmSetting[];
    });
