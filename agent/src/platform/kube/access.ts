import { readFile } from "node:fs/promises";

/** How to reach an API server and who we are there. */
export interface KubeAccess {
  /** `https://host:port`, possibly with a path. */
  readonly server: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Overrides the name that the server's certificate must have. */
  readonly serverName?: string;
  readonly insecure?: boolean;
  /** The bearer token, asked for before each request; cheap, as it caches. */
  token(): Promise<string | undefined>;
  /** The namespace that the access names as its own. */
  readonly namespace?: string;
}

const mounted = "/var/run/secrets/kubernetes.io/serviceaccount";
const rereadMs = 60_000;

/** Access of a pod by its mounted account; undefined outside a cluster. The token is read again each minute. */
export async function inClusterAccess(
  env: Readonly<Record<string, string | undefined>>,
  folder = mounted,
): Promise<KubeAccess | undefined> {
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT"] ?? "443";
  if (host === undefined || host === "") return undefined;
  const ca = await readFile(`${folder}/ca.crt`, "utf8");
  const namespace = (await readFile(`${folder}/namespace`, "utf8")).trim();
  const name = host.includes(":") ? `[${host}]` : host;
  return { server: `https://${name}:${port}`, ca, namespace, token: fileToken(`${folder}/token`) };
}

/** A token kept in a file that something else renews. */
export function fileToken(file: string): () => Promise<string | undefined> {
  let token: string | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - readAt > rereadMs) {
      token = (await readFile(file, "utf8")).trim();
      readAt = performance.now();
    }
    return token;
  };
}
