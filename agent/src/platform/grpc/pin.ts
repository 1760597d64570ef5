import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { connect, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { Fault } from "@capstan/proto";
import { parseEndpoint } from "./channel.ts";
import { proxyOf, tunnel } from "./proxy.ts";

const patience = 10_000;

/**
 * The CA certificate (DER) with this SHA-256 from the chain that a server shows. The server is not believed and is told
 * nothing: the caller takes the result as the only root of its real connection. Faults: `hub-unreachable`,
 * `certificate-refused` where the chain does not hold it.
 */
export async function findPinnedCa(endpoint: string, pin: string, signal: AbortSignal): Promise<Uint8Array> {
  const { host, port } = parseEndpoint(endpoint);
  // The same way as the connection that follows: where a proxy is asked for, a direct one may not be let out.
  const proxy = proxyOf(host, process.env);
  const via = proxy === undefined ? { host, port } : { socket: await tunnel(proxy, endpoint, signal) };
  return new Promise((resolve, reject) => {
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = connect({ ...via, ...name, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    const end = (settle: () => void) => {
      signal.removeEventListener("abort", stop);
      socket.destroy();
      settle();
    };
    const unreachable = (cause: Error) =>
      new Fault("hub-unreachable", {
        message: `the hub at ${endpoint} cannot be reached: ${cause.message}`,
        next: "Check the hub's address and that this cluster may connect to it.",
        cause,
      });
    const stop = () => end(() => reject(new Fault("cancelled", { message: "stopped while reaching the hub." })));
    signal.addEventListener("abort", stop, { once: true });
    socket.setTimeout(patience, () => end(() => reject(unreachable(new Error(`no answer within ${patience} ms`)))));
    socket.once("error", (error) => end(() => reject(unreachable(error))));
    socket.once("secureConnect", () => {
      const found = inChain(socket, pin.toLowerCase());
      end(() => (found === undefined ? reject(refused(endpoint)) : resolve(found)));
    });
  });
}

function inChain(socket: TLSSocket, pin: string): Uint8Array | undefined {
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  for (let depth = 0; depth < 8 && certificate?.raw !== undefined; depth++) {
    if (createHash("sha256").update(certificate.raw).digest("hex") === pin) return certificate.raw;
    const issuer: DetailedPeerCertificate | undefined = certificate.issuerCertificate;
    if (issuer === certificate || issuer?.fingerprint256 === certificate.fingerprint256) return undefined;
    certificate = issuer;
  }
  return undefined;
}

function refused(endpoint: string): Fault {
  return new Fault("certificate-refused", {
    message: `the server at ${endpoint} does not stand under the CA that the join token names; nothing was sent to it.`,
    next: "Check the address; make a new join token if the hub was set up anew.",
  });
}
