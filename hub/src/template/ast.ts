/** The parsed form of a template. `offset` counts UTF-16 units from the text's start. */
export type Node =
  | { readonly type: "text"; readonly offset: number; readonly text: string }
  | { readonly type: "action"; readonly offset: number; readonly pipe: Pipe }
  | Branch
  | { readonly type: "template"; readonly offset: number; readonly name: string; readonly pipe: Pipe | undefined }
  | { readonly type: "break"; readonly offset: number }
  | { readonly type: "continue"; readonly offset: number };

export interface Branch {
  readonly type: "if" | "with" | "range";
  readonly offset: number;
  readonly pipe: Pipe;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[] | undefined;
}

export interface Pipe {
  readonly type: "pipe";
  readonly offset: number;
  readonly assigns: boolean;
  /** Names with their `$`. */
  readonly variables: readonly string[];
  readonly commands: readonly Command[];
}

export interface Command {
  readonly offset: number;
  readonly args: readonly [Operand, ...Operand[]];
}

export type Operand =
  | Pipe
  | { readonly type: "dot" | "nil"; readonly offset: number }
  | { readonly type: "bool"; readonly offset: number; readonly value: boolean }
  | { readonly type: "string"; readonly offset: number; readonly value: string; readonly text: string }
  | NumberLiteral
  | { readonly type: "field"; readonly offset: number; readonly path: readonly string[] }
  | { readonly type: "variable"; readonly offset: number; readonly name: string; readonly path: readonly string[] }
  | { readonly type: "function"; readonly offset: number; readonly name: string }
  | { readonly type: "chain"; readonly offset: number; readonly operand: Operand; readonly path: readonly string[] };

/** A number can be several things at once; the place where it stands decides. */
export interface NumberLiteral {
  readonly type: "number";
  readonly offset: number;
  readonly text: string;
  readonly int: bigint | undefined;
  readonly uint: bigint | undefined;
  readonly float: number | undefined;
  readonly complex: { readonly real: number; readonly imaginary: number } | undefined;
}

/** All templates of one text: the text itself is `base`. */
export type Templates = ReadonlyMap<string, readonly Node[]>;

/** A text that is no template, with the offset of the trouble. */
export class ParseError extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}
