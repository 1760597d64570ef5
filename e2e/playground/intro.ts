import { dirname, join } from "node:path";
import { root } from "../toolchain/program.ts";
import { sampleBreakage, sampleChange } from "../world/fleet-repository.ts";

/** What the first lines tell of. */
export interface Intro {
  readonly kind: "real" | "simulated";
  readonly clusters: readonly string[];
  /** Why the clusters are not real; empty where they are, or where simulated ones were asked for. */
  readonly reason: string;
  /** The clone to work in. */
  readonly clone: string;
  readonly dataDir: string;
  /** Kubeconfig of the first cluster. */
  readonly kubeconfig: string;
  readonly kubectl: string;
  /** The Node that runs this. */
  readonly node: string;
}

/** What runs, and what to try, in about ten lines that can be copied. */
export function introText(intro: Intro): string {
  const { clusters, kind, clone, dataDir, node } = intro;
  const servers = kind === "real" ? "real API servers" : "simulated API servers";
  const why = intro.reason === "" ? "" : ` (${intro.reason})`;
  return [
    `A fleet lives here: a hub with its NATS, a Git server, and ${clusters.length} clusters with agents on ${servers}${why}.`,
    "",
    "In a second terminal, first:",
    `  export CAPSTAN_DATA=${quoted(dataDir)}; capstan() { ${quoted(node)} ${quoted(join(root, "hub/src/main.ts"))} "$@"; }; cd ${quoted(clone)}`,
    "then try:",
    `  push a change       ${edit(sampleChange)} && git commit -qam "Raise the cart limit" && git push -q`,
    `  break an image      ${edit(sampleBreakage)} && git commit -qam "A broken image" && git push -q`,
    "  see it stop, why    capstan status; capstan why shop-web",
    "  take it back        capstan rollout rollback shop-web",
    `  look into ${(clusters[0] ?? "").padEnd(9)} ${quoted(intro.kubectl)} --kubeconfig ${quoted(intro.kubeconfig)} get deployments,configmaps -A`,
    "",
    "Ctrl-C here ends all of it and leaves nothing behind.",
    "",
  ].join("\n");
}

function edit({ path, before, after }: { readonly path: string; readonly before: string; readonly after: string }) {
  const pattern = (text: string) => text.replaceAll("/", "\\/").replaceAll(".", "\\.");
  return `perl -pi -e 's/${pattern(before)}/${after.replaceAll("/", "\\/")}/' ${join(dirname(path), path.slice(dirname(path).length + 1))}`;
}

/** As a shell takes it for one word. */
function quoted(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
