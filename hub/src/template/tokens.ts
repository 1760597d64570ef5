import type { Operand } from "./ast.ts";
import type { Token, TokenType } from "./lex.ts";
import { quoteGo } from "./quote.ts";

/** Tokens that an operand may begin with. */
export const operandStarts: ReadonlySet<TokenType> = new Set([
  "bool",
  "rune",
  "complex",
  "dot",
  "field",
  "identifier",
  "number",
  "nil",
  "raw",
  "string",
  "variable",
  "(",
]);
/** Operands that cannot take what a pipeline brings. */
export const constants: ReadonlySet<Operand["type"]> = new Set(["bool", "dot", "nil", "number", "string"]);
/** A token as Go's messages show it. */
export function tokenText({ type, text }: Token): string {
  if (type === "eof") return "EOF";
  if (type === "keyword" || type === "dot" || type === "nil") return `<${text}>`;
  const shown = [...text];
  return shown.length > 10 && new TextEncoder().encode(text).length > 10
    ? `${quoteGo(shown.slice(0, 10).join(""))}...`
    : new TextEncoder().encode(text).length > 10
      ? `${quoteGo(text)}...`
      : quoteGo(text);
}
