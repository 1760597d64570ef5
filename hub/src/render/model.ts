/**
 * Rendering: from sources to a bundle. `plan` finds every file that a render may read without running anything, `key`
 * makes a digest of that, `render` runs the tool, `bundle` makes the bytes. Equal keys have equal bundles
 * (docs/concepts/rendering.md).
 */
import type { Branded, Digest, ObjectRef } from "@capstan/proto";
import type { ApplicationSource, JsonObject } from "../documents/model.ts";
import type { Tree } from "../sources/model.ts";

/** sha256 over everything that a render depends on. Equal keys have equal bundles, for good: see `render`. */
export type RenderKey = Branded<"RenderKey">;

/** How the manifests of a source are made. */
export type SourceType = "directory" | "kustomize" | "helm";

/** One source of an application with the files it is read from. */
export interface RenderSource {
  readonly source: ApplicationSource;
  readonly tree: Tree;
}

/** All that a render may depend on. */
export interface RenderRequest {
  /** In the application's order. A source with `ref` and without `path` gives value files only. */
  readonly sources: readonly RenderSource[];
  /**
   * The files of a chart that another one depends on, by location and version or range. Throws its repository's fault,
   * also while it was not fetched yet. Absent where nothing may be fetched.
   */
  readonly dependency?: (location: string, version: string) => Tree;
  /** The application's name: Helm's release name where the source has none. */
  readonly name: string;
  /** The application's project, for sources that name `ARGOCD_APP_PROJECT_NAME`. */
  readonly project?: string;
  /** The destination's namespace; empty where none is given. */
  readonly namespace: string;
  /** The cluster's version, as `v1.35.0`; used by Helm only. */
  readonly kubeVersion?: string;
  /** `group/version` and `group/version/Kind` that the cluster serves; used by Helm only. */
  readonly apiVersions?: readonly string[];
}

/** The versions of the outside tools; part of every key that uses them. */
export interface ToolVersions {
  readonly helm: string;
  readonly kustomize: string;
  /** Absent where the hub has no Jsonnet: only sources that need it fail. */
  readonly jsonnet?: string;
}

/** One manifest with the place it came from. */
export interface Manifest {
  readonly ref: ObjectRef;
  readonly value: JsonObject;
  /** Path in the repository; for Helm and Kustomize the template, or the source's path. */
  readonly file: string;
  readonly line?: number;
}

/**
 * The rendered manifests of a target. `bytes` is UTF-8: one canonical JSON object a line, each ended by `\n`,
 * ordered by stage, then group, kind, namespace, name. `digest` is the sha256 of `bytes`.
 * Namespaces stay as written: which kinds have one is known on the cluster alone.
 */
export interface Bundle {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly objects: readonly ObjectRef[];
  readonly warnings: readonly string[];
}

/** Bounds of a render; passing one is a fault of its own. */
export interface RenderLimits {
  readonly fileBytes: number;
  readonly bundleBytes: number;
  readonly objects: number;
}

/** What a person may be asked to keep to: 1 MiB a file, 50 MiB and 5,000 objects a bundle. */
export const defaultRenderLimits: RenderLimits = {
  fileBytes: 1024 * 1024,
  bundleBytes: 50 * 1024 * 1024,
  objects: 5000,
};
