import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type FaultCode, protocol } from "@capstan/proto";
import {
  AgentService,
  type ConnectRequest,
  type ConnectResponse,
  ConnectResponseSchema,
  type Credential,
  CredentialSchema,
  type EnrollRequest,
  type GetChunkRequest,
  GetDesiredResponseSchema,
  type Hello,
  type RenewRequest,
  type ReportBatch,
  type TargetReport,
} from "@capstan/proto/agent";
import { FaultDetailSchema } from "@capstan/proto/common";
import type { SignedDesiredState } from "@capstan/proto/desired";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { pem } from "../channel.ts";
import { serviceDefinition } from "../definition.ts";
import { faultTrailer } from "../faults.ts";
import { TestCa } from "./certificates.ts";
import { TestFleet } from "./fleet.ts";

type Stream = ServerDuplexStream<ConnectRequest, ConnectResponse>;
type Call<Q> = ServerUnaryCall<Q, unknown>;
type Reply = sendUnaryData<unknown>;

/** A hub for tests: the real service on a real port, with everything it heard, and nothing behind it. */
export class FakeHub {
  readonly ca = new TestCa();
  readonly fleet = new TestFleet();
  token = `capstan-join.a.0123456789abcdef.${"s".repeat(43)}.${this.ca.pin}`;
  readonly enrolled: EnrollRequest[] = [];
  readonly renewed: RenewRequest[] = [];
  readonly hellos: Hello[] = [];
  readonly batches: ReportBatch[] = [];
  readonly others: ConnectRequest[] = [];
  /** Common names of the client certificates of sessions. */
  readonly peers: string[] = [];
  readonly latest = new Map<string, TargetReport>();
  desired: SignedDesiredState | undefined;
  /** Seconds that a certificate lives. */
  life = 86_400;
  natsUrls: string[] = [];
  acks = true;
  /** Whether GetDesired and GetChunk answer. */
  serving = true;
  refuse: FaultCode | undefined;
  #server: Server | undefined;
  #streams = new Set<Stream>();
  #port = 0;

  get endpoint(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get connected(): number {
    return this.#streams.size;
  }

  /** The X25519 key that the agent gave last. */
  get sealTo(): Uint8Array {
    return this.renewed.at(-1)?.sealingPublicKey ?? this.enrolled.at(-1)?.sealingPublicKey ?? new Uint8Array(32);
  }

  /** Listens; on the port of before where it listened before. */
  async start(): Promise<void> {
    const leaf = this.ca.server();
    const chain = Buffer.from(pem("CERTIFICATE", leaf.der) + this.ca.pem);
    const key = Buffer.from(leaf.key.export({ type: "pkcs8", format: "pem" }));
    const credentials = ServerCredentials.createSsl(Buffer.from(this.ca.pem), [
      { private_key: key, cert_chain: chain },
    ]);
    // A client certificate is asked for, not demanded: Enroll comes without one.
    Object.assign(credentials._getConstructorOptions() ?? {}, { requestCert: true, rejectUnauthorized: false });
    const server = new Server();
    server.addService(serviceDefinition(AgentService), {
      enroll: (call: Call<EnrollRequest>, reply: Reply) => this.#enroll(call, reply),
      renew: (call: Call<RenewRequest>, reply: Reply) => this.#renew(call, reply),
      connect: (stream: Stream) => this.#connect(stream),
      getDesired: (_: unknown, reply: Reply) => this.#desiredNow(reply),
      getChunk: (call: Call<GetChunkRequest>, reply: Reply) => this.#chunk(call, reply),
    } as never);
    this.#port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${this.#port}`, credentials, (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    this.#server = server;
  }

  /** Gone, as after a kill. */
  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
    this.#streams.clear();
  }

  tell(message: ConnectResponse["message"]): void {
    for (const stream of this.#streams) stream.write(create(ConnectResponseSchema, { message }));
  }

  /** Stores a state and hints at it over the sessions. */
  publish(signed: SignedDesiredState, revision: bigint): void {
    this.desired = signed;
    this.hint(revision);
  }

  hint(revision: bigint): void {
    this.tell({ case: "hint", value: { $typeName: "capstan.v1.Hint", revision } });
  }

  #enroll({ request }: Call<EnrollRequest>, reply: Reply): void {
    this.enrolled.push(request);
    if (request.token !== this.token) return fail(reply, "token-refused", status.UNAUTHENTICATED);
    if (this.refuse !== undefined) return fail(reply, this.refuse, status.PERMISSION_DENIED);
    reply(null, {
      $typeName: "capstan.v1.EnrollResponse",
      fleet: this.fleet.id,
      credential: this.#credential(request.csr, request.cluster),
    });
  }

  #renew(call: Call<RenewRequest>, reply: Reply): void {
    if (this.refuse !== undefined) return fail(reply, this.refuse, status.PERMISSION_DENIED);
    this.renewed.push(call.request);
    const cluster = this.enrolled.at(-1)?.cluster ?? "";
    reply(null, { $typeName: "capstan.v1.RenewResponse", credential: this.#credential(call.request.csr, cluster) });
  }

  #credential(csr: Uint8Array, cluster: string): Credential {
    return create(CredentialSchema, {
      certificate: this.ca.client(csr, `spiffe://${this.fleet.id}/cluster/${cluster}`, this.life),
      ca: [this.ca.der],
      notAfter: timestampFromMs(Date.now() + this.life * 1000),
      natsJwt: "test.jwt",
      natsUrls: this.natsUrls,
      verificationKeys: [{ id: this.fleet.keyId, publicKey: this.fleet.publicKey }],
    });
  }

  #desiredNow(reply: Reply): void {
    if (!this.serving) return fail(reply, "store-unavailable", status.UNAVAILABLE);
    reply(null, create(GetDesiredResponseSchema, this.desired === undefined ? {} : { desired: this.desired }));
  }

  #chunk({ request }: Call<GetChunkRequest>, reply: Reply): void {
    const data = this.fleet.chunks.get(`${request.digest}/${request.chunk}`);
    if (data === undefined || !this.serving) fail(reply, "not-found", status.NOT_FOUND);
    else reply(null, { $typeName: "capstan.v1.GetChunkResponse", data });
  }

  #connect(stream: Stream): void {
    const end = Date.parse(stream.getAuthContext().sslPeerCertificate?.valid_to ?? "");
    if (!(end > Date.now())) {
      const metadata = new Metadata();
      const detail = create(FaultDetailSchema, { code: "certificate-refused", message: "expired" });
      metadata.set(faultTrailer, Buffer.from(toBinary(FaultDetailSchema, detail)));
      stream.emit("error", { code: status.UNAUTHENTICATED, details: "expired", metadata });
      return;
    }
    this.peers.push(stream.getAuthContext().sslPeerCertificate?.subjectaltname ?? "");
    this.#streams.add(stream);
    const over = () => this.#streams.delete(stream);
    stream.on("end", () => {
      over();
      stream.end();
    });
    stream.on("cancelled", over);
    stream.on("error", over);
    stream.on("data", (request: ConnectRequest) => this.#heard(stream, request));
  }

  #heard(stream: Stream, request: ConnectRequest): void {
    const answer = (message: ConnectResponse["message"]) => stream.write(create(ConnectResponseSchema, { message }));
    const { message } = request;
    if (message.case === "hello") {
      this.hellos.push(message.value);
      const versions = { program: "test", protocol: protocol.current, protocolMin: protocol.oldest, features: [] };
      const value = { versions, protocol: protocol.current, revision: 0n, heartbeatMs: 1_000, acked: 0n };
      answer(create(ConnectResponseSchema, { message: { case: "welcome", value } }).message);
    } else if (message.case === "reports") {
      this.batches.push(message.value);
      for (const report of message.value.reports) this.latest.set(`${report.namespace}/${report.name}`, report);
      if (this.acks) answer({ case: "ack", value: { $typeName: "capstan.v1.Ack", sequence: message.value.sequence } });
    } else this.others.push(request);
  }
}

function fail(reply: Reply, code: FaultCode, grpc: status): void {
  const metadata = new Metadata();
  const detail = create(FaultDetailSchema, { code, message: `refused: ${code}` });
  metadata.set(faultTrailer, Buffer.from(toBinary(FaultDetailSchema, detail)));
  reply({ code: grpc, details: `refused: ${code}`, metadata });
}
