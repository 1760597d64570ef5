import { jqProblem } from "@capstan/proto";

/** A place in an object, as jq's `path` tells it. */
export type Place = readonly (string | number)[];
/** Where an expression points in an object; nowhere, where it makes no sense for that object. */
export type PathFinder = (expression: string, object: unknown) => readonly Place[];

const mostPlaces = 10_000;

/** Loads jq, which only few targets need, when the first of them comes. */
export async function loadPathFinder(): Promise<PathFinder> {
  const { default: jq } = await import("@michaelhomer/jqjs");
  const programs = new Map<string, (input: unknown) => Iterable<unknown>>();
  return (expression, object) => {
    if (jqProblem(expression) !== undefined) return [];
    try {
      const program = programs.get(expression) ?? jq.compile(`path(${expression})`);
      programs.set(expression, program);
      return placesOf(program(object));
    } catch {
      // As in Argo CD: an expression that fails on an object ignores nothing of it.
      return [];
    }
  };
}

function placesOf(results: Iterable<unknown>): readonly Place[] {
  const places: Place[] = [];
  for (const result of results) {
    if (places.length >= mostPlaces) break;
    const whole = Array.isArray(result) && result.every((step) => typeof step === "string" || typeof step === "number");
    // An empty path would be the whole object.
    if (whole && result.length > 0) places.push(result as Place);
  }
  return places;
}
