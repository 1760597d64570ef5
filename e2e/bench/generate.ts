import { join } from "node:path";
import process from "node:process";
import { run } from "../world/process.ts";
import { atMost, type Bar, type Bench, figure } from "./bench.ts";
import { knob } from "./fleet.ts";

interface Timing {
  readonly targets: number;
  readonly ms: number;
}

interface Figures {
  readonly matrix: Timing;
  readonly list: Timing;
  readonly cluster: Timing;
  readonly large: Timing;
  readonly oneElement: Timing & { readonly renders: number };
  readonly oneLabel: Timing & { readonly renders: number };
  readonly oneFile: Timing & { readonly renders: number };
  readonly rss: number;
  readonly peakRss: number;
}

const program = join(import.meta.dirname, "..", "..", "hub", "src", "testing", "generate-bench", "main.ts");
/** What Argo CD's own generator took for the first and the third on 2 cores, in milliseconds; ours is to be 20 times as fast. */
const argoMatrix = 28_000;
const argoClusters = 2_500;
/** What it took for the list, where a text without a tag costs nothing there either. */
const argoList = 43;

/** The generator alone, in a process of its own: no Git, no store, no network. */
export const bench: Bench = {
  summary: "ApplicationSets to Applications: 100 × 100 matrix, list of 1,000, 1,000 clusters; one change of 10,000",
  async run(context) {
    const scale = knob("SCALE", 1);
    const { stdout, stderr, code } = await run({
      name: "generate",
      binary: process.execPath,
      args: [program, String(scale)],
      env: { PATH: process.env["PATH"] ?? "" },
      bound: 300_000,
    });
    context.signal.throwIfAborted();
    if (code !== 0) throw new Error(`the generator failed: ${stderr}`);
    return bars(JSON.parse(stdout) as Figures);
  },
};

function bars(found: Figures): Bar[] {
  const { matrix, list, cluster, large, oneElement, oneLabel, oneFile } = found;
  const name = ({ targets }: Timing, what: string) => `${what}, ${targets} targets`;
  return [
    atMost(argoMatrix / 20, { name: name(matrix, "matrix of clusters and Git files"), value: matrix.ms, unit: "ms" }),
    atMost(argoList, { name: name(list, "list, fasttemplate"), value: list.ms, unit: "ms" }),
    atMost(argoClusters / 20, { name: name(cluster, "clusters, Go templates"), value: cluster.ms, unit: "ms" }),
    atMost(20, { name: name(oneElement, "one list element changed"), value: oneElement.ms, unit: "ms" }),
    figure({ name: "texts rendered for it", value: oneElement.renders, unit: "" }),
    figure({ name: name(oneLabel, "one cluster's label changed, matrix"), value: oneLabel.ms, unit: "ms" }),
    figure({ name: "texts rendered for it", value: oneLabel.renders, unit: "" }),
    figure({ name: name(oneFile, "one Git file changed, matrix"), value: oneFile.ms, unit: "ms" }),
    figure({ name: "texts rendered for it", value: oneFile.renders, unit: "" }),
    atMost(12, {
      name: `t(${large.targets}) / t(${matrix.targets})`,
      value: large.ms / matrix.ms,
      unit: "",
    }),
    figure({ name: "RSS after the first three", value: found.rss / 2 ** 20, unit: "MiB" }),
    figure({ name: `RSS, highest (${large.targets} targets)`, value: found.peakRss / 2 ** 20, unit: "MiB" }),
  ];
}
