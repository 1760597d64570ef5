import type { ClusterId } from "@capstan/proto";
import type { Document } from "../documents/model.ts";
import { asCluster } from "../documents/views.ts";
import { type Declaration, declarationOf } from "./model.ts";

/** What `Cluster` documents say: the declaration of each id that one names, and where it stands. */
export function documentedClusters(
  documents: readonly Document[],
): ReadonlyMap<ClusterId, { readonly declaration: Declaration; readonly where: string }> {
  return new Map(
    documents.map((document) => {
      const { owner, file, line } = document.origin;
      const { metadata, spec } = asCluster(document);
      const id = metadata.name as ClusterId;
      return [id, { declaration: declarationOf(id, document, spec), where: `${owner} ${file}:${line}` }] as const;
    }),
  );
}
