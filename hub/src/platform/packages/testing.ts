import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { realTools } from "../render/testing.ts";

const run = promisify(execFile);

/** Runs the real Helm with a home of its own. */
export async function helm(home: string, ...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env["PATH"] ?? "", HOME: home, HELM_CACHE_HOME: join(home, "cache") };
  const { stdout } = await run(realTools().helm, [...args], { env });
  return stdout;
}

/** What a chart is to hold. */
export interface ChartText {
  readonly name: string;
  readonly version: string;
  /** Of the one ConfigMap that it renders. */
  readonly value?: string;
  /** More lines of `Chart.yaml`. */
  readonly more?: string;
}

/** The files of a small chart, by path. */
export function chartFiles({ name, version, value = version, more = "" }: ChartText): Record<string, string> {
  return {
    "Chart.yaml": `apiVersion: v2\nname: ${name}\nversion: ${version}\nappVersion: "9.9"\n${more}`,
    "values.yaml": `value: "${value}"\n`,
    "templates/map.yaml": `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-${name}\ndata:\n  value: {{ .Values.value | quote }}\n`,
  };
}

/** Packs a chart by the real Helm into the folder. */
export async function packChart(folder: string, chart: ChartText): Promise<string> {
  const source = join(folder, `.source-${randomUUID()}`, chart.name);
  await mkdir(join(source, "templates"), { recursive: true });
  for (const [path, text] of Object.entries(chartFiles(chart))) await writeFile(join(source, path), text);
  await helm(folder, "package", source, "--destination", folder);
  return join(folder, `${chart.name}-${chart.version}.tgz`);
}

/** A server over HTTP that counts what it is asked for. */
export abstract class TestHttpServer implements AsyncDisposable {
  readonly asked: string[] = [];
  /** `user:password` that every request needs. */
  secret: string | undefined;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      this.asked.push(`${request.method} ${request.url}`);
      this.answer(request, response).catch((thrown: unknown) => response.writeHead(500).end(String(thrown)));
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  protected abstract answer(request: IncomingMessage, response: ServerResponse): Promise<void>;

  protected isBasic(request: IncomingMessage): boolean {
    const wanted = this.secret === undefined ? undefined : `Basic ${Buffer.from(this.secret).toString("base64")}`;
    return wanted === undefined || request.headers.authorization === wanted;
  }
}

/** A folder as a chart repository. */
export class ChartServer extends TestHttpServer {
  readonly #folder: string;
  /** Answers every request with this redirect. */
  redirect: string | undefined;

  constructor(folder: string) {
    super();
    this.#folder = folder;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Writes `index.yaml` over all archives of the folder. */
  async index(): Promise<void> {
    await helm(this.#folder, "repo", "index", this.#folder);
  }

  protected override async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.redirect !== undefined) {
      response.writeHead(302, { location: this.redirect }).end();
      return;
    }
    if (!this.isBasic(request)) {
      response.writeHead(401).end();
      return;
    }
    const bytes = await readFile(join(this.#folder, request.url ?? "")).catch(() => undefined);
    if (bytes === undefined) {
      response.writeHead(404).end();
      return;
    }
    const etag = `"${createHash("sha256").update(bytes).digest("hex")}"`;
    if (request.headers["if-none-match"] === etag) response.writeHead(304).end();
    else response.writeHead(200, { etag }).end(bytes);
  }
}

/** The part of the OCI distribution protocol that pushing and pulling need; `helm push` shows that it is honest. */
export class RegistryServer extends TestHttpServer {
  readonly #blobs = new Map<string, Buffer>();
  readonly #manifests = new Map<string, { readonly type: string; readonly bytes: Buffer }>();
  /** Tags of one page. */
  page = 1000;

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  protected override async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", `http://${this.host}`);
    if (url.pathname === "/token") {
      if (this.isBasic(request)) response.writeHead(200).end(JSON.stringify({ token: "let-me-in" }));
      else response.writeHead(401).end();
      return;
    }
    if (this.secret !== undefined && request.headers.authorization !== "Bearer let-me-in") {
      const challenge = `Bearer realm="http://${this.host}/token",service="test",scope="repository:x:pull,push"`;
      response.writeHead(401, { "www-authenticate": challenge }).end();
      return;
    }
    const [, name, kind, reference = ""] = /^\/v2\/(.+)\/(blobs|manifests|tags)\/(.*)$/.exec(url.pathname) ?? [];
    const body = await bodyOf(request);
    if (kind === "tags") this.#tags(response, url, name ?? "");
    else if (kind === "manifests") this.#manifest(request, response, [`${name}:${reference}`, body]);
    else if (kind === "blobs") this.#blob(request, response, [reference, url.searchParams.get("digest"), body]);
    else response.writeHead(200).end();
  }

  #tags(response: ServerResponse, url: URL, name: string): void {
    const all = [...this.#manifests.keys()].filter((key) => key.startsWith(`${name}:`) && !key.includes("sha256:"));
    const tags = all.map((key) => key.slice(name.length + 1)).sort();
    const last = url.searchParams.get("last");
    const rest = tags.filter((tag) => last === null || tag > last);
    const some = rest.slice(0, this.page);
    const more = rest.length > some.length;
    const link = `</v2/${name}/tags/list?last=${some.at(-1)}>; rel="next"`;
    response.writeHead(200, more ? { link } : {}).end(JSON.stringify({ name, tags: some }));
  }

  #manifest(request: IncomingMessage, response: ServerResponse, [key, body]: readonly [string, Buffer]): void {
    if (request.method === "PUT") {
      const digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
      const manifest = { type: request.headers["content-type"] ?? "", bytes: body };
      this.#manifests.set(key, manifest);
      this.#manifests.set(`${key.slice(0, key.indexOf(":"))}:${digest}`, manifest);
      response.writeHead(201, { location: `/v2/${key}`, "docker-content-digest": digest }).end();
      return;
    }
    const found = this.#manifests.get(key);
    if (found === undefined) response.writeHead(404).end("{}");
    else {
      const digest = `sha256:${createHash("sha256").update(found.bytes).digest("hex")}`;
      const headers = {
        "content-type": found.type,
        "docker-content-digest": digest,
        "content-length": found.bytes.length,
      };
      response.writeHead(200, headers).end(request.method === "HEAD" ? undefined : found.bytes);
    }
  }

  #blob(
    request: IncomingMessage,
    response: ServerResponse,
    [reference, digest, body]: readonly [string, string | null, Buffer],
  ): void {
    if (request.method === "POST") response.writeHead(202, { location: `${request.url}${randomUUID()}` }).end();
    else if (request.method === "PUT") {
      this.#blobs.set(digest ?? "", body);
      response.writeHead(201, { location: `/v2/x/blobs/${digest}` }).end();
    } else {
      const found = this.#blobs.get(reference);
      if (found === undefined) response.writeHead(404).end();
      else {
        const headers = { "content-length": found.length, "docker-content-digest": reference };
        response.writeHead(200, headers).end(request.method === "HEAD" ? undefined : found);
      }
    }
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
