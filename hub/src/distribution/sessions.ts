import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type Clock,
  type ClusterId,
  type Digest,
  Fault,
  type Feature,
  features,
  type Instant,
  joinChunks,
  limits,
  negotiate,
  protocol,
} from "@capstan/proto";
import {
  type AgentEvent,
  type Answer,
  type ConnectRequest,
  ConnectResponseSchema,
  type Heartbeat,
  type HeldList,
  type Hello,
  type Question,
  type ReportBatch,
} from "@capstan/proto/agent";
import { type Boots, clones, heard } from "./clones.ts";
import { Outbox } from "./outbox.ts";

/** What the hub says to an agent. */
export type ToAgent = MessageInitShape<typeof ConnectResponseSchema>;

/** What sessions need of the rooms around them. */
export interface SessionsOptions {
  readonly clock: Clock;
  readonly version: string;
  /** Whether this hub leads; where to go otherwise. */
  leadership(): { readonly leading: boolean; readonly endpoint: string };
  /** Takes note of a hello; throws to refuse the session. Returns the revision in force. */
  greet(cluster: ClusterId, hello: Hello, signal: AbortSignal): Promise<bigint>;
  /** The target list that the held state names and the hub has lost; undefined: nothing is missing. */
  listWanted(cluster: ClusterId, hello: Hello, signal: AbortSignal): Promise<Digest | undefined>;
  /** Takes the content of such a list (gzip). Throws where it is not the one. */
  listBrought(list: { readonly digest: Digest; readonly gzip: Uint8Array }, signal: AbortSignal): Promise<void>;
  /** Resolves when the batch is durable. */
  report(cluster: ClusterId, bootId: string, batch: ReportBatch): Promise<void>;
  heartbeat(cluster: ClusterId, heartbeat: Heartbeat, signal: AbortSignal): void;
  /** Within how many milliseconds the agent should renew its credential; undefined: it needs not. */
  renewal(cluster: ClusterId): number | undefined;
  event(cluster: ClusterId, event: AgentEvent): void;
  /** Told when a cluster's session begins or ends. */
  onConnection(cluster: ClusterId, connected: boolean): void;
  heartbeatMs(): number;
  /** Last batch folded of that boot. */
  acked(cluster: ClusterId, bootId: string): bigint;
  onFault(cluster: ClusterId, fault: Fault): void;
}

interface Session {
  readonly cluster: ClusterId;
  readonly outbox: Outbox<ToAgent>;
  readonly since: Instant;
  bootId: string;
  /** What its agent knows. */
  features: ReadonlySet<string>;
  /** It took the place of one whose hello was taken: if its own is refused, the cluster is gone. */
  tookOver: boolean;
  /** A hello that waits for the list that it lacks. */
  awaiting: { readonly hello: Hello; readonly digest: Digest; readonly pieces: Uint8Array[] } | undefined;
}

/** A question that waits for (more of) its answer. */
interface Asked {
  readonly cluster: ClusterId;
  readonly answers: Outbox<Answer>;
  /** Why no more comes, where it ended before its end. */
  fault: Fault | undefined;
}

/** Parts of an answer that wait for a slow reader; then the answer ends. */
const mostParts = 256;

/** Pieces of a list that is brought: more than any agent cuts. */
const piecesAtMost = 64;
/** A clock further off than this is told as a fault of the cluster, in milliseconds. */
const skewLimit = 60_000;

/**
 * The live sessions, one a cluster: a newer one takes the place of an older (its agent restarted, or its link broke
 * unseen). Messages are handled in their order; what the hub says is coalesced, so that a slow agent costs little.
 */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<ClusterId, Session>();
  readonly #questions = new Map<string, Asked>();
  readonly #skews = new Map<ClusterId, Fault>();
  readonly #boots = new Map<ClusterId, Boots>();
  #asked = 0;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  isConnected(cluster: ClusterId): boolean {
    return (this.#sessions.get(cluster)?.bootId ?? "") !== "";
  }

  /** Whether the cluster has a session whose agent knows the feature; undefined where there is no session. */
  speaks(cluster: ClusterId, feature: Feature): boolean | undefined {
    return this.isConnected(cluster) ? this.#sessions.get(cluster)?.features.has(feature) : undefined;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** What is wrong with who speaks for a cluster: two agents under one identity. */
  clones(cluster: ClusterId): Fault | undefined {
    return clones(cluster, this.#boots.get(cluster), this.#options.clock.now());
  }

  /** The clock fault of a cluster, if its clock is off. */
  skew(cluster: ClusterId): Fault | undefined {
    return this.#skews.get(cluster);
  }

  /** Runs one session until either side ends it. The caller's identity is the cluster's, whatever its messages say. */
  async *serve(
    cluster: ClusterId,
    requests: AsyncIterable<ConnectRequest>,
    signal: AbortSignal,
  ): AsyncIterable<ToAgent> {
    const { leading, endpoint } = this.#options.leadership();
    if (!leading) {
      yield goodbye(new Fault("not-leader", { message: "this hub stands by; another one leads." }), 1000, endpoint);
      return;
    }
    const session: Session = {
      cluster,
      outbox: new Outbox(),
      since: this.#options.clock.now(),
      bootId: "",
      features: new Set(),
      tookOver: false,
      awaiting: undefined,
    };
    this.#replace(session);
    const leave = () => session.outbox.end();
    signal.addEventListener("abort", leave, { once: true });
    // Not waited for: an agent that does not hang up must not keep its side of a session alive that is over here.
    void this.#read(session, requests, signal).finally(leave);
    try {
      yield* session.outbox;
    } finally {
      signal.removeEventListener("abort", leave);
      this.#end(session);
    }
  }

  /** Tells the agent that its desired state has this revision. */
  hint(cluster: ClusterId, revision: bigint): void {
    this.#sessions.get(cluster)?.outbox.push({ message: { case: "hint", value: { revision } } }, "hint");
  }

  /** Asks the agent to renew its credential within so many milliseconds. */
  askToRenew(cluster: ClusterId, withinMs: number): void {
    if (!this.isConnected(cluster)) return;
    this.#sessions.get(cluster)?.outbox.push({ message: { case: "renewal", value: { withinMs } } }, "renewal");
  }

  /** Ends a cluster's session, for example because it was revoked. */
  cut(cluster: ClusterId, fault: Fault): void {
    const session = this.#sessions.get(cluster);
    session?.outbox.push(goodbye(fault, 0, ""));
    session?.outbox.end();
  }

  /** Ends all sessions: the hub stops or no longer leads. */
  cutAll(fault: Fault, endpoint: string): void {
    for (const { outbox } of this.#sessions.values()) {
      outbox.push(goodbye(fault, 0, endpoint));
      outbox.end();
    }
  }

  /** Asks an agent and yields its answer's parts. Throws `cluster-unreachable`. */
  async *ask(
    cluster: ClusterId,
    question: Omit<Question, "id" | "$typeName">,
    signal: AbortSignal,
  ): AsyncIterable<Answer> {
    const session = this.#sessions.get(cluster);
    const id = `q${++this.#asked}`;
    const asked: Asked = { cluster, answers: new Outbox<Answer>(mostParts), fault: undefined };
    this.#questions.set(id, asked);
    const stop = () => asked.answers.end();
    signal.addEventListener("abort", stop, { once: true });
    let complete = false;
    try {
      const sent = session?.outbox.push({ message: { case: "question", value: { ...question, id } } }) ?? false;
      if (!sent) throw unaskable(cluster);
      for await (const answer of asked.answers) {
        yield answer;
        complete = !answer.more;
        if (complete) return;
      }
      if (asked.fault !== undefined) throw asked.fault;
    } finally {
      this.#questions.delete(id);
      signal.removeEventListener("abort", stop);
      // Nobody reads on: the agent need not go on either.
      const over = { case: "question", value: { id, ask: { case: "stop", value: {} } } } as const;
      if (!complete) this.#sessions.get(cluster)?.outbox.push({ message: over });
    }
  }

  #answered(answer: Answer): void {
    const asked = this.#questions.get(answer.id);
    if (asked === undefined || asked.answers.push(answer)) return;
    this.#giveUp(asked, new Fault("too-large", { message: "the answer came faster than it was read." }));
  }

  #giveUp(asked: Asked, fault: Fault): void {
    asked.fault ??= fault;
    asked.answers.end();
  }

  async #read(session: Session, requests: AsyncIterable<ConnectRequest>, signal: AbortSignal): Promise<void> {
    try {
      for await (const { message } of requests) {
        if (signal.aborted || this.#sessions.get(session.cluster) !== session) return;
        await this.#handle(session, message, signal);
      }
    } catch (thrown) {
      const fault = Fault.from(thrown);
      this.#options.onFault(session.cluster, fault);
      session.outbox.push(goodbye(fault, fault.retryable ? 5000 : 60_000, ""));
    }
  }

  async #handle(session: Session, message: ConnectRequest["message"], signal: AbortSignal): Promise<void> {
    const { cluster } = session;
    const asked = message.case === "heldList" && session.awaiting !== undefined;
    if (message.case !== "hello" && !asked && session.bootId === "") {
      throw new Fault("bad-input", {
        message: `expected a hello as the first message, found ${message.case ?? "nothing"}.`,
      });
    }
    switch (message.case) {
      case "hello":
        await this.#hear(session, message.value, signal);
        return;
      case "heldList":
        await this.#gather(session, message.value, signal);
        return;
      case "reports":
        this.#fold(session, message.value);
        return;
      case "heartbeat":
        this.#options.heartbeat(cluster, message.value, signal);
        return;
      case "event":
        this.#options.event(cluster, message.value);
        return;
      case "answer":
        this.#answered(message.value);
        return;
      case undefined:
        // A message of a later version: refused by its code, the session goes on.
        this.#options.onFault(
          cluster,
          new Fault("unsupported", { message: "the agent sent a message of an unknown kind." }),
        );
        return;
    }
  }

  /** A state whose target list is lost is no use: the agent is asked for it before it is welcomed. */
  async #hear(session: Session, hello: Hello, signal: AbortSignal): Promise<void> {
    const knows = hello.versions?.features.includes("held-list") === true;
    const digest = knows ? await this.#options.listWanted(session.cluster, hello, signal) : undefined;
    if (digest === undefined) return this.#greet(session, hello, signal);
    session.awaiting = { hello, digest, pieces: [] };
    session.outbox.push({ message: { case: "listWanted", value: { digest } } });
  }

  async #gather(session: Session, { digest, data, more }: HeldList, signal: AbortSignal): Promise<void> {
    const { awaiting } = session;
    if (awaiting === undefined || awaiting.digest !== digest) return;
    awaiting.pieces.push(data);
    const size = awaiting.pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (size > limits.envelopeBytes || awaiting.pieces.length > piecesAtMost) {
      throw new Fault("too-large", { message: `the target list that ${session.cluster} brings is over the limit.` });
    }
    if (more) return;
    session.awaiting = undefined;
    await this.#options.listBrought({ digest: awaiting.digest, gzip: joinChunks(awaiting.pieces) }, signal);
    await this.#greet(session, awaiting.hello, signal);
  }

  async #greet(session: Session, hello: Hello, signal: AbortSignal): Promise<void> {
    const { cluster } = session;
    const spoken = { protocol: hello.versions?.protocol ?? 0, protocolMin: hello.versions?.protocolMin ?? 0 };
    const mine = { protocol: protocol.current, protocolMin: protocol.oldest };
    const agreed = negotiate(mine, spoken);
    this.#checkClock(cluster, hello);
    const revision = await this.#options.greet(cluster, hello, signal);
    session.bootId = hello.bootId;
    const before = this.clones(cluster);
    this.#boots.set(cluster, heard(this.#boots.get(cluster), hello.bootId, this.#options.clock.now()));
    const two = this.clones(cluster);
    if (two !== undefined && before === undefined) this.#options.onFault(cluster, two);
    session.features = new Set(hello.versions?.features);
    session.outbox.push({
      message: {
        case: "welcome",
        value: {
          versions: { program: this.#options.version, ...mine, features: [...features] },
          protocol: agreed,
          revision,
          heartbeatMs: this.#options.heartbeatMs(),
          acked: this.#options.acked(cluster, hello.bootId),
        },
      },
    });
    this.#options.onConnection(cluster, true);
    const within = this.#options.renewal(cluster);
    if (within !== undefined) this.askToRenew(cluster, within);
  }

  #checkClock(cluster: ClusterId, { now }: Hello): void {
    const skew = now === undefined ? 0 : timestampMs(now) - this.#options.clock.now();
    if (Math.abs(skew) <= skewLimit) {
      this.#skews.delete(cluster);
      return;
    }
    const seconds = Math.round(Math.abs(skew) / 1000);
    this.#skews.set(
      cluster,
      new Fault("clock-skew", {
        message: `the clock of cluster ${cluster} is ${seconds} s ${skew > 0 ? "ahead of" : "behind"} the hub's.`,
        where: { cluster },
        next: "Set both clocks by NTP; times shown are off until then, order is not.",
      }),
    );
  }

  /** Acknowledged when durable; the reading goes on meanwhile. */
  #fold(session: Session, batch: ReportBatch): void {
    this.#options.report(session.cluster, session.bootId, batch).then(
      () => session.outbox.push({ message: { case: "ack", value: { sequence: batch.sequence } } }, "ack"),
      (thrown: unknown) => this.#options.onFault(session.cluster, Fault.from(thrown)),
    );
  }

  #replace(session: Session): void {
    const before = this.#sessions.get(session.cluster);
    this.#sessions.set(session.cluster, session);
    if (before === undefined) return;
    before.outbox.push(goodbye(new Fault("conflict", { message: "a newer session of this cluster began." }), 5000, ""));
    before.outbox.end();
    this.#orphan(session.cluster);
    session.tookOver = before.bootId !== "" || before.tookOver;
  }

  /** The session that was asked is over: no answer comes any more. */
  #orphan(cluster: ClusterId): void {
    for (const asked of this.#questions.values())
      if (asked.cluster === cluster) this.#giveUp(asked, unaskable(cluster));
  }

  #end(session: Session): void {
    session.outbox.end();
    if (this.#sessions.get(session.cluster) !== session) return;
    this.#sessions.delete(session.cluster);
    this.#orphan(session.cluster);
    if (session.bootId !== "" || session.tookOver) this.#options.onConnection(session.cluster, false);
  }
}

function unaskable(cluster: ClusterId): Fault {
  return new Fault("cluster-unreachable", {
    message: `cluster ${cluster} has no session now, so it cannot be asked.`,
    where: { cluster },
    next: "It holds course on its own; try again when it is back.",
  });
}

function goodbye(fault: Fault, retryAfterMs: number, endpoint: string): ToAgent {
  const value = { code: fault.code, message: fault.message, retryAfterMs, endpoint };
  return create(ConnectResponseSchema, { message: { case: "goodbye", value } });
}
