import { Fault } from "@capstan/proto";
import type { ApplicationSource } from "../documents/model.ts";
import type { SourceType } from "./model.ts";

/** The file names by which Kustomize knows its directories. */
export const kustomizationNames = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/**
 * How the manifests of a source are made: by what the source says (`helm:`, `kustomize:`, `directory:`), else by the
 * files at its path. Throws `bad-input` where it says two things, `unsupported` for plugins.
 */
export function detectType(source: ApplicationSource, names: readonly string[]): SourceType {
  if (source.plugin !== undefined) throw unsupported("plugin", "Render with Helm or Kustomize, or commit the result.");
  const said = (["helm", "kustomize", "directory"] as const).filter((type) => !isEmpty(source[type]));
  const [first, second] = said;
  if (first !== undefined && second !== undefined) {
    throw new Fault("bad-input", {
      message: `expected one of helm, kustomize and directory in a source, found ${said.join(" and ")}.`,
      where: { repository: source.repoURL },
    });
  }
  if (source.chart !== undefined) return chart(source, first);
  if (first !== undefined) return first;
  if (names.includes("Chart.yaml")) return "helm";
  return kustomizationNames.some((name) => names.includes(name)) ? "kustomize" : "directory";
}

function chart({ repoURL }: ApplicationSource, said: SourceType | undefined): SourceType {
  if (said === undefined || said === "helm") return "helm";
  throw new Fault("bad-input", {
    message: `expected helm in a source with a chart, found ${said}.`,
    where: { repository: repoURL },
  });
}

function isEmpty(value: object | undefined): boolean {
  return value === undefined || Object.values(value).every((field) => field === undefined || field === false);
}

function unsupported(field: string, next: string): Fault {
  return new Fault("unsupported", {
    message: `sources with ${field} are not supported yet.`,
    where: { field: `source.${field}` },
    next,
  });
}
