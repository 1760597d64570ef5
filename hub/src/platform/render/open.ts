import { createHash } from "node:crypto";
import { type Clock, Fault } from "@capstan/proto";
import type { Sha256 } from "../../render/bundle.ts";
import type { RenderConfig } from "../../render/config.ts";
import { findOnPath } from "./find.ts";
import { Sandbox } from "./sandbox.ts";
import { type Runner, Spawner } from "./spawner.ts";
import { SandboxTools } from "./tools.ts";

/** What the render tools need of the process. */
export interface OpenToolsOptions {
  /** A directory of their own; emptied at the start. */
  readonly directory: string;
  /** The hub's `PATH`. */
  readonly path: string;
  readonly config: RenderConfig;
  readonly clock: Clock;
  /** Shared by all that start programs; by default one is made. */
  readonly runner?: Runner;
}

/** sha256 for render keys and bundles. */
export const sha256Hex: Sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/**
 * Finds Helm and kubectl (by config, then PATH) and opens the sandbox they run in. Throws `tool-missing`, and
 * `bad-config` where isolation is required and the kernel does not give it.
 */
export async function openTools(
  options: OpenToolsOptions,
  signal: AbortSignal,
): Promise<{ readonly tools: SandboxTools; readonly isolation: Sandbox["isolation"] }> {
  const { config, directory, path, clock, runner = new Spawner().start() } = options;
  const tools: Record<string, string> = {};
  for (const name of ["helm", "kubectl"] as const) {
    const found = await findOnPath(config[name], path);
    if (found === undefined) throw notFound(name, config[name]);
    tools[name] = found;
  }
  const limits = {
    timeMs: config.timeoutSeconds * 1000,
    memoryBytes: config.memoryMiB * 2 ** 20,
    outputBytes: config.outputMiB * 2 ** 20,
  };
  const sandbox = await Sandbox.open(
    { directory, tools, path, limits, processes: config.processes, clock, runner },
    signal,
  );
  if (config.requireIsolation && sandbox.isolation.mode === "none") {
    throw new Fault("bad-config", {
      message: `render.requireIsolation is set, and the kernel does not shut renders in: ${sandbox.isolation.reason}`,
      next: "Allow user namespaces on this machine, or run the hub as root in its container, or unset it.",
    });
  }
  const noJsonnet = await addJsonnet(sandbox, await findOnPath(config.jsonnet, path), config.jsonnet);
  return { tools: new SandboxTools(sandbox, noJsonnet), isolation: sandbox.isolation };
}

/** Few fleets need Jsonnet: without it, or with one that the sandbox cannot hold, only its sources fail, by this fault. */
async function addJsonnet(sandbox: Sandbox, found: string | undefined, wanted: string): Promise<Fault | undefined> {
  if (found === undefined) return notFound("jsonnet", wanted);
  try {
    await sandbox.add("jsonnet", found);
    return undefined;
  } catch (thrown) {
    return Fault.from(thrown);
  }
}

function notFound(name: string, wanted: string): Fault {
  return new Fault("tool-missing", {
    message: `expected ${wanted} on the hub's PATH, found none.`,
    next: `Install ${name}, or name its path in the hub's config (render.${name}).`,
  });
}
