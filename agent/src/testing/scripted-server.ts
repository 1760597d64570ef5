import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { KubeAccess } from "../platform/kube/access.ts";

/** A server that answers by script: for what no real API server does on demand (429, 410, torn connections). */
export interface ScriptedServer {
  readonly access: KubeAccess;
  /** Method and path of every request, in order. */
  readonly asked: string[];
  stop(): Promise<void>;
}

/** Answers one request; the count of requests so far with that path (without its query) starts at 1. */
export type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** Starts it on a free port. */
export async function startScripted(answer: Answer): Promise<ScriptedServer> {
  const asked: string[] = [];
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    const count = (counts.get(path) ?? 0) + 1;
    counts.set(path, count);
    asked.push(`${request.method} ${request.url}`);
    answer(request, response, count);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return {
    access: { server: `http://127.0.0.1:${port}`, token: async () => "secret-token" },
    asked,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Sends a JSON answer. */
export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}
