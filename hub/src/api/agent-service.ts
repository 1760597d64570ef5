import { fromBinary } from "@bufbuild/protobuf";
import { type ClusterId, chunkSubject, Fault, parseDigest } from "@capstan/proto";
import { AgentService, type ConnectRequest, type EnrollRequest, type RenewRequest } from "@capstan/proto/agent";
import { SignedDesiredStateSchema } from "@capstan/proto/desired";
import type { ToAgent } from "../distribution/sessions.ts";
import type { Issued } from "../identity/desk.ts";
import type { Peer } from "./port.ts";
import { type Served, serve } from "./service.ts";

/** What the agents' service needs. */
export interface AgentServiceOptions {
  readonly desk: {
    enroll(request: EnrollRequest, signal: AbortSignal): Promise<Issued>;
    renew(request: RenewRequest, certificate: Uint8Array | undefined, signal: AbortSignal): Promise<Issued>;
    admit(certificate: Uint8Array | undefined, signal: AbortSignal): Promise<Peer>;
  };
  /** Runs a session for the cluster that the certificate names, whatever its messages say. */
  session(peer: Peer, requests: AsyncIterable<ConnectRequest>, signal: AbortSignal): AsyncIterable<ToAgent>;
  /** The stored value of the cluster's own desired state. */
  desired(cluster: ClusterId, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** The chunks of a stored bundle: encrypted, so that any agent may read them. */
  chunk(digestHex: string, chunk: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Throws `not-leader` on a hub that stands by. */
  assertLeading(): void;
}

/** `AgentService`: identity comes from the certificate alone. */
export function agentService(options: AgentServiceOptions): Served {
  const { desk } = options;
  return serve(AgentService, {
    async enroll(request, { signal }) {
      options.assertLeading();
      return desk.enroll(request, signal);
    },
    async renew(request, { certificate, signal }) {
      options.assertLeading();
      const { credential } = await desk.renew(request, certificate, signal);
      return { credential };
    },
    async *connect(requests, { certificate, signal }) {
      const peer = await desk.admit(certificate, signal);
      yield* options.session(peer, requests, signal);
    },
    async getDesired(_request, { certificate, signal }) {
      const peer = await desk.admit(certificate, signal);
      const bytes = await options.desired(peer.cluster, signal);
      return bytes === undefined ? {} : { desired: fromBinary(SignedDesiredStateSchema, bytes) };
    },
    async getChunk({ digest, chunk }, { certificate, signal }) {
      await desk.admit(certificate, signal);
      const named = parseDigest(digest);
      const data = await options.chunk(named.slice("sha256:".length), chunk, signal);
      if (data === undefined) {
        throw new Fault("not-found", { message: `${chunkSubject(named, chunk)} is not stored.`, retryable: true });
      }
      return { data };
    },
  });
}
