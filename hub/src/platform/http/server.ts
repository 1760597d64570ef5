import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Fault, faultText } from "@capstan/proto";

/** What the HTTP port answers. */
export interface HttpHandlers {
  /** Whether this hub leads and its store answers. */
  ready(): boolean;
  /** Prometheus' text format. */
  metrics(): string;
  /** A push of a Git host; only triggers a fetch. Throws faults for what is refused. */
  webhook(headers: Readonly<Record<string, string | undefined>>, body: Uint8Array): Promise<void>;
  /** A gate's webhook that calls back at `/gates/RUN/STAGE/TASK`. Throws faults for what is refused. */
  calledBack(path: string, headers: Readonly<Record<string, string | undefined>>, body: Uint8Array): Promise<void>;
}

/** A listening server. */
export interface HttpServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Longest webhook body in bytes; checked before anything else is done with it. */
const bodyLimit = 1024 * 1024;

/** Listens. Throws `port-in-use`. */
export async function startHttpServer(
  at: { readonly address: string; readonly port: number },
  handlers: HttpHandlers,
): Promise<HttpServer> {
  const server = createServer((request, response) => {
    answer(request, response, handlers).catch((thrown: unknown) => refuse(response, Fault.from(thrown)));
  });
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(error.code === "EADDRINUSE" ? inUse(at) : error));
    server.listen(at.port, at.address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, handlers: HttpHandlers): Promise<void> {
  const path = (request.url ?? "/").split("?")[0];
  if (request.method === "POST" && (path === "/webhook" || path === "/api/webhook")) {
    await handlers.webhook(headersOf(request), await bodyOf(request));
    return text(response, 202, "accepted\n");
  }
  if (request.method === "POST" && path?.startsWith("/gates/") === true) {
    await handlers.calledBack(path, headersOf(request), await bodyOf(request));
    return text(response, 200, "heard\n");
  }
  switch (path) {
    case "/healthz":
      return text(response, 200, "ok\n");
    case "/readyz":
      return handlers.ready() ? text(response, 200, "ok\n") : text(response, 503, "not leading\n");
    case "/metrics":
      return text(response, 200, handlers.metrics());
    default:
      return text(response, 404, "not found\n");
  }
}

function headersOf(request: IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > bodyLimit) throw new Fault("too-large", { message: `a webhook body is at most ${bodyLimit} bytes.` });
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}

const statuses: Partial<Record<Fault["code"], number>> = {
  "too-large": 413,
  "not-signed-in": 401,
  "not-allowed": 403,
  "bad-input": 400,
  "bad-config": 503,
  "not-found": 404,
};

function refuse(response: ServerResponse, fault: Fault): void {
  if (response.headersSent) response.destroy();
  else text(response, statuses[fault.code] ?? 500, `${faultText(fault)}\n`);
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", connection: "close" }).end(body);
}

function inUse({ address, port }: { readonly address: string; readonly port: number }): Fault {
  return new Fault("port-in-use", {
    message: `${address}:${port} is in use by another program.`,
    next: "Stop it, or choose another port: listen.http.",
  });
}
