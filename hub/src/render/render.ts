import { Fault } from "@capstan/proto";
import type { Tree, TreeEntry } from "../sources/model.ts";
import { normalisePath } from "../sources/path.ts";
import { textOf } from "../yaml/text.ts";
import { makeBundle, type Sha256 } from "./bundle.ts";
import { detectType } from "./detect.ts";
import { isSkipped, planDirectory } from "./directory.ts";
import { buildEnvironment } from "./environment.ts";
import { planHelm } from "./helm.ts";
import { renderKey } from "./key.ts";
import { planKustomize } from "./kustomize.ts";
import { readManifests } from "./manifest.ts";
import type { Bundle, Manifest, RenderKey, RenderLimits, RenderRequest, RenderSource } from "./model.ts";
import { withOverrides } from "./override.ts";
import { type JsonnetPlan, repositoryRoot, type SourcePlan } from "./plan.ts";
import type { RenderTools } from "./port.ts";

/** What a render needs of the world. */
export interface RenderPorts {
  readonly tools: RenderTools;
  readonly sha256: Sha256;
  readonly limits: RenderLimits;
}

/** A render that is ready to run, with its key. Running it later gives the same bundle. */
export interface PreparedRender {
  readonly key: RenderKey;
  readonly warnings: readonly string[];
  run(signal: AbortSignal): Promise<Bundle>;
}

/**
 * Plans a render and tells its key without rendering. Throws `path-not-found`, `path-empty`, `path-escapes`,
 * `link-refused`, `remote-refused`, `bad-input`, `bad-yaml`, `unsupported`.
 */
export async function prepareRender(
  request: RenderRequest,
  ports: RenderPorts,
  signal: AbortSignal,
): Promise<PreparedRender> {
  const plans: SourcePlan[] = [];
  for (const source of request.sources) {
    const plan = await planSource(source, request);
    if (plan !== undefined) plans.push(plan);
  }
  if (plans.length === 0) {
    throw new Fault("bad-input", {
      message: "expected a source with manifests, found none.",
      where: { field: "spec.source" },
    });
  }
  const key = renderKey(plans, await ports.tools.versions(signal), ports.sha256);
  const warnings = plans.flatMap((plan) => plan.warnings);
  return { key, warnings, run: (running) => runPlans(plans, ports, running) };
}

/** Plans and runs in one go. Besides the faults of planning: `render-failed`, `render-limit`, `bad-manifest`, `too-large`. */
export async function render(request: RenderRequest, ports: RenderPorts, signal: AbortSignal): Promise<Bundle> {
  const prepared = await prepareRender(request, ports, signal);
  return await prepared.run(signal);
}

async function planSource(from: RenderSource, request: RenderRequest): Promise<SourcePlan | undefined> {
  const { tree } = from;
  let { source } = from;
  if (source.ref !== undefined && source.path === undefined && source.chart === undefined) return undefined;
  const where = { repository: tree.repository.url, revision: tree.commit };
  try {
    // A chart is all that its repository gives.
    const path = source.chart === undefined ? normalisePath(source.path ?? "") : "";
    const entries = await entriesAt(tree, path);
    const names = entries
      .map((entry) => (path === "" ? entry.path : entry.path.slice(path.length + 1)))
      .filter((name) => !name.includes("/"));
    source = await withOverrides(source, { tree, path }, request.name);
    const environment = buildEnvironment(request, source, tree);
    switch (detectType(source, names)) {
      case "directory":
        return await planDirectory(source, { tree, path, entries, environment });
      case "kustomize":
        return await planKustomize(source, { tree, path, environment });
      case "helm":
        return await planHelm(source, { tree, path, entries, refs: refsOf(request), environment }, request);
    }
  } catch (thrown) {
    throw Fault.from(thrown).at(where);
  }
}

async function entriesAt(tree: Tree, path: string): Promise<readonly TreeEntry[]> {
  const entry = await tree.entry(path);
  const entries = entry?.kind === "directory" ? await tree.below(path) : undefined;
  if (entries !== undefined && entries.length > 0) return entries;
  throw nothingToRender(entry, path, await submoduleAbove(tree, path));
}

/** The submodule that a path lies in: it is not fetched, so nothing is there. */
async function submoduleAbove(tree: Tree, path: string): Promise<string | undefined> {
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    const entry = await tree.entry(path.slice(0, end));
    if (entry !== undefined) return entry.kind === "module" ? entry.path : undefined;
  }
  return undefined;
}

function nothingToRender(entry: TreeEntry | undefined, path: string, submodule: string | undefined): Fault {
  const shown = path === "" ? "the repository's root" : path;
  const where = { file: path };
  if (submodule !== undefined || entry?.kind === "module") {
    return new Fault("link-refused", {
      message: `expected a directory at ${shown}, found the submodule ${submodule ?? path}; submodules are not read.`,
      where,
      next: "Name the submodule's own repository as the source.",
    });
  }
  const next = "Check spec.source.path and targetRevision.";
  if (entry === undefined) {
    return new Fault("path-not-found", { message: `expected a directory at ${shown}, found nothing.`, where, next });
  }
  if (entry.kind === "directory") {
    return new Fault("path-empty", { message: `expected manifests at ${shown}, found nothing.`, where, next });
  }
  const code = entry.kind === "link" ? "link-refused" : "path-not-found";
  return new Fault(code, { message: `expected a directory at ${shown}, found a ${entry.kind}.`, where, next });
}

function refsOf(request: RenderRequest) {
  return new Map(request.sources.flatMap(({ source, tree }) => (source.ref === undefined ? [] : [[source.ref, tree]])));
}

async function runPlans(plans: readonly SourcePlan[], ports: RenderPorts, signal: AbortSignal): Promise<Bundle> {
  const manifests: (readonly Manifest[])[] = [];
  for (const plan of plans) {
    try {
      manifests.push(await runPlan(plan, ports, signal));
    } catch (thrown) {
      throw placed(plan, thrown);
    }
  }
  const bundle = bundleOf(plans, manifests, ports);
  return { ...bundle, warnings: [...plans.flatMap((plan) => plan.warnings), ...bundle.warnings] };
}

function bundleOf(
  plans: readonly SourcePlan[],
  manifests: readonly (readonly Manifest[])[],
  { sha256, limits }: RenderPorts,
): Bundle {
  try {
    return makeBundle(manifests, sha256, limits);
  } catch (thrown) {
    const [plan] = plans;
    throw plan === undefined ? thrown : placed(plan, thrown);
  }
}

function placed(plan: SourcePlan, thrown: unknown): Fault {
  const { repository, commit } = plan.tree;
  return Fault.from(thrown).at({ file: plan.path, repository: repository.url, revision: commit });
}

async function runPlan(plan: SourcePlan, { tools, limits }: RenderPorts, signal: AbortSignal): Promise<Manifest[]> {
  const files = await readFiles(plan, limits);
  switch (plan.type) {
    case "directory": {
      const plain = plan.manifests.flatMap((place) => manifestsOf(pathOf(place), files.get(place) ?? new Uint8Array()));
      return [...plain, ...(await evaluated(plan.jsonnet, files, tools, signal))];
    }
    case "kustomize": {
      const directory = plan.directory;
      const output = await tools.kustomize({ files, directory }, signal);
      return readManifests(output, `${directory.slice(repositoryRoot.length + 1)} (kustomize)`, () =>
        pathOf(directory),
      );
    }
    case "helm": {
      const output = await tools.helm({ ...plan, files }, signal);
      return readManifests(output, `${pathOf(plan.chart)} (helm template)`, templateAt(output, pathOf(plan.chart)));
    }
  }
}

/** What Jsonnet makes of each file: one object, or a list of them. */
async function evaluated(
  plan: JsonnetPlan | undefined,
  files: ReadonlyMap<string, Uint8Array>,
  ...[tools, signal]: readonly [RenderTools, AbortSignal]
): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  for (const file of plan?.evaluate ?? []) {
    const { libs, variables } = plan as JsonnetPlan;
    const output = JSON.parse(await tools.jsonnet({ files, file, libs, variables }, signal)) as unknown;
    const documents = (Array.isArray(output) ? output : [output]).map((value) => JSON.stringify(value));
    manifests.push(...readManifests(documents.join("\n---\n"), `${pathOf(file)} (jsonnet)`, () => pathOf(file)));
  }
  return manifests;
}

/** Every file of the plan, whole and bounded. */
async function readFiles(plan: SourcePlan, limits: RenderLimits): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  let length = 0;
  const planned = [...plan.files];
  const contents = await Promise.all(planned.map(([, { tree, entry }]) => tree.read(entry.path)));
  for (const [index, [place]] of planned.entries()) {
    const bytes = contents[index] ?? new Uint8Array();
    length += bytes.byteLength;
    files.set(place, bytes);
  }
  if (length > limits.bundleBytes) {
    throw new Fault("too-large", { message: `expected at most ${limits.bundleBytes} bytes of files in a source.` });
  }
  for (const [place, text] of plan.made) files.set(place, new TextEncoder().encode(text));
  return files;
}

function manifestsOf(file: string, bytes: Uint8Array): Manifest[] {
  const text = textOf(bytes, { file });
  return isSkipped(text) ? [] : readManifests(text, file);
}

function pathOf(place: string): string {
  return place.slice(repositoryRoot.length + 1) || ".";
}

/** Which template a line of Helm's output came from: Helm writes it above each document. */
function templateAt(output: string, chart: string): (line: number) => string {
  let lines: readonly string[] | undefined;
  return (line) => {
    lines ??= output.split("\n");
    for (let at = Math.min(line, lines.length) - 1; at >= 0; at -= 1) {
      const found = /^# Source: [^/]+\/(.+)$/.exec(lines[at] ?? "");
      if (found !== null) return `${chart}/${found[1]}`;
    }
    return chart;
  };
}
