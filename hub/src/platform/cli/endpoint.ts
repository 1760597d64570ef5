import { createHash, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { Fault } from "@capstan/proto";

const patienceMs = 10_000;

/** `host:port` or `[v6]:port` taken apart. Throws `bad-input`. */
export function parseEndpoint(endpoint: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:]+)\]|([^\s:/]+)):(\d{1,5})$/.exec(endpoint) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && port !== undefined) return { host, port: Number(port) };
  throw new Fault("bad-input", {
    message: `expected a hub's address as HOST:PORT, found ${JSON.stringify(endpoint)}.`,
    next: "The hub's gRPC port is 7443 unless its config says otherwise.",
  });
}

/** A certificate as PEM. */
export function pem(der: Uint8Array): string {
  return new X509Certificate(der).toString();
}

/**
 * The CA above the server at `endpoint`: the certificate of its chain that has this SHA-256, or, without a pin, the root
 * that it shows. The server is told nothing. Faults: `hub-unreachable`, `certificate-refused`.
 */
export function findCa(
  endpoint: string,
  pin: string | undefined,
  signal: AbortSignal,
): Promise<{ ca: string; pin: string }> {
  const { host, port } = parseEndpoint(endpoint);
  return new Promise((resolve, reject) => {
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = connect({
      host,
      port,
      ...name,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
      timeout: patienceMs,
    });
    const end = (settle: () => void) => {
      signal.removeEventListener("abort", stop);
      socket.destroy();
      settle();
    };
    const stop = () => end(() => reject(new Fault("cancelled", { message: "stopped while reaching the hub." })));
    signal.addEventListener("abort", stop, { once: true });
    socket.once("timeout", () => end(() => reject(unreachable(endpoint, `no answer within ${patienceMs / 1000} s`))));
    socket.once("error", (error) => end(() => reject(unreachable(endpoint, error.message))));
    socket.once("secureConnect", () => {
      const found = inChain(socket, pin);
      end(() => (found === undefined ? reject(refused(endpoint)) : resolve(found)));
    });
  });
}

function inChain(socket: TLSSocket, pin: string | undefined): { ca: string; pin: string } | undefined {
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  for (let depth = 0; depth < 8 && certificate?.raw !== undefined; depth++) {
    const issuer: DetailedPeerCertificate | undefined = certificate.issuerCertificate;
    const isRoot = issuer === undefined || issuer.fingerprint256 === certificate.fingerprint256;
    const digest = createHash("sha256").update(certificate.raw).digest("hex");
    if (pin === undefined ? isRoot && new X509Certificate(certificate.raw).ca : digest === pin.toLowerCase()) {
      return { ca: certificate.raw.toString("base64"), pin: digest };
    }
    if (isRoot) return undefined;
    certificate = issuer;
  }
  return undefined;
}

function unreachable(endpoint: string, why: string): Fault {
  return new Fault("hub-unreachable", {
    message: `no hub answers at ${endpoint}: ${why}.`,
    next: "See that it runs and that the address is right.",
  });
}

function refused(endpoint: string): Fault {
  return new Fault("certificate-refused", {
    message: `the server at ${endpoint} does not stand under the CA that was expected; nothing was sent to it.`,
    next: "Check the address and the pin, or give the CA's certificate: --ca FILE.",
  });
}
