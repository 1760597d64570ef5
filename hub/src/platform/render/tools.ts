import { Fault } from "@capstan/proto";
import type { ToolVersions } from "../../render/model.ts";
import type { HelmJob, JsonnetJob, JsonnetVariable, KustomizeJob, RenderTools } from "../../render/port.ts";
import type { Sandbox } from "./sandbox.ts";

/** Helm, Kustomize (of kubectl) and Jsonnet in a sandbox that holds `helm`, `kubectl` and, where there is one, `jsonnet`. */
export class SandboxTools implements RenderTools {
  readonly #sandbox: Sandbox;
  readonly #noJsonnet: Fault | undefined;
  #versions: Promise<ToolVersions> | undefined;

  /** `noJsonnet`: why the sandbox holds no `jsonnet`, where it does not. */
  constructor(sandbox: Sandbox, noJsonnet?: Fault) {
    this.#sandbox = sandbox;
    this.#noJsonnet = noJsonnet;
  }

  versions(signal: AbortSignal): Promise<ToolVersions> {
    this.#versions ??= this.#ask(signal);
    this.#versions.catch(() => {
      this.#versions = undefined;
    });
    return this.#versions;
  }

  async helm(job: HelmJob, signal: AbortSignal): Promise<string> {
    return await this.#sandbox.run({ tool: "helm", args: helmArguments(job), files: job.files }, signal);
  }

  async kustomize(job: KustomizeJob, signal: AbortSignal): Promise<string> {
    const args = ["kustomize", "--", job.directory];
    return await this.#sandbox.run({ tool: "kubectl", args, files: job.files }, signal);
  }

  async jsonnet(job: JsonnetJob, signal: AbortSignal): Promise<string> {
    if (this.#noJsonnet !== undefined) throw this.#noJsonnet;
    const args = [...job.libs.flatMap((lib) => ["--jpath", lib]), ...job.variables.flatMap(variable), "--", job.file];
    return await this.#sandbox.run({ tool: "jsonnet", args, files: job.files }, signal);
  }

  async #ask(signal: AbortSignal): Promise<ToolVersions> {
    const ask = (tool: string, args: readonly string[]) => this.#sandbox.run({ tool, args, files: new Map() }, signal);
    const helm = await ask("helm", ["version", "--template", "{{.Version}}"]);
    const kubectl = await ask("kubectl", ["version", "--client", "--output=json"]);
    const kustomize = (JSON.parse(kubectl) as { kustomizeVersion?: unknown }).kustomizeVersion;
    if (typeof kustomize !== "string") {
      throw new Fault("tool-missing", { message: "expected a kubectl that has Kustomize built in." });
    }
    if (this.#noJsonnet !== undefined) return { helm: helm.trim(), kustomize };
    return { helm: helm.trim(), kustomize, jsonnet: (await ask("jsonnet", ["--version"])).trim() };
  }
}

/** The arguments of `helm template`; what people wrote comes after `--` or inside its own flag. */
export function helmArguments(job: HelmJob): readonly string[] {
  const flag = { value: "set", text: "set-string", file: "set-file" } as const;
  return [
    "template",
    `--namespace=${job.namespace === "" ? "default" : job.namespace}`,
    // Tests are never part of what a cluster should hold.
    "--skip-tests",
    ...(job.includeCrds ? ["--include-crds"] : []),
    ...(job.skipSchemaValidation ? ["--skip-schema-validation"] : []),
    ...(job.kubeVersion === undefined ? [] : [`--kube-version=${job.kubeVersion}`]),
    ...(job.apiVersions.length === 0 ? [] : [`--api-versions=${job.apiVersions.map(field).join(",")}`]),
    ...job.valueFiles.map((path) => `--values=${field(path)}`),
    ...job.settings.map(({ kind, name, value }) => `--${flag[kind]}=${name}=${value}`),
    "--",
    job.releaseName,
    job.chart,
  ];
}

function variable({ kind, name, value, code }: JsonnetVariable): readonly string[] {
  return [`--${kind === "external" ? "ext" : "tla"}-${code ? "code" : "str"}`, `${name}=${value}`];
}

/** Helm reads these flags as lines of CSV. */
function field(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
