import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Fault } from "@capstan/proto";
import { fileToken, type KubeAccess } from "./access.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Reads a kubeconfig file (YAML or JSON). Throws `bad-config`, naming file and field. */
export async function kubeconfigAccess(file: string, context?: string): Promise<KubeAccess> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new Fault("bad-config", {
      message: "the kubeconfig file cannot be read.",
      where: { file },
      next: "Name a readable file, or run inside a cluster.",
      cause,
    });
  });
  return parseKubeconfig(text, file, context);
}

/** The access that a kubeconfig's text gives; `file` places relative paths and faults. */
export async function parseKubeconfig(text: string, file: string, context?: string): Promise<KubeAccess> {
  const root = fields(await parseText(text, file));
  const chosen = context ?? string(root, "current-context");
  const { cluster: clusterName, user: userName, namespace } = fields(named(root, "contexts", "context", chosen, file));
  const cluster = named(root, "clusters", "cluster", String(clusterName), file);
  const user = named(root, "users", "user", String(userName), file);
  const server = string(cluster, "server");
  if (server === undefined) throw broken(file, `clusters[name=${String(clusterName)}].cluster.server`, "is missing");
  if (user["exec"] !== undefined || user["auth-provider"] !== undefined) {
    throw broken(file, `users[name=${String(userName)}].user`, "signs in by a helper program, which agents do not run");
  }
  const ca = await inlineOrFile(cluster, "certificate-authority", file);
  const cert = await inlineOrFile(user, "client-certificate", file);
  const key = await inlineOrFile(user, "client-key", file);
  const serverName = string(cluster, "tls-server-name");
  return {
    server,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(cluster["insecure-skip-tls-verify"] === true ? { insecure: true } : {}),
    ...(typeof namespace === "string" ? { namespace } : {}),
    token: tokenOf(user, file),
  };
}

/** JSON is tried first, so that the YAML reader is loaded only where it is needed. */
async function parseText(text: string, file: string): Promise<unknown> {
  try {
    if (text.trimStart().startsWith("{")) return JSON.parse(text);
    const { parse } = await import("yaml");
    return parse(text);
  } catch (cause) {
    throw new Fault("bad-config", {
      message: "the kubeconfig is neither YAML nor JSON.",
      where: { file },
      next: "Write it anew, for example with kubectl config view --raw.",
      cause,
    });
  }
}

function tokenOf(user: Fields, file: string): () => Promise<string | undefined> {
  const path = string(user, "tokenFile");
  if (path !== undefined) return fileToken(resolve(dirname(file), path));
  const token = string(user, "token");
  return async () => token;
}

async function inlineOrFile(holder: Fields, field: string, file: string): Promise<string | undefined> {
  const inline = string(holder, `${field}-data`);
  if (inline !== undefined) return Buffer.from(inline, "base64").toString("utf8");
  const path = string(holder, field);
  if (path === undefined) return undefined;
  return readFile(resolve(dirname(file), path), "utf8").catch((cause: unknown) => {
    throw new Fault("bad-config", { message: `${path} cannot be read.`, where: { file, field }, cause });
  });
}

function named(root: Fields, list: string, inner: string, name: string | undefined, file: string): Fields {
  const entries = root[list];
  for (const entry of Array.isArray(entries) ? entries : []) {
    if (fields(entry)["name"] === name) return fields(fields(entry)[inner]);
  }
  throw broken(file, list, `has no entry named ${JSON.stringify(name)}`);
}

function broken(file: string, field: string, what: string): Fault {
  return new Fault("bad-config", {
    message: `${field} ${what}.`,
    where: { file, field },
    next: "Correct the kubeconfig, or name another context.",
  });
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function string(holder: Fields, field: string): string | undefined {
  const value = holder[field];
  return typeof value === "string" && value !== "" ? value : undefined;
}
