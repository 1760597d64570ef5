import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";

/** A request that a test server got. */
export interface Heard {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** What a test server answers: JSON, or a text as it is. */
export interface Said {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly text?: string;
  /** Never answers. */
  readonly silent?: boolean;
}

/** A server on this machine that speaks some API. */
export class ApiServer implements AsyncDisposable {
  readonly heard: Heard[] = [];
  readonly url: string;
  readonly #close: () => Promise<void>;

  private constructor(url: string, heard: Heard[], close: () => Promise<void>) {
    this.url = url;
    this.heard = heard;
    this.#close = close;
  }

  /** Starts on a free port. */
  static async start(answer: (heard: Heard) => Said, tls?: ServerOptions): Promise<ApiServer> {
    const heard: Heard[] = [];
    const listener: RequestListener = (request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const url = new URL(request.url ?? "/", "http://x");
        const one = {
          method: request.method ?? "",
          path: url.pathname,
          query: url.searchParams,
          headers: request.headers,
          body: Buffer.concat(parts).toString("utf8"),
        };
        heard.push(one);
        const { status = 200, headers = {}, json, text, silent = false } = answer(one);
        if (silent) return;
        response.writeHead(status, { "content-type": "application/json", ...headers });
        response.end(text ?? JSON.stringify(json ?? null));
      });
    };
    const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const close = () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    return new ApiServer(`${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`, heard, close);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
