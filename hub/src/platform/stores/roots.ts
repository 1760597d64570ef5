import { Fault } from "@capstan/proto";
import type { Root, RootReader } from "../../documents/port.ts";
import type { Sources } from "../../sources/port.ts";
import { textOf } from "../../yaml/text.ts";

const documentFile = /\.(ya?ml|json)$/i;

/** Reads roots through the shared mirrors: every YAML and JSON file below the root's path. */
export function rootReader(sources: Sources): RootReader {
  return {
    watch: (root) => sources.watch(root.repoURL, root.revision),
    async read(root) {
      const state = sources.current(root.repoURL, root.revision);
      if (state === undefined) {
        const fault = sources.faultOf(root.repoURL, root.revision);
        if (fault !== undefined) throw fault;
        return undefined;
      }
      const tree = sources.tree(root.repoURL, state.commit);
      const entries = await tree.below(root.path === "." ? "" : root.path);
      if (entries === undefined) throw missing(root, state.commit);
      const wanted = entries.filter(({ path, kind }) => kind === "file" && documentFile.test(path));
      const files = await Promise.all(
        wanted.map(async ({ path }) => {
          try {
            return { path, text: textOf(await tree.read(path), { file: path }) };
          } catch (thrown) {
            return { path, text: Fault.from(thrown) };
          }
        }),
      );
      return { commit: state.commit, files };
    },
  };
}

function missing(root: Root, commit: string): Fault {
  return new Fault("path-not-found", {
    message: `root ${root.name} expects a folder ${root.path}, found none.`,
    where: { repository: root.repoURL, revision: commit },
    next: "Correct roots[].path in the hub's config, or add the folder.",
  });
}
