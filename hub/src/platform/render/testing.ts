import { createHash } from "node:crypto";
import { globSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Fault, systemClock } from "@capstan/proto";
import { generous } from "@capstan/proto/testing";
import { defaultRenderLimits } from "../../render/model.ts";
import type { RenderPorts } from "../../render/render.ts";
import type { Confinement, ProcessLimits } from "./confine.ts";
import { Sandbox } from "./sandbox.ts";
import { Spawner } from "./spawner.ts";
import { SandboxTools } from "./tools.ts";

/** Helm and kubectl by `CAPSTAN_HELM` and `CAPSTAN_KUBECTL`, or from the tools' cache. */
export function realTools(): Readonly<Record<"helm" | "kubectl", string>> {
  return { helm: tool("helm", "CAPSTAN_HELM"), kubectl: tool("kubectl", "CAPSTAN_KUBECTL") };
}

/** Jsonnet by `CAPSTAN_JSONNET`, or from the tools' cache; undefined where it could not be built, for want of Go. */
export function realJsonnet(): string | undefined {
  return found("jsonnet", "CAPSTAN_JSONNET");
}

function tool(name: string, variable: string): string {
  const path = found(name, variable);
  if (path === undefined) throw new Error(`no ${name}: set ${variable}`);
  return path;
}

function found(name: string, variable: string): string | undefined {
  const cache = process.env["CAPSTAN_CACHE"] ?? join(homedir(), ".cache", "capstan");
  return process.env[variable] ?? globSync(join(cache, "{layer,servers}", "*", name))[0];
}

/** A sandbox with the real tools. */
export async function realSandbox(
  directory: string,
  options: { readonly limits?: Partial<ProcessLimits>; readonly confinements?: readonly Confinement[] } = {},
): Promise<Sandbox> {
  const limits = { timeMs: 30_000, memoryBytes: 2 * 2 ** 30, outputBytes: 64 * 2 ** 20, ...options.limits };
  const { confinements } = options;
  const path = process.env["PATH"] ?? "";
  const base = { directory, tools: realTools(), path, limits, processes: 2, clock: systemClock, runner: new Spawner() };
  const sandbox = await Sandbox.open(
    { ...base, ...(confinements === undefined ? {} : { confinements }) },
    AbortSignal.timeout(generous(60_000)),
  );
  const jsonnet = realJsonnet();
  if (jsonnet !== undefined) await sandbox.add("jsonnet", jsonnet);
  return sandbox;
}

/** The ports of a render over a sandbox. */
export function portsOver(sandbox: Sandbox): RenderPorts {
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const missing = realJsonnet() === undefined ? new Fault("tool-missing", { message: "no jsonnet." }) : undefined;
  return { tools: new SandboxTools(sandbox, missing), sha256, limits: defaultRenderLimits };
}
