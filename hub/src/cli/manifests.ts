import { Fault } from "@capstan/proto";
import { isMap, type Manifest } from "@capstan/proto/verdict";
import type { Json } from "../yaml/json.ts";
import { readYamlParts } from "../yaml/read.ts";

/** A text with its name, as it was read. */
export interface Text {
  readonly name: string;
  readonly content: string;
}

/** One document of a file: its value and place, or what is wrong with it. */
export interface Piece {
  readonly file: string;
  /** 1-based; 0 where a fault has none. */
  readonly line: number;
  readonly value: Json | Fault;
}

/** Dumps of whole clusters are long; a person's machine reads them. */
const limits = { bytes: 256 * 1024 * 1024, documents: 200_000, nodes: 10_000_000, keys: 100_000 };

/** The documents of files, in their order; one that cannot be read is its fault, and its neighbours are read. */
export function piecesOf(texts: readonly Text[]): readonly Piece[] {
  return texts.flatMap(({ name, content }) =>
    // What a cluster printed may have keys like `y`, which are texts to Kubernetes.
    readYamlParts(content, { file: name, limits, keys: "argo" }).map((part): Piece => {
      if (part instanceof Fault) return { file: name, line: part.where?.line ?? 0, value: part };
      return { file: name, line: part.line, value: part.value };
    }),
  );
}

/** The objects of a document: itself, or the items of a `List` as kubectl prints one. Throws `bad-input`. */
export function manifestsOf({ file, line, value }: Piece): readonly Manifest[] {
  if (value instanceof Fault) throw value;
  const object = plain(value);
  if (isMap(object) && typeof object["kind"] === "string" && object["kind"].endsWith("List")) {
    const items = object["items"];
    if (Array.isArray(items)) return items.map((item) => manifestOf(item, { file, line }));
  }
  return [manifestOf(object, { file, line })];
}

/** An object that names its kind. Its metadata may lack a name: what people paste often does. Throws `bad-input`. */
export function manifestOf(value: unknown, where: { readonly file: string; readonly line: number }): Manifest {
  if (!isMap(value) || typeof value["kind"] !== "string" || typeof value["apiVersion"] !== "string") {
    throw new Fault("bad-input", {
      message: "expected an object with apiVersion and kind, found something else.",
      where,
      next: "Give objects with their status, as kubectl get -o yaml prints them.",
    });
  }
  const metadata = isMap(value["metadata"]) ? value["metadata"] : {};
  const name = typeof metadata["name"] === "string" ? metadata["name"] : "";
  return { ...value, apiVersion: value["apiVersion"], kind: value["kind"], metadata: { ...metadata, name } };
}

/** Numbers as JavaScript has them: a verdict counts replicas, never beyond 2^53. */
export function plain(value: Json): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one as Json)]));
}
