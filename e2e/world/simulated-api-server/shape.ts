import type { KubeObject } from "../kube-client.ts";
import { apiVersionOf, type Kind } from "./kinds.ts";

/** How an answer is to look: whole objects, or their metadata alone. */
export type Shape = "full" | "metadata";

/** The shape that an Accept header asks for first among those that are served. */
export function shapeOf(accept: string): Shape {
  for (const part of accept.split(",")) {
    if (part.includes("as=PartialObjectMetadata")) return "metadata";
    if (!part.includes("as=") && /json|\*\/\*/.test(part)) return "full";
  }
  return "full";
}

/** One object in the asked shape. */
export function shaped(object: KubeObject, shape: Shape): unknown {
  if (shape === "full") return object;
  const { metadata } = object;
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };
}

/** What of a list to answer with. */
export interface ListPage {
  readonly items: readonly KubeObject[];
  readonly version: number;
  readonly continueToken: string;
  readonly remaining: number;
}

/** A list in the asked shape. Items of a full list carry no kind of their own, as with the real server. */
export function listOf(kind: Kind, page: ListPage, shape: Shape): unknown {
  const metadata = {
    resourceVersion: String(page.version),
    ...(page.continueToken === "" ? {} : { continue: page.continueToken, remainingItemCount: page.remaining }),
  };
  if (shape === "metadata") {
    const items = page.items.map((object) => shaped(object, shape));
    return { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata, items };
  }
  const items = page.items.map(({ kind: _kind, apiVersion: _apiVersion, ...rest }) => rest);
  const custom = kind.group.includes(".") && !kind.group.endsWith(".k8s.io");
  return { kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind), metadata, items: custom ? page.items : items };
}
