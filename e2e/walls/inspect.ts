import { ambientViolations } from "./ambient.ts";
import { circleViolations } from "./circles.ts";
import { importViolations } from "./imports.ts";
import { shapeViolations } from "./shape.ts";
import { readSources, type Violation } from "./source.ts";

/** Looks at every source below `root` and gives all breaches of the walls, by path and line. */
export function inspect(root: string): Violation[] {
  const sources = readSources(root);
  const rules = [importViolations, circleViolations, ambientViolations, shapeViolations];
  const order = (a: Violation, b: Violation) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line);
  return rules.flatMap((rule) => rule(sources)).sort(order);
}

/** One line for people and editors: `path:line  rule  message`. */
export function violationText({ path, line, rule, message }: Violation): string {
  return `${path}:${line}  ${rule}  ${message}`;
}
