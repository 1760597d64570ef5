import { spawn } from "node:child_process";
import { generateKeyPairSync, timingSafeEqual } from "node:crypto";
import { join } from "node:path";
import ssh from "ssh2";

/** A key pair as OpenSSH writes it. */
export interface SshKey {
  readonly private: string;
  readonly public: string;
}

/** Makes an Ed25519 key. */
export function makeSshKey(): SshKey {
  const made = ssh.utils.generateKeyPairSync("ed25519", { comment: "test" });
  return { private: made.private, public: made.public };
}

/** An RSA key in PEM, as older tools write it. */
export function makePemKey(): SshKey {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const text = privateKey.export({ type: "pkcs1", format: "pem" }).toString();
  const parsed = ssh.utils.parseKey(text);
  if (parsed instanceof Error) throw parsed;
  return { private: text, public: `${parsed.type} ${parsed.getPublicSSH().toString("base64")}` };
}

/** Serves the bare repositories below a directory by SSH, as `ssh://git@127.0.0.1:PORT/NAME.git`. */
export class GitSshServer implements AsyncDisposable {
  /** Public keys that are let in. */
  readonly allowed: string[] = [];
  readonly hostKey = makeSshKey();
  readonly #server: ssh.Server;
  readonly #clients = new Set<ssh.Connection>();

  constructor(root: string) {
    this.#server = new ssh.Server({ hostKeys: [this.hostKey.private] }, (client) => {
      this.#clients.add(client);
      client.on("close", () => this.#clients.delete(client));
      client.on("error", () => undefined);
      client.on("authentication", (context) => this.#authenticate(context));
      client.on("session", (accept) => accept().on("exec", (run, _refuse, { command }) => serve(root, run(), command)));
    });
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** The line of a known hosts file. */
  get knownHost(): string {
    return `[127.0.0.1]:${this.port} ${this.hostKey.public}\n`;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve()));
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.end();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #authenticate(context: ssh.AuthContext): void {
    const known =
      context.method === "publickey" &&
      this.allowed.some((text) => {
        const key = ssh.utils.parseKey(text);
        if (key instanceof Error) throw key;
        const [ours, theirs] = [key.getPublicSSH(), context.key.data];
        if (ours.length !== theirs.length || !timingSafeEqual(ours, theirs)) return false;
        return context.signature === undefined || key.verify(context.blob ?? "", context.signature, context.hashAlgo);
      });
    if (known) context.accept();
    else context.reject(["publickey"]);
  }
}

function serve(root: string, channel: ssh.ServerChannel, command: string): void {
  const [, path = ""] = /^git-upload-pack '\/?([^']+)'$/.exec(command) ?? [];
  const child = spawn("git", ["upload-pack", join(root, path)], { stdio: "pipe" });
  channel.pipe(child.stdin);
  child.stdin.on("error", () => undefined);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.on("close", (code) => {
    channel.exit(code ?? 1);
    channel.end();
  });
}
