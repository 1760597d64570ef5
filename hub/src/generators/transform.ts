import { Fault } from "@capstan/proto";
import { nestedMatrixShape, nestedMergeShape } from "../documents/application-set-shape.ts";
import { decode } from "../documents/decode.ts";
import type { Json, JsonObject } from "../documents/model.ts";
import { type ClustersGenerator, generateClusters } from "./clusters.ts";
import { badInput, type GenerateContext, type Params } from "./context.ts";
import { type DecisionGenerator, generateDecisions } from "./decisions.ts";
import { flatten } from "./flatten.ts";
import { generateGit } from "./git.ts";
import type { GitGenerator } from "./git-model.ts";
import { interpolate } from "./interpolate.ts";
import { generateList, type ListGenerator } from "./list.ts";
import { generateMatrix, type MatrixGenerator } from "./matrix.ts";
import { isPlain, tabled } from "./memory.ts";
import { generateMerge, type MergeGenerator } from "./merge.ts";
import { generatePlugin, type PluginGenerator } from "./plugin.ts";
import { generatePullRequests, type PullRequestGenerator } from "./pull-requests.ts";
import { generateRepositories, type ScmProviderGenerator } from "./scm-provider.ts";
import { compileSelector } from "./selector.ts";
import { unknownGenerator } from "./unknown.ts";

/** The generators of an entry, in the order in which Argo CD runs them. */
export const generatorKinds = [
  "list",
  "clusters",
  "git",
  "scmProvider",
  "clusterDecisionResource",
  "pullRequest",
  "matrix",
  "merge",
  "plugin",
] as const;
type GeneratorKind = (typeof generatorKinds)[number];

/** What one generator of an entry gave. */
export interface Generated {
  readonly kind: GeneratorKind;
  readonly path: string;
  readonly sets: readonly Params[];
}

/** The generators that an entry names. */
export function kindsOf(entry: JsonObject): readonly GeneratorKind[] {
  return generatorKinds.filter((kind) => entry[kind] !== undefined);
}

/** Runs all generators of one entry and keeps what its selector takes. Throws what stops the entry. */
export function transform(
  context: GenerateContext,
  entry: JsonObject,
  place: { readonly path: string; readonly over?: Params },
): Generated[] {
  // A selector that is wrong is told before anything runs.
  if (entry["selector"] !== undefined) compileSelector(entry["selector"] as JsonObject, "any");
  // A child that uses nothing of the first is the same for each of its elements.
  const alone = place.over !== undefined && context.memory !== undefined && context.isInOneMatrix && isPlain(entry);
  if (!alone) return transformOne(context, entry, place);
  const ran = context.plainRuns.get(place.path) as Generated[] | undefined;
  const results = ran ?? context.scoped(undefined, () => transformOne(context, entry, place));
  context.plainRuns.set(place.path, results);
  return results;
}

function transformOne(
  context: GenerateContext,
  entry: JsonObject,
  place: { readonly path: string; readonly over?: Params },
): Generated[] {
  const results: Generated[] = [];
  const current =
    place.over === undefined || kindsOf(entry).length === 0
      ? entry
      : interpolated(context, entry, { path: place.path, over: place.over });
  for (const kind of kindsOf(entry)) {
    const path = `${place.path}.${kind}`;
    try {
      const sets = generateKind(context, { kind, path, value: current[kind] ?? {} });
      results.push({
        kind,
        path,
        sets: selected(context, entry, { path, sets }),
      });
    } catch (thrown) {
      context.fail(thrown, { generator: path, step: "generator" });
    }
  }
  return results;
}

function interpolated(
  context: GenerateContext,
  entry: JsonObject,
  place: { readonly path: string; readonly over: Params },
): JsonObject {
  const known = context.memory?.table<JsonObject>(`${place.path}\ninterpolate`, entry);
  return tabled(known, place.over, () => interpolate(context, entry, place.over));
}

function selected(
  context: GenerateContext,
  entry: JsonObject,
  found: { readonly path: string; readonly sets: readonly Params[] },
): readonly Params[] {
  const selector = entry["selector"] as JsonObject | undefined;
  if (selector === undefined) return found.sets;
  const matches = compileSelector(selector, "any");
  const known = context.memory?.table<boolean>(`${found.path}\nselect`, selector);
  return found.sets.filter((params) => tabled(known, params, () => matches(flatten(params))));
}

function generateKind(
  context: GenerateContext,
  given: { readonly kind: GeneratorKind; readonly path: string; readonly value: Json },
): readonly Params[] {
  const { kind, path, value } = given;
  const child = (entry: JsonObject, childPath: string, over: Params | undefined) =>
    runChild(context, entry, { path: childPath, ...(over === undefined ? {} : { over }) });
  switch (kind) {
    case "list":
      return generateList(context, value as unknown as ListGenerator, path);
    case "clusters":
      return generateClusters(context, value as unknown as ClustersGenerator, path);
    case "git":
      return generateGit(context, value as unknown as GitGenerator, path);
    case "matrix":
      return generateMatrix(context, { generator: value as unknown as MatrixGenerator, path }, child);
    case "merge":
      return generateMerge(context, { generator: value as unknown as MergeGenerator, path }, child);
    case "pullRequest":
      return generatePullRequests(context, value as unknown as PullRequestGenerator, path);
    case "scmProvider":
      return generateRepositories(context, value as unknown as ScmProviderGenerator, path);
    case "plugin":
      return generatePlugin(context, value as unknown as PluginGenerator, path);
    case "clusterDecisionResource":
      return generateDecisions(context, value as unknown as DecisionGenerator, path);
  }
}

/** A child of a matrix or merge: exactly one generator. */
function runChild(
  context: GenerateContext,
  entry: JsonObject,
  place: { readonly path: string; readonly over?: Params },
): readonly Params[] {
  const faultsBefore = context.faults.length;
  const [first, ...more] = transform(context, withNested(entry, place.path), place);
  if (more.length > 0)
    throw badInput(
      "a child of a matrix or merge is one generator, found more.",
      "Give each generator an entry of its own.",
    );
  if (first !== undefined) return first.sets;
  // A fault of the child has been told already.
  if (context.faults.length > faultsBefore) return [];
  // Argo CD passes over an entry without a generator, but not over such a child.
  throw unknownGenerator(context.input.set, place.path, "bad-input");
}

const nested = new WeakMap<JsonObject, JsonObject>();

/** Reads a child's own matrix or merge, whose children must be plain. */
function withNested(entry: JsonObject, path: string): JsonObject {
  if (entry["matrix"] === undefined && entry["merge"] === undefined) return entry;
  let read = nested.get(entry);
  if (read === undefined) {
    try {
      read = {
        ...entry,
        ...(entry["matrix"] === undefined ? {} : { matrix: decode(nestedMatrixShape, entry["matrix"]) }),
        ...(entry["merge"] === undefined ? {} : { merge: decode(nestedMergeShape, entry["merge"]) }),
      };
    } catch (thrown) {
      throw Fault.from(thrown).at({ generator: path });
    }
    nested.set(entry, read);
  }
  return read;
}
