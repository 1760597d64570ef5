import type { Node } from "./ast.ts";
import { functionTable } from "./functions/table.ts";
import { parseTemplates } from "./parse.ts";

/** A parameter that a template writes out as it is: `{{ .a.b }}`. */
export interface PlainOutput {
  readonly path: readonly string[];
  /** Of the action's inside, in UTF-16 units from the text's start. */
  readonly offset: number;
}

/**
 * The parameters that a Go template writes out without any function, wherever the dot is the whole of the parameters: in
 * the text itself and in the branches of `if`. Throws ParseError.
 */
export function plainOutputs(text: string): readonly PlainOutput[] {
  const found: PlainOutput[] = [];
  collect(parseTemplates(text, functionTable).get("base") ?? [], found);
  return found;
}

function collect(nodes: readonly Node[], found: PlainOutput[]): void {
  for (const node of nodes) {
    if (node.type === "if") {
      collect(node.body, found);
      collect(node.otherwise ?? [], found);
    }
    if (node.type !== "action" || node.pipe.variables.length > 0 || node.pipe.commands.length !== 1) continue;
    const [operand, ...more] = node.pipe.commands[0]?.args ?? [];
    if (operand === undefined || more.length > 0) continue;
    const isRoot = operand.type === "variable" && operand.name === "$";
    if (operand.type === "field" || isRoot) {
      const path = operand.type === "field" || operand.type === "variable" ? operand.path : [];
      if (path.length > 0) found.push({ path, offset: node.offset });
    }
  }
}
