import { Fault } from "@capstan/proto";
import { applicationSetShape } from "../../documents/application-set-shape.ts";
import { decode, ShapeError } from "../../documents/decode.ts";
import type { ApplicationSetSpec } from "../../documents/model.ts";
import { generate } from "../../generators/generate.ts";
import type { IncrementalGenerator } from "../../generators/incremental.ts";
import type { ElementFault, GenerateInput, GenerateResult, GitSnapshot } from "../../generators/model.ts";
import type { TemplateEngine } from "../../template/engine.ts";
import type { Json, JsonObject } from "../../yaml/json.ts";
import { firstDifference } from "./difference.ts";
import type { SetPair } from "./pair.ts";

/** Steps of ours that answer one class of Argo CD's errors; where it panics, any error will do. */
const stepsOf: Readonly<Record<string, readonly ElementFault["step"][]>> = {
  generator: ["generator"],
  render: ["render"],
  panic: ["panic", "generator", "render", "validation", "decode"],
};

/** What is wrong with what we make of one set in `compat: strict`; undefined: nothing. */
export function checkSet(engine: TemplateEngine, pair: SetPair): string | undefined {
  const { expect } = pair;
  const input = inputOf(pair, "strict");
  if (expect.error?.class === "decode" || input === undefined) {
    if (input === undefined && expect.error?.class === "decode") return undefined;
    return `expected ${expect.error?.class ?? "no error"}, and the set was ${input === undefined ? "" : "not "}refused`;
  }
  const result = generate(engine, input);
  // Argo CD only logs an entry without a generator.
  const fault = result.faults.find((one) => one.fault.code !== "unknown-generator");
  if (expect.error !== null) return checkError(expect.error, fault, result);
  if (fault !== undefined)
    return `expected no error, found ${fault.step} at ${fault.generator}: ${fault.fault.message}`;
  return (
    firstDifference(byName(expect.applications), byName(all(result)), "applications") ??
    firstDifference(expect.invalid ?? {}, invalid(result), "invalid")
  );
}

/** What Argo CD had rendered before the error, and the isolating mode does not yield; undefined: nothing. */
export function checkIsolating(engine: TemplateEngine, pair: SetPair): string | undefined {
  const input = inputOf(pair, "isolate");
  const partial = pair.expect.partialApplications ?? [];
  if (input === undefined || partial.length === 0) return undefined;
  const found = byName(all(generate(engine, input)));
  for (const [name, copies] of Object.entries(byName(partial))) {
    const difference = firstDifference(copies, found[name], name);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

/** How a run that remembers the pairs before differs from one that remembers nothing; undefined: not at all. */
export function checkRemembering(
  engine: TemplateEngine,
  memory: IncrementalGenerator,
  pair: SetPair,
): string | undefined {
  for (const compat of ["strict", "isolate", "isolate"] as const) {
    const input = inputOf(pair, compat);
    if (input === undefined) return undefined;
    const fresh = generate(engine, input);
    const found = memory.generate(inputOf(pair, compat) ?? input);
    const difference =
      firstDifference(byName(all(fresh)), byName(all(found)), compat) ??
      firstDifference(fresh.faults.map(({ step }) => step)[0], found.faults.map(({ step }) => step)[0], "first fault");
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function checkError(
  expected: NonNullable<SetPair["expect"]["error"]>,
  fault: ElementFault | undefined,
  result: GenerateResult,
): string | undefined {
  if (fault === undefined) return `expected an error of class ${expected.class}, found none`;
  if (stepsOf[expected.class]?.includes(fault.step) !== true)
    return `expected an error of class ${expected.class}, found ${fault.step}: ${fault.fault.message}`;
  const applied = result.applications.length;
  return applied === 0 && !result.complete ? undefined : `expected that nothing is applied, found ${applied}`;
}

function inputOf(pair: SetPair, compat: GenerateInput["compat"]): GenerateInput | undefined {
  try {
    const set = decode(applicationSetShape, pair.applicationSet);
    const known = { name: "", namespace: "", labels: {}, annotations: {}, finalizers: [] };
    return {
      set: {
        metadata: { ...known, ...(set["metadata"] as object) },
        spec: set["spec"] as unknown as ApplicationSetSpec,
      },
      clusters: pair.clusters,
      projects: new Set(pair.projects),
      git: snapshotOf(pair.repos),
      compat,
      newGitFileGlobbing: pair.flags.newGitFileGlobbing,
    };
  } catch (thrown) {
    if (thrown instanceof ShapeError) return undefined;
    throw thrown;
  }
}

function snapshotOf(repos: SetPair["repos"]): GitSnapshot {
  return {
    tree(repoURL, revision) {
      const files = repos[repoURL]?.[revision];
      const common = { commit: revision, complete: true };
      if (files === undefined) {
        const fault = new Fault("revision-not-found", { message: "no such repository or revision." });
        return { ...common, paths: () => [], text: () => undefined, fault };
      }
      return { ...common, paths: () => Object.keys(files), text: (path) => files[path] };
    },
  };
}

/** The accepted and the rejected: Argo CD's check comes after what is compared. */
function all(result: GenerateResult): JsonObject[] {
  return [...result.applications, ...result.rejected].map(({ application: { metadata, spec } }) => ({
    metadata: { ...metadata },
    spec: spec as unknown as JsonObject,
  }));
}

/** That a name is no DNS name is our own check; there the API server says it. */
function invalid(result: GenerateResult): Record<string, string> {
  const ofArgo = result.rejected.filter(({ rejection }) => rejection !== "name-invalid");
  return Object.fromEntries(ofArgo.map(({ application, rejection }) => [application.metadata.name, rejection]));
}

/** Applications by name, several of one name in an order of their own. Empty parts of metadata vanish. */
function byName(applications: readonly JsonObject[]): Record<string, Json[]> {
  const groups: Record<string, Json[]> = {};
  for (const application of applications) {
    const metadata = Object.fromEntries(
      Object.entries((application["metadata"] ?? {}) as JsonObject).filter(([, value]) => !isEmpty(value)),
    );
    const group = (groups[`"${String(metadata["name"] ?? "")}"`] ??= []);
    group.push({ metadata, spec: application["spec"] ?? null });
  }
  for (const group of Object.values(groups)) group.sort((left, right) => (canonical(left) < canonical(right) ? -1 : 1));
  return groups;
}

function isEmpty(value: Json): boolean {
  return value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
}

function canonical(value: Json): string {
  return JSON.stringify(value, (_, inner: Json) => {
    if (typeof inner === "bigint") return Number(inner);
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([left], [right]) => (left < right ? -1 : 1)));
  });
}
