import { Fault } from "@capstan/proto";
import type { TreeEntry } from "../sources/model.ts";

/** `link-refused` for a link that a render would need. */
export function link(entry: TreeEntry): Fault {
  return new Fault("link-refused", {
    message: `expected a regular file, found a ${entry.kind === "link" ? "symbolic link" : "submodule"}; links are never followed.`,
    where: { file: entry.path },
    next: "Put a copy of the file in its place.",
  });
}
