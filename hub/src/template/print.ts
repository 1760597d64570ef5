import type { Operand, Pipe } from "./ast.ts";

/** A part of a template as Go writes it in its messages. */
export function operandText(operand: Operand): string {
  switch (operand.type) {
    case "dot":
      return ".";
    case "nil":
      return "nil";
    case "bool":
      return String(operand.value);
    case "string":
    case "number":
      return operand.text;
    case "field":
      return operand.path.map((name) => `.${name}`).join("");
    case "variable":
      return [operand.name, ...operand.path].join(".");
    case "function":
      return operand.name;
    case "chain": {
      const base = operand.operand.type === "pipe" ? `(${pipeText(operand.operand)})` : operandText(operand.operand);
      return base + operand.path.map((name) => `.${name}`).join("");
    }
    case "pipe":
      return pipeText(operand);
  }
}

function pipeText({ variables, assigns, commands }: Pipe): string {
  const declared = variables.length === 0 ? "" : `${variables.join(", ")} ${assigns ? "=" : ":="} `;
  const texts = commands.map(({ args }) =>
    args.map((arg) => (arg.type === "pipe" ? `(${pipeText(arg)})` : operandText(arg))).join(" "),
  );
  return declared + texts.join(" | ");
}
