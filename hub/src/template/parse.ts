import { type Branch, type Command, type Node, type Operand, ParseError, type Pipe, type Templates } from "./ast.ts";
import { lex, type Token, type TokenType } from "./lex.ts";
import { numberLiteral } from "./number.ts";
import { operandText } from "./print.ts";
import { quoteGo, unquote } from "./quote.ts";
import { trimSpace } from "./spaces.ts";
import { constants, operandStarts, tokenText } from "./tokens.ts";

/** Parentheses and control structures nest no deeper than this. Go's bound is 10,000, which no template comes near. */
const maxNesting = 1_000;

/** Parses a text and all that it defines. `functions` names every function there is. Throws ParseError. */
export function parseTemplates(text: string, functions: { has(name: string): boolean }): Templates {
  const templates = new Map<string, readonly Node[]>();
  new Parser(text, functions, templates).parseText();
  return templates;
}

function isBlank(nodes: readonly Node[]): boolean {
  return nodes.every((node) => node.type === "text" && trimSpace(node.text) === "");
}

interface List {
  readonly nodes: Node[];
  /** What ended it. */
  readonly end: "end" | "else";
  readonly offset: number;
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  readonly #functions: { has(name: string): boolean };
  readonly #templates: Map<string, readonly Node[]>;
  #at = 0;
  #variables = ["$"];
  #rangeDepth = 0;
  #nesting = 0;
  /** The last token that was looked at: Go names its line. */
  #furthest = 0;
  /** Where the innermost open action began; undefined once one within has ended. */
  #actionStart: number | undefined;

  constructor(text: string, functions: { has(name: string): boolean }, templates: Map<string, readonly Node[]>) {
    this.#text = text;
    this.#tokens = lex(text);
    this.#functions = functions;
    this.#templates = templates;
  }

  parseText(): void {
    const nodes: Node[] = [];
    while (this.#peek().type !== "eof") {
      if (this.#peek().type === "open" && this.#isKeyword(this.#peekAfterSpace(1), "define")) {
        this.#at += 1;
        this.#nextNonSpace();
        this.#definition();
        continue;
      }
      const node = this.#textOrAction();
      if ("end" in node) this.#fail(`unexpected {{${node.end}}}`, node.token.offset);
      nodes.push(node);
    }
    this.#add("base", nodes);
  }

  /** A text of spaces alone neither replaces a template nor stands in the way of one. */
  #add(name: string, nodes: readonly Node[]): void {
    const existing = this.#templates.get(name);
    if (existing === undefined || isBlank(existing)) this.#templates.set(name, nodes);
    else if (!isBlank(nodes))
      this.#fail(
        `template: multiple definition of template ${quoteGo(name)}`,
        this.#tokens[this.#furthest]?.offset ?? 0,
      );
  }

  /** The place is that of the trouble, but never on another line than the one that Go names. */
  #fail(message: string, offset: number): never {
    const seen = this.#tokens[this.#furthest]?.offset ?? offset;
    const between = this.#text.slice(Math.min(offset, seen), Math.max(offset, seen));
    throw new ParseError(message, between.includes("\n") ? seen : offset);
  }

  // Tokens

  #peek(ahead = 0): Token {
    const index = Math.min(this.#at + ahead, this.#tokens.length - 1);
    this.#furthest = Math.max(this.#furthest, index);
    return this.#tokens[index] ?? { type: "eof", text: "EOF", offset: 0 };
  }

  #next(): Token {
    const token = this.#peek();
    this.#at += 1;
    return token;
  }

  #peekAfterSpace(ahead = 0): Token {
    return this.#peek(ahead).type === "space" ? this.#peek(ahead + 1) : this.#peek(ahead);
  }

  #nextNonSpace(): Token {
    if (this.#peek().type === "space") this.#at += 1;
    return this.#next();
  }

  #peekNonSpace(): Token {
    if (this.#peek().type === "space") this.#at += 1;
    return this.#peek();
  }

  #isKeyword(token: Token, word: string): boolean {
    return token.type === "keyword" && token.text === word;
  }

  #expect(type: TokenType, context: string): Token {
    const token = this.#nextNonSpace();
    if (token.type !== type) this.#unexpected(token, context);
    return token;
  }

  #unexpected(token: Token, context: string): never {
    if (token.type === "error") this.#fail(`${token.text}${this.#startedAt(token)}`, token.offset);
    this.#fail(`unexpected ${tokenText(token)} in ${context}`, token.offset);
  }

  /** Where an action over several lines began. */
  #startedAt(token: Token): string {
    if (this.#actionStart === undefined) return "";
    const [started, failed] = [this.#actionStart, token.offset].map((at) => this.#text.slice(0, at).split("\n").length);
    if (started === failed) return "";
    return `${token.text.endsWith(" action") ? "" : " in action"} started at base:${started}`;
  }

  #nested<T>(offset: number, parse: () => T): T {
    this.#nesting += 1;
    if (this.#nesting > maxNesting) this.#fail(`more than ${maxNesting} levels of nesting`, offset);
    const result = parse();
    this.#nesting -= 1;
    return result;
  }

  // Structure

  #templateName(context: string): string {
    const token = this.#nextNonSpace();
    if (token.type !== "string" && token.type !== "raw") this.#unexpected(token, context);
    return this.#unquoted(token);
  }

  #unquoted(token: Token): string {
    const text = unquote(token.text);
    return text ?? this.#fail("invalid syntax", token.offset);
  }

  #definition(): void {
    const name = this.#templateName("define clause");
    const close = this.#expect("close", "define clause");
    this.#subTemplate(name, close.offset, "define clause");
  }

  /** A template within: it has its own variables. */
  #subTemplate(name: string, offset: number, context: string): void {
    const variables = this.#variables;
    const depth = this.#rangeDepth;
    this.#variables = ["$"];
    this.#rangeDepth = 0;
    const list = this.#nested(offset, () => this.#list());
    if (list.end !== "end") this.#fail(`unexpected {{else}} in ${context}`, list.offset);
    this.#variables = variables;
    this.#rangeDepth = depth;
    this.#add(name, list.nodes);
  }

  #list(): List {
    const nodes: Node[] = [];
    for (;;) {
      if (this.#peekNonSpace().type === "eof") this.#fail("unexpected EOF", this.#peek().offset);
      const node = this.#textOrAction();
      if ("end" in node) return { nodes, end: node.end, offset: node.token.offset };
      nodes.push(node);
    }
  }

  #textOrAction(): Node | { readonly end: "end" | "else"; readonly token: Token } {
    const token = this.#nextNonSpace();
    if (token.type === "text") return { type: "text", offset: token.offset, text: token.text };
    if (token.type === "open") {
      this.#actionStart = token.offset;
      const node = this.#action();
      this.#actionStart = undefined;
      return node;
    }
    return this.#unexpected(token, "input");
  }

  #action(): Node | { readonly end: "end" | "else"; readonly token: Token } {
    const token = this.#peekNonSpace();
    if (token.type !== "keyword") {
      return { type: "action", offset: token.offset, pipe: this.#pipeline("command", "close") };
    }
    this.#at += 1;
    switch (token.text) {
      case "if":
      case "with":
      case "range":
        return this.#nested(token.offset, () => this.#control(token.text as Branch["type"]));
      case "break":
      case "continue":
        return this.#loopControl(token, token.text);
      case "template":
        return this.#templateCall();
      case "block":
        return this.#block();
      case "end":
        this.#expect("close", "end");
        return { end: "end", token };
      case "else": {
        const next = this.#peekNonSpace();
        if (!this.#isKeyword(next, "if") && !this.#isKeyword(next, "with")) this.#expect("close", "else");
        return { end: "else", token };
      }
      default:
        return this.#unexpected(token, "command");
    }
  }

  #loopControl(token: Token, type: "break" | "continue"): Node {
    this.#expect("close", `{{${type}}}`);
    if (this.#rangeDepth === 0) this.#fail(`{{${type}}} outside {{range}}`, token.offset);
    return { type, offset: token.offset };
  }

  #templateCall(): Node {
    const { offset } = this.#peekNonSpace();
    const name = this.#templateName("template clause");
    if (this.#peekNonSpace().type === "close") {
      this.#at += 1;
      return { type: "template", offset, name, pipe: undefined };
    }
    return { type: "template", offset, name, pipe: this.#pipeline("template clause", "close") };
  }

  #block(): Node {
    const { offset } = this.#peekNonSpace();
    const name = this.#templateName("block clause");
    const pipe = this.#pipeline("block clause", "close");
    this.#subTemplate(name, offset, "block clause");
    return { type: "template", offset, name, pipe };
  }

  #control(type: Branch["type"]): Branch {
    const known = this.#variables.length;
    const pipe = this.#pipeline(type, "close");
    if (type === "range") this.#rangeDepth += 1;
    const body = this.#list();
    if (type === "range") this.#rangeDepth -= 1;
    const otherwise = body.end === "else" ? this.#otherwise(type) : undefined;
    this.#variables.length = known;
    return { type, offset: pipe.offset, pipe, body: body.nodes, otherwise };
  }

  /** What follows `{{else`: a list, or one more `if` (`with`) that shares the `{{end}}`. */
  #otherwise(type: Branch["type"]): readonly Node[] {
    const next = this.#peekNonSpace();
    if (type !== "range" && this.#isKeyword(next, type)) {
      this.#at += 1;
      return [this.#nested(next.offset, () => this.#control(type))];
    }
    const list = this.#list();
    if (list.end !== "end") this.#fail("expected end; found {{else}}", list.offset);
    return list.nodes;
  }

  // Pipelines

  #pipeline(context: string, end: "close" | ")"): Pipe {
    const { offset } = this.#peekNonSpace();
    const declared = this.#declarations(context);
    const commands: Command[] = [];
    for (;;) {
      const token = this.#nextNonSpace();
      if (token.type === end) break;
      if (!operandStarts.has(token.type)) this.#unexpected(token, context);
      this.#at -= 1;
      commands.push(this.#nested(token.offset, () => this.#command()));
    }
    if (commands.length === 0) this.#fail(`missing value for ${context}`, offset);
    for (const [index, command] of commands.entries()) {
      if (index > 0 && constants.has(command.args[0].type)) {
        this.#fail(`non executable command in pipeline stage ${index + 1}`, command.offset);
      }
    }
    return { type: "pipe", offset, ...declared, commands };
  }

  #declarations(context: string): { readonly variables: readonly string[]; readonly assigns: boolean } {
    const variables: string[] = [];
    for (;;) {
      const variable = this.#peekNonSpace();
      if (variable.type !== "variable") return { variables, assigns: false };
      const after = this.#peekAfterSpace(1);
      const isComma = after.type === "char" && after.text === ",";
      if (!isComma && after.type !== "assign" && after.type !== "declare") return { variables, assigns: false };
      this.#next();
      this.#nextNonSpace();
      variables.push(variable.text);
      this.#variables.push(variable.text);
      if (!isComma) return { variables, assigns: after.type === "assign" };
      if (context !== "range" || variables.length >= 2) {
        this.#fail(`too many declarations in ${context}`, after.offset);
      }
      const next = this.#peekNonSpace();
      if (next.type !== "variable" && next.type !== "close" && next.type !== ")") {
        this.#fail("range can only initialize variables", next.offset);
      }
    }
  }

  #command(): Command {
    const { offset } = this.#peekNonSpace();
    const args: Operand[] = [];
    for (;;) {
      this.#peekNonSpace();
      const operand = this.#operand();
      if (operand !== undefined) args.push(operand);
      const token = this.#next();
      if (token.type === "space") continue;
      if (token.type === "close" || token.type === ")") this.#at -= 1;
      else if (token.type !== "pipe") this.#unexpected(token, "operand");
      break;
    }
    const [first, ...rest] = args;
    if (first === undefined) this.#fail("empty command", offset);
    return { offset, args: [first, ...rest] };
  }

  #operand(): Operand | undefined {
    const operand = this.#term();
    if (operand === undefined || this.#peek().type !== "field") return operand;
    // Go's place of a chain is its first further field.
    const { offset } = this.#peek();
    const path: string[] = [];
    while (this.#peek().type === "field") path.push(this.#next().text.slice(1));
    switch (operand.type) {
      case "field":
      case "variable":
      case "chain":
        return { ...operand, offset, path: [...operand.path, ...path] };
      case "pipe":
      case "function":
        return { type: "chain", offset, operand, path };
      default:
        this.#fail(`unexpected . after term ${quoteGo(operandText(operand))}`, operand.offset);
    }
  }

  #number(text: string, type: "rune" | "complex" | "number", offset: number): Operand {
    const number = numberLiteral(text, type);
    return typeof number === "string" ? this.#fail(number, offset) : { ...number, offset };
  }

  #term(): Operand | undefined {
    const token = this.#nextNonSpace();
    const { offset, text } = token;
    switch (token.type) {
      case "identifier":
        if (!this.#functions.has(text)) this.#fail(`function ${quoteGo(text)} not defined`, offset);
        return { type: "function", offset, name: text };
      case "dot":
        return { type: "dot", offset };
      case "nil":
        return { type: "nil", offset };
      case "variable":
        if (!this.#variables.includes(text)) this.#fail(`undefined variable ${quoteGo(text)}`, offset);
        return { type: "variable", offset, name: text, path: [] };
      case "field":
        return { type: "field", offset, path: [text.slice(1)] };
      case "bool":
        return { type: "bool", offset, value: text === "true" };
      case "rune":
      case "complex":
      case "number":
        return this.#number(text, token.type, offset);
      case "(":
        return this.#pipeline("parenthesized pipeline", ")");
      case "string":
      case "raw":
        return { type: "string", offset, value: this.#unquoted(token), text };
      default:
        this.#at -= 1;
        return undefined;
    }
  }
}
