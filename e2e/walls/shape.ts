import { basename } from "node:path";
import { drawerNames } from "./plan.ts";
import { asNode, isTest, lineAt, type Node, type Source, type Violation } from "./source.ts";

/** Walls 6 to 8: what a module may export, that it documents it, and how a file may be called. */
export function shapeViolations(sources: readonly Source[]): Violation[] {
  return sources.filter((source) => !source.path.startsWith("proto/src/gen/")).flatMap(inSource);
}

function inSource(source: Source): Violation[] {
  const at = (node: Node, rule: string, message: string): Violation => ({
    rule,
    path: source.path,
    line: lineAt(source.text, node.start),
    message,
  });
  const found: Violation[] = [];
  const stem = basename(source.path).replace(/(\.test|\.prop\.test)?\.tsx?$/, "");
  if (drawerNames.includes(stem)) {
    const message = `a file called ${stem} is a drawer in which everything ends; name it by the noun or verb that it holds`;
    found.push(at(source.program, "no-drawer", message));
  }
  for (const node of source.program["body"] as Node[]) {
    if (node.type === "ExportDefaultDeclaration" || node.type === "TSExportAssignment") {
      const message = "a default export has another name at each import and cannot be searched; export it by its name";
      found.push(at(node, "no-default-export", message));
    }
    if (node.type === "ExportAllDeclaration") {
      const message = "export * hides what a module offers and makes circles easy; name each export";
      found.push(at(node, "no-export-all", message));
    }
    const kept = exported(node);
    if (kept === undefined) continue;
    if (kept.type === "VariableDeclaration" && kept["kind"] !== "const") {
      const message = "a mutable export is a hidden global; export a const, or a function that is given its state";
      found.push(at(node, "no-mutable-export", message));
    }
    if (needsDoc(source, kept) && !documented(source, node)) {
      const message =
        "an export without a doc comment; say what it is, its units, its errors, and where its rule is from";
      found.push(at(node, "documented-export", message));
    }
  }
  return found;
}

function exported(node: Node): Node | undefined {
  return node.type === "ExportNamedDeclaration" ? asNode(node["declaration"]) : undefined;
}

/** Types whose fields are documented may speak for themselves; what acts or is computed may not. */
function needsDoc(source: Source, kept: Node): boolean {
  return !isTest(source.path) && !kept.type.startsWith("TS");
}

function documented(source: Source, node: Node): boolean {
  const before = source.comments.filter((comment) => comment.end <= node.start).at(-1);
  if (before === undefined || before.type !== "Block" || !before.value.startsWith("*")) return false;
  return source.text.slice(before.end, node.start).trim() === "";
}
