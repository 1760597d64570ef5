import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";

/** The outside programs that the tests, the benches and the playground run. */
export const toolNames = [
  "natsServer",
  "helm",
  "kubectl",
  "kubeApiserver",
  "etcd",
  "kubeControllerManager",
  "templateOracle",
  "jsonnet",
] as const;

/** Name of one outside program, as a field of `Tools`. */
export type ToolName = (typeof toolNames)[number];

/** File names of the programs, as their makers call them. */
export const programName: Readonly<Record<ToolName, string>> = {
  natsServer: "nats-server",
  helm: "helm",
  kubectl: "kubectl",
  kubeApiserver: "kube-apiserver",
  etcd: "etcd",
  kubeControllerManager: "kube-controller-manager",
  templateOracle: "template-oracle",
  jsonnet: "jsonnet",
};

const variable: Readonly<Record<ToolName, string>> = {
  natsServer: "CAPSTAN_NATS_SERVER",
  helm: "CAPSTAN_HELM",
  kubectl: "CAPSTAN_KUBECTL",
  kubeApiserver: "CAPSTAN_KUBE_APISERVER",
  etcd: "CAPSTAN_ETCD",
  kubeControllerManager: "CAPSTAN_KUBE_CONTROLLER_MANAGER",
  templateOracle: "CAPSTAN_TEMPLATE_ORACLE",
  jsonnet: "CAPSTAN_JSONNET",
};

/** Folder for all that is downloaded or built: outside the checkout, so that a fresh clone starts warm. */
export function cacheRoot(): string {
  return resolve(process.env["CAPSTAN_CACHE"] ?? join(homedir(), ".cache", "capstan"));
}

/**
 * The program that a person named: by its own variable, or in the folder `KUBEBUILDER_ASSETS` (the convention of
 * controller-runtime's envtest). A variable that names no file is an error, not a reason to look elsewhere.
 */
export function fromEnvironment(name: ToolName): string | undefined {
  const own = process.env[variable[name]];
  if (own !== undefined && own !== "") {
    if (!existsSync(own)) throw new Error(`${variable[name]} names ${own}, and there is no such file`);
    return resolve(own);
  }
  const assets = process.env["KUBEBUILDER_ASSETS"];
  if (assets === undefined || assets === "") return undefined;
  if (name !== "kubectl" && !name.startsWith("kube") && name !== "etcd") return undefined;
  const path = resolve(assets, programName[name]);
  return existsSync(path) ? path : undefined;
}
