import { type RequestOptions, request } from "node:https";
import { Fault } from "@capstan/proto";
import type { ApplyItem, KubeDoor } from "../../cli/port.ts";

const fieldManager = "capstan-cli";
const patienceMs = 30_000;

interface Target {
  readonly server: string;
  readonly options: RequestOptions;
  readonly named: string;
}

/** The cluster that a kubeconfig points at; helper programs for signing in are run as kubectl does. */
export const kubeDoor: KubeDoor = {
  apply: async (items, where, told, signal) => {
    const target = await reach(where);
    for (const item of items) {
      const status = await send(target, item, signal);
      told(item, status === 201 ? "created" : "configured");
    }
  },
};

/** The SDK is loaded only here: no other verb waits for it. */
async function reach(where: { readonly kubeconfig: string | undefined; readonly context: string | undefined }) {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  try {
    if (where.kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(where.kubeconfig);
    if (where.context !== undefined) config.setCurrentContext(where.context);
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw noCluster(where.context ?? config.getCurrentContext());
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    return { server: cluster.server, options, named: `${config.getCurrentContext()} (${cluster.server})` };
  } catch (thrown) {
    if (thrown instanceof Fault) throw thrown;
    throw new Fault("bad-config", {
      message: `the kubeconfig cannot be used: ${thrown instanceof Error ? thrown.message : String(thrown)}.`,
      ...(where.kubeconfig === undefined ? {} : { where: { file: where.kubeconfig } }),
      next: "Name another: --kubeconfig FILE, --context NAME.",
      cause: thrown,
    });
  }
}

function noCluster(context: string): Fault {
  return new Fault("bad-config", {
    message: `the kubeconfig has no context called ${JSON.stringify(context)}.`,
    next: "See: kubectl config get-contexts",
  });
}

function send(target: Target, item: ApplyItem, signal: AbortSignal): Promise<number> {
  const url = new URL(`${target.server.replace(/\/+$/, "")}${item.path}?fieldManager=${fieldManager}&force=true`);
  const body = JSON.stringify(item.object);
  return new Promise((resolve, reject) => {
    const call = request(url, { ...target.options, method: "PATCH", signal, timeout: patienceMs });
    call.setHeader("content-type", "application/apply-patch+yaml");
    call.once("timeout", () => call.destroy(new Error(`no answer within ${patienceMs / 1000} s`)));
    call.once("error", (cause) => reject(unreachable(target, cause)));
    call.once("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", (cause) => reject(unreachable(target, cause)));
      response.once("end", () => {
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve(status);
        else reject(refused(item, status, Buffer.concat(chunks).toString("utf8")));
      });
    });
    call.end(body);
  });
}

function unreachable(target: Target, cause: Error): Fault {
  return new Fault("cluster-unreachable", {
    message: `the API server of ${target.named} cannot be reached: ${cause.message}.`,
    next: "See that kubectl reaches it with the same context.",
    cause,
  });
}

function refused(item: ApplyItem, status: number, body: string): Fault {
  return new Fault(status === 401 || status === 403 ? "not-allowed" : "cluster-refused", {
    message: `the API server answered ${status}: ${messageOf(body)}`,
    where: { object: item.title },
    next: "Joining needs rights to make a namespace, accounts and cluster roles.",
  });
}

function messageOf(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    return typeof message === "string" ? message : body.slice(0, 200);
  } catch {
    return body.slice(0, 200);
  }
}
