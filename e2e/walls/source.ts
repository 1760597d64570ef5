import { globSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { type Comment, parseSync } from "oxc-parser";

/** A node of the syntax tree (ESTree with TypeScript); the rules look only at what they know. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** One import, re-export or `import("...")`, of values or of types alike. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** A parsed source file. `path` is from the root of the repository, with slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly program: Node;
  readonly comments: readonly Comment[];
  readonly imports: readonly Import[];
}

/** One breach of one wall: where, which, and what to do instead. */
export interface Violation {
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

const sourceFiles = ["{proto,hub,agent}/{src,test}/**/*.ts", "hub/web/**/*.{ts,tsx}", "e2e/**/*.ts"];

/** Reads all sources below `root`. Throws when one does not parse. */
export function readSources(root: string): Source[] {
  const ignored = ["**/node_modules/**", "**/dist/**"];
  const paths = globSync(sourceFiles, { cwd: root, exclude: ignored }).map((path) => path.replaceAll("\\", "/"));
  return paths.sort().map((path) => readSource(path, readFileSync(join(root, path), "utf8")));
}

/** Parses one file. */
export function readSource(path: string, text: string): Source {
  const { program, comments, errors } = parseSync(path, text);
  const problem = errors[0];
  if (problem !== undefined) throw new Error(`${path} does not parse: ${problem.message}`);
  const imports: Import[] = [];
  walk(program as unknown as Node, (node) => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push({ specifier, line: lineAt(text, node.start) });
  });
  return { path, text, program: program as unknown as Node, comments, imports };
}

function specifierOf(node: Node): string | undefined {
  const importing = ["ImportDeclaration", "ExportNamedDeclaration", "ExportAllDeclaration", "ImportExpression"];
  if (!importing.includes(node.type) && node.type !== "TSImportType") return undefined;
  const source = asNode(node["source"] ?? node["argument"]);
  const literal = source?.type === "TSLiteralType" ? asNode(source["literal"]) : source;
  return typeof literal?.["value"] === "string" ? literal["value"] : undefined;
}

/** Calls `visit` for each node, parents first. `parent` and `field` say where the node hangs. */
export function walk(
  node: Node,
  visit: (node: Node, parent?: Node, field?: string) => void,
  parent?: Node,
  field?: string,
): void {
  visit(node, parent, field);
  for (const [name, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      const next = asNode(child);
      if (next !== undefined) walk(next, visit, node, name);
    }
  }
}

/** The value as a syntax node, if it is one. */
export function asNode(value: unknown): Node | undefined {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string"
    ? (value as Node)
    : undefined;
}

/** Line number, from 1, of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line += 1;
  return line;
}

/** The path, from the root, of the file that a relative specifier names. */
export function resolveFrom(path: string, specifier: string): string {
  return posix.normalize(posix.join(dirname(path), specifier));
}

/** Where a file stands: its workspace, and its room (or its own name, for a file directly in src). */
export function placeOf(path: string): { readonly workspace: string; readonly room: string | undefined } {
  const [workspace = "", folder, room] = path.split("/");
  return { workspace, room: folder === "src" ? room : undefined };
}

/** Tests and their support: they may use SDKs, the clock and any room. */
export function isTest(path: string): boolean {
  return (
    path.endsWith(".test.ts") || /^(proto|hub|agent)\/(test|src\/testing)\//.test(path) || path.includes("/testing/")
  );
}
