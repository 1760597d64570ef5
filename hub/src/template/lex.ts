import { quoteGo, runeText } from "./quote.ts";

export type TokenType =
  | "text"
  | "open"
  | "close"
  | "space"
  | "assign"
  | "declare"
  | "pipe"
  | "("
  | ")"
  | "char"
  | "string"
  | "raw"
  | "rune"
  | "number"
  | "complex"
  | "bool"
  | "dot"
  | "field"
  | "variable"
  | "identifier"
  | "nil"
  | "keyword"
  | "eof"
  /** What follows is no token; the text says why. */
  | "error";

export interface Token {
  readonly type: TokenType;
  readonly text: string;
  readonly offset: number;
}

const keywords = new Set(["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"]);
const letterOrDigit = /^[_\p{L}\p{Nd}]$/u;
const spaces = " \t\r\n";

function isSpace(character: string): boolean {
  return character !== "" && spaces.includes(character);
}

/** Thrown where no token can be read; the error is a token itself, as the parser may fail before it comes to it. */
class LexStop extends Error {}

/** Splits a template into tokens as Go's lexer does, trim markers and comments applied. The last is `eof` or `error`. */
export function lex(text: string): Token[] {
  return new Lexer(text).run();
}

class Lexer {
  readonly #text: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #start = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): Token[] {
    try {
      this.#all();
    } catch (thrown) {
      if (!(thrown instanceof LexStop)) throw thrown;
      this.#tokens.push({ type: "error", text: thrown.message, offset: this.#start });
    }
    return this.#tokens;
  }

  #all(): void {
    let trimNext = false;
    for (;;) {
      const open = this.#text.indexOf("{{", this.#at);
      const end = open < 0 ? this.#text.length : open;
      const trimBefore = open >= 0 && this.#text[open + 2] === "-" && isSpace(this.#text[open + 3] ?? "");
      this.#pushText(this.#text.slice(this.#at, end), trimNext, trimBefore);
      this.#at = end;
      if (open < 0) break;
      trimNext = this.#action(trimBefore ? 4 : 2);
    }
    this.#tokens.push({ type: "eof", text: "EOF", offset: this.#text.length });
  }

  #pushText(text: string, trimLeft: boolean, trimRight: boolean): void {
    let trimmed = text;
    let offset = this.#at;
    if (trimLeft) {
      trimmed = trimmed.replace(/^[ \t\r\n]+/, "");
      offset += text.length - trimmed.length;
    }
    if (trimRight) trimmed = trimmed.replace(/[ \t\r\n]+$/, "");
    if (trimmed !== "") this.#tokens.push({ type: "text", text: trimmed, offset });
  }

  /** One action; tells whether the text after it is trimmed. */
  #action(openWidth: number): boolean {
    const open = this.#at;
    this.#at += openWidth;
    if (this.#text.startsWith("/*", this.#at)) return this.#comment();
    this.#tokens.push({ type: "open", text: "{{", offset: open });
    this.#depth = 0;
    for (;;) {
      this.#start = this.#at;
      const close = this.#closeWidth(this.#at);
      if (close > 0) {
        if (this.#depth > 0) this.#fail("unclosed left paren");
        this.#tokens.push({ type: "close", text: "}}", offset: this.#at });
        this.#at += close;
        return close > 2;
      }
      this.#insideAction();
    }
  }

  #comment(): boolean {
    this.#start = this.#at;
    const end = this.#text.indexOf("*/", this.#at + 2);
    if (end < 0) this.#fail("unclosed comment");
    this.#at = end + 2;
    const close = this.#closeWidth(this.#at);
    if (close === 0) this.#fail("comment ends before closing delimiter");
    this.#at += close;
    return close > 2;
  }

  /** 2 for `}}`, 4 for ` -}}`, else 0. */
  #closeWidth(at: number): number {
    if (this.#text.startsWith("}}", at)) return 2;
    return isSpace(this.#text[at] ?? "") && this.#text.startsWith("-}}", at + 1) ? 4 : 0;
  }

  #fail(message: string): never {
    throw new LexStop(message);
  }

  #emit(type: TokenType): void {
    this.#tokens.push({ type, text: this.#text.slice(this.#start, this.#at), offset: this.#start });
  }

  #peek(): string {
    const code = this.#text.codePointAt(this.#at);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  #insideAction(): void {
    const character = this.#peek();
    this.#at += character.length;
    switch (character) {
      case "":
        return this.#fail("unclosed action");
      case "=":
        return this.#emit("assign");
      case ":":
        if (this.#peek() !== "=") this.#fail("expected :=");
        this.#at += 1;
        return this.#emit("declare");
      case "|":
        return this.#emit("pipe");
      case '"':
        return this.#quoted('"', "string", "unterminated quoted string");
      case "'":
        return this.#quoted("'", "rune", "unterminated character constant");
      case "`":
        return this.#raw();
      case "$":
        return this.#name("variable", "variable");
      case "(":
        this.#depth += 1;
        return this.#emit("(");
      case ")":
        this.#depth -= 1;
        if (this.#depth < 0) this.#fail("unexpected right paren");
        return this.#emit(")");
      default:
        return this.#other(character);
    }
  }

  #other(character: string): void {
    if (isSpace(character)) return this.#space();
    if (character === "." && !/[0-9]/.test(this.#peek())) return this.#name("field", "dot");
    if (/[-+.0-9]/.test(character)) {
      this.#at -= 1;
      return this.#number();
    }
    if (letterOrDigit.test(character)) return this.#identifier();
    if (/[!-~]/.test(character)) return this.#emit("char");
    this.#fail(`unrecognized character in action: ${runeText(character)}`);
  }

  #space(): void {
    while (isSpace(this.#peek()) && this.#closeWidth(this.#at) === 0) this.#at += 1;
    this.#emit("space");
  }

  #quoted(end: string, type: TokenType, message: string): void {
    for (;;) {
      const character = this.#peek();
      if (character === "" || character === "\n") this.#fail(message);
      this.#at += character.length;
      if (character === end) return this.#emit(type);
      if (character === "\\") {
        const next = this.#peek();
        if (next === "" || next === "\n") this.#fail(message);
        this.#at += next.length;
      }
    }
  }

  #raw(): void {
    const end = this.#text.indexOf("`", this.#at);
    if (end < 0) this.#fail("unterminated raw quoted string");
    this.#at = end + 1;
    this.#emit("raw");
  }

  #word(): void {
    while (letterOrDigit.test(this.#peek())) this.#at += this.#peek().length;
  }

  #atTerminator(): boolean {
    const character = this.#peek();
    return character === "" || " \t\r\n.,|:()".includes(character) || this.#text.startsWith("}}", this.#at);
  }

  #checkTerminator(): void {
    if (!this.#atTerminator()) this.#fail(`bad character ${runeText(this.#peek())}`);
  }

  /** A field or a variable; nothing after the sign makes it `.` or `$`. */
  #name(type: TokenType, bare: TokenType): void {
    if (this.#atTerminator()) return this.#emit(bare);
    this.#word();
    this.#checkTerminator();
    this.#emit(type);
  }

  #identifier(): void {
    this.#word();
    this.#checkTerminator();
    const word = this.#text.slice(this.#start, this.#at);
    if (word === "true" || word === "false") return this.#emit("bool");
    if (word === "nil") return this.#emit("nil");
    this.#emit(keywords.has(word) ? "keyword" : "identifier");
  }

  #number(): void {
    if (!this.#scanNumber()) this.#fail(`bad number syntax: ${quoteGo(this.#text.slice(this.#start, this.#at))}`);
    if (this.#peek() !== "+" && this.#peek() !== "-") return this.#emit("number");
    // A complex number: no spaces, and an i at the end.
    if (!this.#scanNumber() || this.#text[this.#at - 1] !== "i") {
      this.#fail(`bad number syntax: ${quoteGo(this.#text.slice(this.#start, this.#at))}`);
    }
    this.#emit("complex");
  }

  #accept(pattern: RegExp): boolean {
    const match = pattern.exec(this.#text.slice(this.#at, this.#at + 512));
    if (match === null || match[0] === "") return false;
    this.#at += match[0].length;
    return true;
  }

  #scanNumber(): boolean {
    this.#accept(/^[-+]/);
    const hex = this.#accept(/^0[xX]/);
    const binary = !hex && this.#accept(/^0[bB]/);
    const octal = !hex && !binary && this.#accept(/^0[oO]/);
    const digits = hex ? /^[0-9a-fA-F_]+/ : binary ? /^[01_]+/ : octal ? /^[0-7_]+/ : /^[0-9_]+/;
    this.#accept(digits);
    if (this.#accept(/^\./)) this.#accept(digits);
    if (!hex && !binary && !octal && this.#accept(/^[eE]/)) this.#exponent();
    if (hex && this.#accept(/^[pP]/)) this.#exponent();
    this.#accept(/^i/);
    if (!letterOrDigit.test(this.#peek())) return true;
    this.#at += this.#peek().length;
    return false;
  }

  #exponent(): void {
    this.#accept(/^[-+]/);
    this.#accept(/^[0-9_]+/);
  }
}
