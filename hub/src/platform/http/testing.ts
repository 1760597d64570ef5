import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import {
  BasicConstraintsExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** Files of a certificate that signs itself, so that it is its own authority. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Makes a self-signed certificate for 127.0.0.1, good for servers and clients. */
export async function makeCertificate(folder: string, name: string): Promise<CertificateFiles> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const made = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }]),
    ],
  });
  const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  await writeFile(files.certificate, made.toString("pem"));
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  await writeFile(files.key, PemConverter.encode(pkcs8, "PRIVATE KEY"), { mode: 0o600 });
  return files;
}

/** A proxy that connects wherever it is asked to, and counts. */
export class TestProxy implements AsyncDisposable {
  /** `HOST:PORT` of every tunnel. */
  readonly tunnels: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer((_, response) => response.writeHead(405).end());
    this.#server.on("connect", (request, client: Socket) => {
      const [host = "", port = ""] = (request.url ?? "").split(":");
      this.tunnels.push(request.url ?? "");
      const server = connect(Number(port), host, () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(one);
        one.on("error", () => other.destroy());
        one.pipe(other);
      }
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
