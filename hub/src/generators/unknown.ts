import { Fault } from "@capstan/proto";
import type { ApplicationSet } from "../documents/model.ts";

/**
 * That the entry at `path` (`generators[0]`, `generators[0].matrix.generators[1]`) names no generator that is known; with
 * the words that stand there instead and the place of the first, where the document was read with places.
 */
export function unknownGenerator(
  set: ApplicationSet,
  path: string,
  code: "unknown-generator" | "bad-input" = "unknown-generator",
): Fault {
  const prefix = `spec.${path}.`;
  const strays = (set.unknown ?? []).filter(
    ({ field }) => field.startsWith(prefix) && /^[\w-]+$/.test(field.slice(prefix.length)),
  );
  const next =
    "Name list, clusters, git, matrix, merge, scmProvider, pullRequest, plugin or clusterDecisionResource, and look for a typing error.";
  const [first] = strays;
  if (first === undefined) {
    return new Fault(code, { message: "the entry names no generator that is known.", next });
  }
  const words = strays.map(({ field }) => field.slice(prefix.length)).join(", ");
  const { file, line, column, field } = first;
  const message = `the entry names no generator that is known; found ${words}.`;
  return new Fault(code, { message, where: { file, line, column, field }, next });
}
