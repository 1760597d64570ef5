import { Fault } from "@capstan/proto";
import { type Fields, type Health, isMap, type Manifest, readHealth } from "@capstan/proto/verdict";
import { manifestOf, manifestsOf, type Piece, piecesOf, plain, type Text } from "./manifests.ts";

/** Gives the verdict on an object. */
export type Judge = (object: Manifest) => Health;

/** One pair of object and expected verdict, and what was found. */
export interface Outcome {
  /** `FILE:LINE`, and the pair's own name where it has one. */
  readonly title: string;
  readonly expected: { readonly status: string; readonly message: string | undefined };
  readonly found: Health | Fault;
}

/**
 * Every pair of the files, judged. A pair is a document `{expect: STATUS, message?, name?, object}`, or a test of Argo
 * CD's: `{tests: [{healthStatus: {status}, inputPath}]}`, its paths relative to the file; of those the status alone is
 * compared, since messages are each program's own. Other documents are left alone. One bad pair is its own outcome.
 */
export function outcomesOf(texts: readonly Text[], judge: Judge = readHealth): readonly Outcome[] {
  const byName = new Map(texts.map((text) => [normal(text.name), text]));
  return piecesOf(texts).flatMap((piece): readonly Outcome[] => {
    if (piece.value instanceof Fault) return [outcome(piece, "", { expect: "" }, () => piece.value as Fault)];
    const value = plain(piece.value);
    if (!isMap(value)) return [];
    if (typeof value["expect"] === "string" && value["object"] !== undefined) return [ownPair(piece, value, judge)];
    const tests = value["tests"];
    return Array.isArray(tests) ? tests.filter(isMap).map((one) => argoPair(piece, one, { files: byName, judge })) : [];
  });
}

/** What is not as expected; empty where all is. */
export function failsOf({ expected, found }: Outcome): string {
  if (found instanceof Fault) return `${found.message.trimEnd()} (${found.code})`;
  if (found.status !== expected.status) {
    return `expected ${expected.status}, found ${found.status}${found.message === "" ? "" : `: ${found.message}`}`;
  }
  if (expected.message === undefined || expected.message === found.message) return "";
  return `expected the message ${JSON.stringify(expected.message)}, found ${JSON.stringify(found.message)}`;
}

function ownPair(piece: Piece, value: Fields, judge: Judge): Outcome {
  const name = typeof value["name"] === "string" ? value["name"] : "";
  return outcome(piece, name, value, () => judge(manifestOf(value["object"], piece)));
}

interface Among {
  readonly files: ReadonlyMap<string, Text>;
  readonly judge: Judge;
}

function argoPair(piece: Piece, test: Fields, { files, judge }: Among): Outcome {
  const wanted = isMap(test["healthStatus"]) ? test["healthStatus"] : {};
  const path = typeof test["inputPath"] === "string" ? test["inputPath"] : "";
  return outcome(piece, path, { expect: wanted["status"] }, () => {
    const file = files.get(normal(`${piece.file.slice(0, piece.file.lastIndexOf("/") + 1)}${path}`));
    const first = file === undefined ? undefined : piecesOf([file])[0];
    const object = first === undefined ? undefined : manifestsOf(first)[0];
    if (object !== undefined) return judge(object);
    throw new Fault("bad-input", {
      message: `expected a manifest in ${path || "inputPath"}, found none.`,
      where: { file: piece.file, line: piece.line },
      next: "inputPath is relative to the file of the test, inside the folder.",
    });
  });
}

function outcome(piece: Piece, name: string, expect: Fields, judge: () => Health | Fault): Outcome {
  const { expect: status, message } = expect;
  return {
    title: `${piece.file}:${piece.line}${name === "" ? "" : ` ${name}`}`,
    expected: {
      status: typeof status === "string" ? status : "",
      message: typeof message === "string" ? message : undefined,
    },
    found: caught(judge),
  };
}

function caught(judge: () => Health | Fault): Health | Fault {
  try {
    return judge();
  } catch (thrown) {
    return Fault.from(thrown);
  }
}

/** A path without `.` and `..`. */
function normal(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && (part !== "" || parts.length === 0)) parts.push(part);
  }
  return parts.join("/");
}
