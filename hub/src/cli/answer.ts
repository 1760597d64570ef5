import { type DescMessage, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { Fault, type Instant } from "@capstan/proto";
import type { Json } from "../documents/model.ts";
import { toYaml } from "../yaml/write.ts";
import { msOf, span } from "./age.ts";
import { type Look, toned } from "./look.ts";

/** What a verb found, ready for every output: the facts once, and how people read them. */
export interface Answer {
  /** Lines for people. */
  readonly text: (look: Look) => readonly string[];
  /** The same facts for programs. */
  readonly data: JsonValue;
  /** `cluster/eu-1` each, for `-o name`. */
  readonly names?: readonly string[];
  /** When all this was so; shown below the lines. */
  readonly asOf?: Instant | undefined;
}

/** Outputs that `-o` takes. */
export const outputs = ["text", "wide", "json", "yaml", "name"] as const;
export type Output = (typeof outputs)[number];

/** Reads the value of `-o`. Throws `bad-input`. */
export function parseOutput(text: string | undefined): Output {
  const found = outputs.find((output) => output === (text ?? "text"));
  if (found !== undefined) return found;
  throw new Fault("bad-input", {
    message: `expected -o wide, json, yaml or name, found ${JSON.stringify(text)}.`,
    next: "See --help.",
  });
}

/** The answer as it is printed, with a newline at its end. */
export function printed(answer: Answer, output: Output, look: Look): string {
  switch (output) {
    case "json":
      return `${JSON.stringify(answer.data, null, 2)}\n`;
    case "yaml":
      return toYaml(answer.data as Json);
    case "name":
      return lines(answer.names ?? []);
    case "text":
    case "wide": {
      const wide = output === "wide" ? { ...look, wide: true } : look;
      return lines([...answer.text(wide), ...asOfLine(answer.asOf, look)]);
    }
  }
}

/** A message as data: the schema's canonical JSON, with every field. */
export function dataOf<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonValue {
  return toJson(schema, message, { alwaysEmitImplicit: true });
}

/** When a list was so, as its result says. */
export function asOf(result: { readonly asOf?: Timestamp | undefined } | undefined): Instant | undefined {
  return msOf(result?.asOf);
}

/** `as of 3 s ago`. */
export function asOfLine(at: Instant | undefined, look: Look): string[] {
  return at === undefined ? [] : [toned(look, "quiet", `as of ${span(look.now - at)} ago`)];
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}
