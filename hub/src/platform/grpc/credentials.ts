import { createHash } from "node:crypto";
import type { SecureContextOptions } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";

/**
 * TLS that asks for a client certificate and also takes callers without one: people bring tokens, and an agent whose
 * certificate has expired brings proof. Whether a method needs a certificate is decided above (`CallContext.certificate`).
 */
export class AskingCredentials extends ServerCredentials {
  readonly #identity: string;

  constructor(tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer }) {
    const context: SecureContextOptions = { ca: tls.ca, cert: tls.cert, key: tls.key, minVersion: "TLSv1.2" };
    super({ requestCert: true, rejectUnauthorized: false }, context);
    this.#identity = createHash("sha256").update(tls.ca).update(tls.cert).digest("hex");
  }

  /** A renewed server certificate for new handshakes. */
  renew(tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer }): void {
    this.updateSecureContextOptions({ ca: tls.ca, cert: tls.cert, key: tls.key, minVersion: "TLSv1.2" });
  }

  override _equals(other: ServerCredentials): boolean {
    return other instanceof AskingCredentials && other.#identity === this.#identity;
  }
}
