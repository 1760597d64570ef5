import process from "node:process";
import { generate } from "../../generators/generate.ts";
import { IncrementalGenerator } from "../../generators/incremental.ts";
import type { GenerateInput, GenerateResult } from "../../generators/model.ts";
import { TemplateEngine } from "../../template/engine.ts";
import { clusterSet, clusters, elements, inputOf, listSet, matrixSet, serviceFiles } from "./inputs.ts";

/** `main.ts SCALE`: times the generator in this process alone, and prints one line of JSON. Times in milliseconds. */
const scale = Number(process.argv[2] ?? 1);
const count = (full: number) => Math.max(2, Math.round(full * scale));

interface Timing {
  readonly targets: number;
  readonly ms: number;
}

const warming = 2;

function median(times: readonly number[]): number {
  return [...times].sort((left, right) => left - right)[times.length >> 1] ?? Number.NaN;
}

function checked(result: GenerateResult): number {
  const [fault] = [...result.faults, ...result.rejected];
  if (fault !== undefined) throw new Error(`the input is wrong: ${fault.fault.message}`);
  return result.applications.length;
}

/** The median of some runs, each with an engine of its own, after two that warm the machine. */
function time(input: GenerateInput, runs: number): Timing {
  const times: number[] = [];
  let targets = 0;
  for (let run = 0; run < runs + warming; run += 1) {
    const engine = new TemplateEngine();
    const began = performance.now();
    const result = generate(engine, input);
    if (run >= warming) times.push(performance.now() - began);
    targets = checked(result);
  }
  return { targets, ms: median(times) };
}

/** The median of changes, one after the other, each to documents and files that were read anew. */
function timeChanges(inputAt: (change: number) => GenerateInput): Timing & { readonly renders: number } {
  const engine = new TemplateEngine();
  const generator = new IncrementalGenerator(engine);
  const times: number[] = [];
  let targets = 0;
  let renders = 0;
  for (let change = 0; change < 10; change += 1) {
    const input = inputAt(change);
    const before = engine.counts.renders;
    const began = performance.now();
    const result = generator.generate(input);
    if (change > warming) times.push(performance.now() - began);
    targets = checked(result);
    renders = engine.counts.renders - before;
  }
  return { targets, ms: median(times), renders };
}

const files = serviceFiles(count(100));
const fleet = clusters(count(100));
const matrix = time(inputOf(matrixSet(), { clusters: fleet, files }), 5);
const list = time(inputOf(listSet(elements(count(1_000))), { clusters: clusters(count(1_000)) }), 5);
const cluster = time(inputOf(clusterSet(), { clusters: clusters(count(1_000)) }), 5);
const rss = process.memoryUsage.rss();
// The same element each time: what it was before is put back as it changes again.
const oneElement = timeChanges((change) => {
  const all = elements(count(10_000));
  const [first, ...others] = all;
  // Elements name a thousand clusters, or as many as there are elements.
  const named = clusters(Math.min(1_000, all.length));
  return inputOf(listSet([{ ...first, env: `env-${change}` }, ...others]), { clusters: named });
});
const oneLabel = timeChanges((change) => {
  const [first, ...others] = clusters(count(100));
  if (first === undefined) throw new Error("there is no cluster");
  const relabelled = { ...first, labels: { ...first.labels, region: `region-${change}` } };
  return inputOf(matrixSet(), { clusters: [relabelled, ...others], files: serviceFiles(count(100)) });
});
const oneFile = timeChanges((change) => {
  const fresh = serviceFiles(count(100));
  const path = "services/svc-001/deploy.yaml";
  const changed = { ...fresh, [path]: fresh[path]?.replace(/replicas: \d+/, `replicas: ${change + 10}`) ?? "" };
  return inputOf(matrixSet(), { clusters: clusters(count(100)), files: changed });
});
const large = time(inputOf(matrixSet(), { clusters: clusters(count(100) * 10), files }), 1);
const figures = { matrix, list, cluster, oneElement, oneLabel, oneFile, large, rss };
process.stdout.write(`${JSON.stringify({ ...figures, peakRss: process.resourceUsage().maxRSS * 1_024 })}\n`);
