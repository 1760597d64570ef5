import { writeFile } from "node:fs/promises";
import type { KubeAccess } from "./kube-client.ts";

/** Writes a kubeconfig (JSON, which is YAML) with one context called `name`, mode 0600, and returns its path. */
export async function writeKubeconfig(path: string, name: string, access: KubeAccess): Promise<string> {
  const ca = access.caData;
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [
      {
        name,
        cluster: {
          server: access.url,
          ...(ca === undefined ? {} : { "certificate-authority-data": Buffer.from(ca).toString("base64") }),
        },
      },
    ],
    users: [{ name, user: access.token === undefined ? {} : { token: access.token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  };
  await writeFile(path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return path;
}
