import type { ToolVersions } from "./model.ts";

/** Files of a job, by path relative to the job's root. Regular files only: there is nothing else to give. */
export type JobFiles = ReadonlyMap<string, Uint8Array>;

/** One `helm template`. All paths are relative to the job's root. */
export interface HelmJob {
  readonly files: JobFiles;
  readonly chart: string;
  readonly releaseName: string;
  readonly namespace: string;
  readonly kubeVersion?: string;
  readonly apiVersions: readonly string[];
  readonly includeCrds: boolean;
  readonly skipSchemaValidation: boolean;
  /** From the weakest to the strongest. */
  readonly valueFiles: readonly string[];
  /** `--set`, `--set-string`, `--set-file`; stronger than value files. */
  readonly settings: readonly HelmSetting[];
}

/** One setting of Helm: `text` keeps its type as text, `file` reads the value from a file of the job. */
export interface HelmSetting {
  readonly kind: "value" | "text" | "file";
  readonly name: string;
  readonly value: string;
}

/** One `kustomize build` of a directory of the job. */
export interface KustomizeJob {
  readonly files: JobFiles;
  readonly directory: string;
}

/** One evaluation of a Jsonnet file of the job. */
export interface JsonnetJob {
  readonly files: JobFiles;
  readonly file: string;
  /** Folders that imports are searched in; the last one first. */
  readonly libs: readonly string[];
  readonly variables: readonly JsonnetVariable[];
}

/** A value handed to Jsonnet: as text, or with `code` as an expression. */
export interface JsonnetVariable {
  readonly kind: "external" | "top-level";
  readonly name: string;
  readonly value: string;
  readonly code: boolean;
}

/**
 * The outside tools, run where they have no network, no secrets and bounded time, memory and output.
 * They return YAML text, Jsonnet JSON. `render-failed` with the tool's own words, `render-limit` with the limit's name, `tool-missing`.
 */
export interface RenderTools {
  versions(signal: AbortSignal): Promise<ToolVersions>;
  helm(job: HelmJob, signal: AbortSignal): Promise<string>;
  kustomize(job: KustomizeJob, signal: AbortSignal): Promise<string>;
  jsonnet(job: JsonnetJob, signal: AbortSignal): Promise<string>;
}
