import type { ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { pem } from "../platform/grpc/channel.ts";
import { TestCa } from "../platform/grpc/testing/certificates.ts";

const logs: Readonly<Record<string, string>> = {
  "web-7d-1": "2026-01-01T00:00:01Z one\n2026-01-01T00:00:03Z password is hunter2-long\n",
  "web-7d-2": "2026-01-01T00:00:02Z two\n",
};

/** The part of a kubelet that serves logs; the API server asks it where a Node names its port. */
export class Kubelet {
  readonly asked: string[] = [];
  /** The pod whose log cannot be read now. */
  broken = "";
  #server: Server | undefined;
  #following: ServerResponse | undefined;
  #release: () => void = () => undefined;
  /** Resolves when the API server has let go of a log that it followed. */
  readonly released = new Promise<void>((resolve) => {
    this.#release = resolve;
  });

  get port(): number {
    return (this.#server?.address() as AddressInfo).port;
  }

  async start(): Promise<void> {
    const { der, key: pair } = new TestCa().server();
    const cert = pem("CERTIFICATE", der);
    const key = pair.export({ type: "pkcs8", format: "pem" });
    const server = createServer({ cert, key }, (request, response) => this.#answer(request.url ?? "", response));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  }

  stop(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  /** More of the log that is followed. */
  write(text: string): void {
    this.#following?.write(text);
  }

  #answer(url: string, response: ServerResponse): void {
    this.asked.push(url);
    const pod = /^\/containerLogs\/default\/([^/]+)\//.exec(url)?.[1] ?? "";
    if (pod === this.broken) {
      response.writeHead(500, { "content-type": "text/plain" });
      response.end("the log is gone");
      return;
    }
    response.writeHead(200, { "content-type": "text/plain" });
    if (!url.includes("follow=true")) {
      response.end(logs[pod]);
      return;
    }
    this.#following = response;
    response.on("close", () => this.#release());
    response.write(logs[pod]);
  }
}
