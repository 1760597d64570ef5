import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { gitEnv } from "./git-env.ts";
import { runOrThrow } from "./process.ts";
import { TempDir } from "./temp.ts";

/** How the server answers: as it should, with an error, as if the caller were unknown, or never. */
export type GitFault = "none" | "500" | "401" | "hang";

/** Credentials that a repository demands (HTTP basic). */
export interface GitCredentials {
  readonly username: string;
  readonly password: string;
}

interface Repo {
  credentials: GitCredentials | undefined;
  fault: GitFault;
  requests: number;
}

/**
 * Git over HTTP with the smart protocol (`git http-backend`), bare repositories made on demand, push allowed. It can be
 * stopped and started again on its port, and made to fail whole or for one repository.
 */
export class GitServer implements AsyncDisposable {
  readonly #dir: TempDir;
  readonly #repos = new Map<string, Repo>();
  #server: Server;
  #port: number;
  /** The fault of the whole server; a repository's own comes on top. */
  fault: GitFault = "none";
  /** Called after each push that somebody made with Git, with the repository's URL. */
  onPush: (url: string) => void = () => undefined;

  private constructor(dir: TempDir, server: Server, port: number) {
    this.#dir = dir;
    this.#server = server;
    this.#port = port;
  }

  /** Listens on 127.0.0.1, on a free port unless one is given. */
  static async start(port = 0): Promise<GitServer> {
    const dir = await TempDir.make("git");
    const server = createServer();
    const self = new GitServer(dir, server, await listen(server, port));
    self.#serve(server);
    return self;
  }

  /** `http://127.0.0.1:PORT`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** URL of a repository, whether it exists or not. */
  urlOf(name: string): string {
    return `${this.url}/${name}.git`;
  }

  /** Makes an empty bare repository with default branch `main` (kept as it is when it exists) and returns its URL. */
  async create(name: string, credentials?: GitCredentials): Promise<string> {
    const known = this.#repos.get(name);
    if (known !== undefined) {
      known.credentials = credentials;
      return this.urlOf(name);
    }
    const path = this.pathOf(name);
    const git = (args: string[]) =>
      runOrThrow({ name: "git", binary: "git", args, env: gitEnv(this.#dir.path), cwd: this.#dir.path });
    await git(["init", "--quiet", "--bare", "--initial-branch=main", path]);
    const settings = { "http.receivepack": "true", "receive.autogc": "false", ...uploadSettings };
    for (const [key, value] of Object.entries(settings)) await git(["-C", path, "config", key, value]);
    this.#repos.set(name, { credentials, fault: "none", requests: 0 });
    return this.urlOf(name);
  }

  /** Path of the bare repository on disk. */
  pathOf(name: string): string {
    return this.#dir.at(`${name}.git`);
  }

  /** Makes one repository fail, or work again. */
  setFault(name: string, fault: GitFault): void {
    this.#repo(name).fault = fault;
  }

  /** Requests for a repository so far. */
  requests(name: string): number {
    return this.#repo(name).requests;
  }

  /** Closes the port and everything open; the repositories stay. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  /** Listens again on the same port. */
  async restart(): Promise<void> {
    this.#server = createServer();
    this.#serve(this.#server);
    this.#port = await listen(this.#server, this.#port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.stop();
    await this.#dir[Symbol.asyncDispose]();
  }

  #repo(name: string): Repo {
    const repo = this.#repos.get(name);
    if (repo === undefined) throw new Error(`the Git server has no repository ${name}; create it first`);
    return repo;
  }

  #serve(server: Server): void {
    server.on("request", (request, response) => this.#answer(request, response));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", this.url);
    const match = /^\/(.+?)\.git(\/.*)$/.exec(decodeURIComponent(url.pathname));
    const repo = this.#repos.get(match?.[1] ?? "");
    if (repo !== undefined) repo.requests += 1;
    const fault = this.fault === "none" ? (repo?.fault ?? "none") : this.fault;
    if (fault === "hang") return; // the request stays open until somebody gives up
    if (fault === "500") return refuse(response, 500, "planted failure");
    if (match === null || repo === undefined) return refuse(response, 404, "Repository not found.");
    if (fault === "401" || !allowed(repo.credentials, request.headers.authorization)) {
      response.setHeader("www-authenticate", 'Basic realm="git"');
      return refuse(response, 401, "Authentication required.");
    }
    if (match[2] === "/git-receive-pack") response.once("finish", () => this.onPush(this.urlOf(match[1] ?? "")));
    this.#backend({ request, response, url, path: `/${match[1]}.git${match[2]}` });
  }

  #backend(call: { request: IncomingMessage; response: ServerResponse; url: URL; path: string }): void {
    const { request, response, url, path } = call;
    const header = (name: string) => String(request.headers[name] ?? "");
    const env = {
      ...gitEnv(this.#dir.path),
      GIT_PROJECT_ROOT: this.#dir.path,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_PROTOCOL: header("git-protocol"),
      HTTP_CONTENT_ENCODING: header("content-encoding"),
      PATH_INFO: path,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? "GET",
      CONTENT_TYPE: header("content-type"),
      CONTENT_LENGTH: header("content-length"),
      REMOTE_ADDR: "127.0.0.1",
      REMOTE_USER: "anyone",
    };
    const child = spawn("git", ["http-backend"], { env, stdio: ["pipe", "pipe", "ignore"] });
    child.stdin.on("error", () => undefined);
    child.on("error", () => refuse(response, 500, "git http-backend cannot be started"));
    response.on("close", () => child.kill("SIGKILL"));
    request.pipe(child.stdin);
    new CgiReader(response).read(child.stdout);
  }
}

// What the large forges allow as well: fetch of any commit by its SHA, and of parts of a tree.
const uploadSettings = {
  "uploadpack.allowAnySHA1InWant": "true",
  "uploadpack.allowFilter": "true",
};

/** Turns CGI output (headers, blank line, body) into a response. */
class CgiReader {
  readonly #response: ServerResponse;
  #head = Buffer.alloc(0);

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  read(output: NodeJS.ReadableStream): void {
    const onData = (chunk: Buffer) => {
      this.#head = Buffer.concat([this.#head, chunk]);
      const end = this.#head.indexOf("\r\n\r\n");
      if (end < 0) return;
      output.removeListener("data", onData);
      this.#writeHead(this.#head.subarray(0, end).toString("latin1"));
      this.#response.write(this.#head.subarray(end + 4));
      output.pipe(this.#response);
    };
    output.on("data", onData);
    output.once("end", () => {
      if (!this.#response.headersSent) refuse(this.#response, 500, "git http-backend gave no answer");
    });
  }

  #writeHead(head: string): void {
    let status = 200;
    for (const line of head.split("\r\n")) {
      const colon = line.indexOf(":");
      const name = line.slice(0, colon).trim();
      const value = line.slice(colon + 1).trim();
      if (name.toLowerCase() === "status") status = Number.parseInt(value, 10);
      else this.#response.setHeader(name, value);
    }
    this.#response.writeHead(status);
  }
}

function allowed(wanted: GitCredentials | undefined, header: string | undefined): boolean {
  if (wanted === undefined) return true;
  return header === `Basic ${Buffer.from(`${wanted.username}:${wanted.password}`).toString("base64")}`;
}

function refuse(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) return;
  response.writeHead(status, { "content-type": "text/plain" });
  response.end(`${text}\n`);
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}
