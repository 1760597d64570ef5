import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A directory of its own for one test. */
export async function scratch(): Promise<{ readonly path: string; [Symbol.asyncDispose](): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "capstan-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A bare repository that a test writes commits into, without a work tree. */
export class TestRepository {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  async init(branch = "main"): Promise<this> {
    await run("git", ["init", "--quiet", "--bare", "--initial-branch", branch, this.directory]);
    await this.git("config", "http.receivepack", "true");
    return this;
  }

  /** Runs Git on the repository and returns what it printed. */
  async git(...args: readonly string[]): Promise<string> {
    return await this.#git(args, "");
  }

  /** Commits exactly these entries (path → text; `link:…` and `module:…` make such entries) to the branch. */
  async commit(files: Readonly<Record<string, string>>, options: { branch?: string; subject?: string } = {}) {
    const branch = options.branch ?? "main";
    const stream = ["commit refs/heads/" + branch, "committer Mira <mira@example.com> 1767225600 +0000"];
    const subject = options.subject ?? "change";
    stream.push(`data ${Buffer.byteLength(subject)}`, subject);
    const parent = await this.git("rev-parse", "--verify", "--quiet", `refs/heads/${branch}`).catch(() => "");
    if (parent !== "") stream.push(`from ${parent.trim()}`);
    stream.push("deleteall");
    for (const [path, text] of Object.entries(files)) {
      if (text.startsWith("module:")) {
        stream.push(`M 160000 ${text.slice("module:".length)} ${path}`);
        continue;
      }
      const link = text.startsWith("link:");
      const content = link ? text.slice("link:".length) : text;
      stream.push(`M ${link ? "120000" : "100644"} inline ${path}`, `data ${Buffer.byteLength(content)}`, content);
    }
    await this.#git(["fast-import", "--quiet", "--force"], `${stream.join("\n")}\n`);
    return (await this.git("rev-parse", `refs/heads/${branch}`)).trim();
  }

  /** Writes an object as it is, however malformed, and returns its id. */
  async write(type: "blob" | "tree" | "commit", bytes: Uint8Array | string): Promise<string> {
    return (await this.#git(["hash-object", "-t", type, "-w", "--literally", "--stdin"], bytes)).trim();
  }

  async #git(args: readonly string[], input: string | Uint8Array): Promise<string> {
    const started = run("git", ["--git-dir", this.directory, ...args], { maxBuffer: 64 * 1024 * 1024 });
    // Commands that read no input may be gone before it is closed.
    started.child.stdin?.on("error", () => undefined);
    started.child.stdin?.end(input);
    return (await started).stdout;
  }
}

/** Serves the bare repositories below a directory by smart HTTP, as `http://127.0.0.1:PORT/NAME.git`. */
export class GitHttpServer {
  /** When set, requests need this `Authorization` header. */
  authorization: string | undefined;
  /** When set, every request is answered with this status (3xx: to `redirectTo`). */
  failWith: number | undefined;
  redirectTo = "";
  /** When set, requests are taken and never answered. */
  hang = false;
  readonly requests: { readonly url: string; readonly authorization: string | undefined }[] = [];
  readonly #root: string;
  readonly #server: Server | TlsServer;

  readonly #scheme: string;

  /** With `tls`, over HTTPS, and only for clients whose certificate its `ca` has signed. */
  constructor(root: string, tls?: { readonly cert: string; readonly key: string; readonly ca: string }) {
    this.#root = root;
    this.#scheme = tls === undefined ? "http" : "https";
    const serve = (request: IncomingMessage, response: ServerResponse) => this.#serve(request, response);
    this.#server =
      tls === undefined
        ? createServer(serve)
        : createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: true }, serve);
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve()));
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { authorization } = request.headers;
    this.requests.push({ url: request.url ?? "", authorization });
    if (this.hang) return;
    if (this.failWith !== undefined) {
      response.writeHead(this.failWith, { location: `${this.redirectTo}${request.url ?? ""}` }).end();
    } else if (this.authorization !== undefined && authorization !== this.authorization) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
    } else this.#cgi(request, response);
  }

  #cgi(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://localhost");
    const child = spawn("git", ["http-backend"], {
      env: {
        PATH: process.env["PATH"],
        GIT_PROJECT_ROOT: this.#root,
        GIT_HTTP_EXPORT_ALL: "1",
        GIT_PROTOCOL: request.headers["git-protocol"]?.toString(),
        HTTP_CONTENT_ENCODING: request.headers["content-encoding"],
        REQUEST_METHOD: request.method,
        PATH_INFO: decodeURIComponent(url.pathname),
        QUERY_STRING: url.search.slice(1),
        CONTENT_TYPE: request.headers["content-type"],
        REMOTE_USER: "test",
        REMOTE_ADDR: "127.0.0.1",
      },
    });
    request.pipe(child.stdin);
    child.stdin.on("error", () => undefined);
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      child.stdout.off("data", onData);
      const headers = head.subarray(0, end).toString().split("\r\n");
      let status = 200;
      for (const line of headers) {
        const [name = "", value = ""] = line.split(/: (.*)/s);
        if (name.toLowerCase() === "status") status = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.writeHead(status);
      response.write(head.subarray(end + 4));
      child.stdout.pipe(response);
    };
    child.stdout.on("data", onData);
  }
}
