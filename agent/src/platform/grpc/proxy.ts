import { request } from "node:http";
import type { Socket } from "node:net";
import { Fault } from "@capstan/proto";

type Env = Readonly<Record<string, string | undefined>>;

/** An HTTP proxy on the way to a hub. */
export interface Proxy {
  readonly host: string;
  readonly port: number;
  /** `USER:PASSWORD`; undefined where it asks for none. */
  readonly credentials: string | undefined;
}

const patience = 10_000;

/**
 * The environment as the gRPC library reads it (it knows lower-case names alone, and takes list entries as they stand): what
 * people set for HTTPS counts for hubs too. Call once, before the first connection.
 */
export function adoptProxySettings(env: Record<string, string | undefined>): void {
  const proxy = said(env, "grpc_proxy") ?? said(env, "https_proxy") ?? said(env, "http_proxy");
  const hosts = exceptions(env);
  if (proxy === undefined || hosts.includes("*")) {
    for (const name of ["grpc_proxy", "https_proxy", "http_proxy"]) delete env[name];
    return;
  }
  env["grpc_proxy"] = proxy;
  if (hosts.length > 0) env["no_grpc_proxy"] = hosts.join(",");
  // An empty list, or an empty entry in one, would mean every host.
  else for (const name of ["no_grpc_proxy", "no_proxy"]) delete env[name];
}

/** The proxy for this hub, by an environment that `adoptProxySettings` has seen; the same that gRPC takes. Throws `bad-config`. */
export function proxyOf(host: string, env: Env): Proxy | undefined {
  const text = env["grpc_proxy"];
  if (text === undefined || exceptions(env).some((end) => host.endsWith(end))) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:") {
    throw new Fault("bad-config", {
      message: "expected the proxy for HTTPS as http://HOST:PORT, found another text.",
      next: "Mend grpc_proxy or HTTPS_PROXY in the agent's environment.",
    });
  }
  const { hostname, port, username, password } = url;
  const credentials = username === "" ? undefined : decodeURIComponent(`${username}:${password}`);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? 80 : Number(port), credentials };
}

/** A connection to `target` (`host:port`) through the proxy's CONNECT. Faults: `hub-unreachable`. */
export function tunnel(proxy: Proxy, target: string, signal: AbortSignal): Promise<Socket> {
  const { host, port, credentials } = proxy;
  const authorization =
    credentials === undefined ? {} : { "Proxy-Authorization": `Basic ${Buffer.from(credentials).toString("base64")}` };
  return new Promise((resolve, reject) => {
    const unreachable = (found: string, cause?: Error) =>
      new Fault("hub-unreachable", {
        message: `the hub at ${target} cannot be reached through the proxy ${host}:${port}: ${found}`,
        next: "Check the proxy's address, and that it lets this cluster connect to the hub's port.",
        cause,
      });
    const headers = { Host: target, ...authorization };
    const asked = request({ host, port, method: "CONNECT", path: target, headers, signal, agent: false });
    asked.setTimeout(patience, () => asked.destroy(new Error(`no answer within ${patience} ms`)));
    asked.once("error", (error) => reject(unreachable(error.message, error)));
    asked.once("response", ({ statusCode }) => reject(unreachable(`it answered ${statusCode}`)));
    asked.once("connect", ({ statusCode = 0 }, socket) => {
      socket.setTimeout(0);
      if (statusCode >= 200 && statusCode < 300) return resolve(socket);
      socket.destroy();
      reject(unreachable(`it answered ${statusCode}`));
    });
    asked.end();
  });
}

function said(env: Env, name: string): string | undefined {
  return [env[name], env[name.toUpperCase()]].find((value) => value !== undefined && value.trim() !== "")?.trim();
}

/** Ends of host names, and addresses, that are reached directly. */
function exceptions(env: Env): string[] {
  const list = said(env, "no_grpc_proxy") ?? said(env, "no_proxy") ?? "";
  const entries = list.split(",").map((entry) => entry.trim());
  return entries.filter((entry) => entry !== "").map((entry) => entry.replace(/^\*\./, "."));
}
