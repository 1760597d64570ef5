import { houses } from "./plan.ts";
import { isTest, placeOf, resolveFrom, type Source, type Violation } from "./source.ts";

/** Wall 1, second half: no circle among files, nor among rooms; imports of types count as any other. */
export function circleViolations(sources: readonly Source[]): Violation[] {
  const files = new Map<string, Set<string>>();
  const rooms = new Map<string, Set<string>>();
  const sample = new Map<string, { path: string; line: number }>();
  for (const source of sources) {
    for (const { specifier, line } of source.imports) {
      if (!specifier.startsWith(".")) continue;
      const target = resolveFrom(source.path, specifier);
      link(files, source.path, target);
      const [from, to] = [roomOf(source.path), roomOf(target)];
      if (from === undefined || to === undefined || from === to || isTest(source.path)) continue;
      link(rooms, from, to);
      sample.set(`${from} ${to}`, { path: source.path, line });
    }
  }
  const ofFiles = circles(files).map((circle) => told(circle, { path: circle[0] ?? "", line: 1 }, "files"));
  const ofRooms = circles(rooms).map((circle) =>
    told(circle, sample.get(`${circle[0]} ${circle[1]}`) ?? { path: circle[0] ?? "", line: 1 }, "rooms"),
  );
  return [...ofFiles, ...ofRooms];
}

function told(circle: readonly string[], at: { path: string; line: number }, what: string): Violation {
  return {
    rule: "no-circle",
    ...at,
    message:
      `${what} import each other in a circle: ${[...circle, circle[0]].join(" -> ")}. None of them can be read or tested ` +
      "without the others. Move what they share to a file or room below them",
  };
}

function link(graph: Map<string, Set<string>>, from: string, to: string): void {
  const targets = graph.get(from) ?? new Set();
  graph.set(from, targets.add(to));
}

function roomOf(path: string): string | undefined {
  const { workspace, room } = placeOf(path);
  return room === undefined || houses[workspace] === undefined ? undefined : `${workspace}/${room}`;
}

/** One circle for each group of nodes that reach each other: walk depth first and keep the way from the root. */
function circles(graph: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (node: string): void => {
    const at = way.indexOf(node);
    if (at >= 0) found.push(way.slice(at));
    if (at >= 0 || done.has(node)) return;
    way.push(node);
    for (const next of graph.get(node) ?? []) visit(next);
    way.pop();
    done.add(node);
  };
  for (const node of graph.keys()) visit(node);
  return found;
}
