import { jqProblem } from "@capstan/proto";
import type { FieldPath } from "./decode.ts";
import type { ApplicationSetSpec, ApplicationSource, ApplicationSpec, AppProjectSpec } from "./model.ts";

/** A field that is kept but not acted on yet. */
export interface Finding {
  /** Below the spec. */
  readonly path: FieldPath;
  /** `refused`: it protects something, so its target must not go out without it. */
  readonly verdict: "refused" | "warned";
  readonly text: string;
}

/**
 * What of an Application the fleet does not honour yet (design §3.4): `refused` are fields that protect, with which the
 * target is not released; `warned` are harmless ones, kept but without effect.
 */
export function unsupported(spec: ApplicationSpec): { readonly refused: string[]; readonly warned: string[] } {
  return split(applicationFindings(spec));
}

/** The same for a project: its refusals concern every target of the project. */
export function unsupportedInProject(spec: AppProjectSpec): { readonly refused: string[]; readonly warned: string[] } {
  return split(projectFindings(spec));
}

function split(findings: readonly Finding[]): { readonly refused: string[]; readonly warned: string[] } {
  const of = (verdict: Finding["verdict"]) => findings.filter((finding) => finding.verdict === verdict);
  return { refused: of("refused").map(({ text }) => text), warned: of("warned").map(({ text }) => text) };
}

// An option that is not listed is unknown to Argo CD as well and has no effect there.
const honouredOptions = new Set([
  "CreateNamespace=true",
  "CreateNamespace=false",
  "ServerSideApply=true",
  "Prune=true",
  "Prune=false",
  "Prune=confirm",
  "PruneLast=true",
  "PruneLast=false",
  "PrunePropagationPolicy=foreground",
  "PrunePropagationPolicy=background",
  "PrunePropagationPolicy=orphan",
  "Delete=true",
  "Delete=false",
  "Delete=confirm",
  "ApplyOutOfSyncOnly=true",
  "ApplyOutOfSyncOnly=false",
  "Validate=true",
  "Validate=false",
  "Replace=true",
  "Replace=false",
  "Force=true",
  "Force=false",
  "SkipDryRunOnMissingResource=true",
  "SkipDryRunOnMissingResource=false",
  "ClientSideApplyMigration=true",
  "ClientSideApplyMigration=false",
  "FailOnSharedResource=true",
  "FailOnSharedResource=false",
  "RespectIgnoreDifferences=true",
  "RespectIgnoreDifferences=false",
]);

function refused(path: FieldPath, text: string): Finding {
  return { path, verdict: "refused", text };
}

function warned(path: FieldPath, what = path.join(".")): Finding {
  return { path, verdict: "warned", text: `spec.${what} is kept but has no effect yet` };
}

/** As `unsupported`, with the place of each field. */
export function applicationFindings(spec: ApplicationSpec): readonly Finding[] {
  const findings: Finding[] = [];
  if (spec.sourceHydrator !== undefined) {
    findings.push(refused(["sourceHydrator"], "spec.sourceHydrator is not supported yet: nothing could be rendered"));
  }
  if (spec.source !== undefined) findings.push(...sourceFindings(spec.source, ["source"]));
  spec.sources?.forEach((source, index) => {
    findings.push(...sourceFindings(source, ["sources", index]));
  });
  spec.ignoreDifferences?.forEach((difference, index) => {
    difference.jqPathExpressions?.forEach((expression, at) => {
      const problem = jqProblem(expression);
      if (problem === undefined) return;
      const path = ["ignoreDifferences", index, "jqPathExpressions", at];
      const text = `spec.${path.join(".")} is not understood (${problem}): drift of the target is shown and left alone`;
      findings.push({ path, verdict: "warned", text });
    });
  });
  findings.push(...policyFindings(spec));
  if (spec.info !== undefined) findings.push(warned(["info"]));
  if (spec.revisionHistoryLimit !== undefined) findings.push(warned(["revisionHistoryLimit"]));
  return findings;
}

function policyFindings(spec: ApplicationSpec): readonly Finding[] {
  const findings: Finding[] = [];
  const policy = spec.syncPolicy;
  policy?.syncOptions?.forEach((option, index) => {
    const path = ["syncPolicy", "syncOptions", index];
    if (!honouredOptions.has(option)) findings.push(warned(path, `syncPolicy.syncOptions ${option}`));
  });
  return findings;
}

function sourceFindings(source: ApplicationSource, path: FieldPath): readonly Finding[] {
  const findings: Finding[] = [];
  const name = path.join(".");
  if (source.plugin !== undefined) {
    findings.push(refused([...path, "plugin"], `spec.${name}.plugin is not supported yet: nothing could be rendered`));
  }
  return findings;
}

const applicationsSyncWords = ["", "sync", "create-only", "create-update", "create-delete"];

/** What of a set has no effect here, or is no word of Argo CD's. */
export function setFindings(spec: ApplicationSetSpec): readonly Finding[] {
  const findings: Finding[] = [];
  const nobodyElse = "has no effect: nobody but the set writes its Applications here";
  if (Object.values(spec.preservedFields ?? {}).some((keys) => keys.length > 0)) {
    findings.push({ path: ["preservedFields"], verdict: "warned", text: `spec.preservedFields ${nobodyElse}` });
  }
  if ((spec.ignoreApplicationDifferences?.length ?? 0) > 0) {
    const text = `spec.ignoreApplicationDifferences ${nobodyElse}`;
    findings.push({ path: ["ignoreApplicationDifferences"], verdict: "warned", text });
  }
  if (spec.strategy?.["deletionOrder"] === "Reverse") {
    const text = "spec.strategy.deletionOrder has no effect yet: targets that leave do so together, in the last stage";
    findings.push({ path: ["strategy", "deletionOrder"], verdict: "warned", text });
  }
  const sync = spec.syncPolicy?.applicationsSync ?? "";
  if (!applicationsSyncWords.includes(sync)) {
    const words = applicationsSyncWords.slice(1).join(", ");
    const text = `spec.syncPolicy.applicationsSync is one of ${words}; ${JSON.stringify(sync)} counts as create-only`;
    findings.push({ path: ["syncPolicy", "applicationsSync"], verdict: "warned", text });
  }
  return findings;
}

/** As `unsupportedInProject`, with the place of each field. */
export function projectFindings(spec: AppProjectSpec): readonly Finding[] {
  const findings: Finding[] = [];
  if ((spec.signatureKeys?.length ?? 0) > 0 || spec.sourceIntegrity !== undefined) {
    const field = spec.sourceIntegrity === undefined ? "signatureKeys" : "sourceIntegrity";
    findings.push(refused([field], `spec.${field} is not supported yet: commits would go out unverified`));
  }
  if (spec.orphanedResources !== undefined) findings.push(warned(["orphanedResources"]));
  if ((spec.roles?.length ?? 0) > 0) findings.push(warned(["roles"]));
  return findings;
}
