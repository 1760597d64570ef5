import { connect, createServer, type Server, type Socket } from "node:net";

/** Where a proxy forwards to. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** What has passed so far. */
export interface ProxyCounters {
  readonly accepted: number;
  readonly refused: number;
  readonly open: number;
  /** Bytes from the one who connected to the target. */
  readonly bytesUp: number;
  readonly bytesDown: number;
}

const refusalDelay = 20;

type LinkState = "open" | "cut" | "paused";

/**
 * One link between two programs, as a TCP proxy that can be cut, paused and delayed. `cut` resets what is open and
 * resets newcomers; `pause` keeps everything open and forwards nothing, as a black hole does.
 */
export class TcpProxy implements AsyncDisposable {
  readonly port: number;
  #target: Endpoint;
  #state: LinkState = "open";
  #delay = 0;
  #counters = { accepted: 0, refused: 0, bytesUp: 0, bytesDown: 0 };
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #refused = new Set<Socket>();

  private constructor(server: Server, port: number, target: Endpoint) {
    this.#server = server;
    this.port = port;
    this.#target = target;
    server.on("connection", (socket) => this.#accept(socket));
  }

  /** Listens on 127.0.0.1, on a free port unless one is given. */
  static async start(target: Endpoint, port = 0): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy got no port");
    return new TcpProxy(server, address.port, target);
  }

  /** `127.0.0.1:PORT`. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get counters(): ProxyCounters {
    return { ...this.#counters, open: this.#pairs.size };
  }

  /** Resets all connections and every new one until `restore`. */
  cut(): void {
    this.#state = "cut";
    this.drop();
  }

  /** Stops forwarding; connections, also new ones, stay open in silence. */
  pause(): void {
    this.#state = "paused";
    for (const pair of this.#pairs) pair.pause();
  }

  /** Ends a cut or a pause; what a pause held back is delivered now. The delay stays. */
  restore(): void {
    this.#state = "open";
    for (const pair of this.#pairs) pair.resume();
  }

  /** Every chunk waits `ms` in each direction; 0 ends it. */
  delay(ms: number): void {
    this.#delay = ms;
  }

  /** Resets all connections once; new ones pass. */
  drop(): void {
    for (const pair of this.#pairs) pair.reset();
  }

  /** New connections go elsewhere. */
  retarget(target: Endpoint): void {
    this.#target = target;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.drop();
    for (const client of this.#refused) client.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  /** Not at once: a client that comes back as fast as it can would keep this process accepting and doing nothing else. */
  #refuse(client: Socket): void {
    this.#refused.add(client);
    client.on("error", () => undefined);
    client.on("close", () => this.#refused.delete(client));
    setTimeout(() => client.resetAndDestroy(), refusalDelay).unref();
  }

  #accept(client: Socket): void {
    if (this.#state === "cut") {
      this.#counters.refused += 1;
      this.#refuse(client);
      return;
    }
    this.#counters.accepted += 1;
    const pair = new Pair(client, connect({ ...this.#target, allowHalfOpen: true }), {
      delay: () => this.#delay,
      passed: (direction, bytes) => {
        this.#counters[direction] += bytes;
      },
      closed: () => this.#pairs.delete(pair),
    });
    this.#pairs.add(pair);
    if (this.#state === "paused") pair.pause();
  }
}

interface PairHooks {
  delay(): number;
  passed(direction: "bytesUp" | "bytesDown", bytes: number): void;
  closed(): void;
}

class Pair {
  readonly #sockets: readonly [Socket, Socket];
  readonly #flows: readonly [Flow, Flow];

  constructor(client: Socket, server: Socket, hooks: PairHooks) {
    this.#sockets = [client, server];
    this.#flows = [
      new Flow(client, server, hooks.delay, (bytes) => hooks.passed("bytesUp", bytes)),
      new Flow(server, client, hooks.delay, (bytes) => hooks.passed("bytesDown", bytes)),
    ];
    let open = 2;
    for (const socket of this.#sockets) {
      socket.setNoDelay(true);
      socket.on("error", () => this.reset());
      socket.on("close", () => {
        open -= 1;
        if (open === 0) hooks.closed();
      });
    }
  }

  pause(): void {
    for (const flow of this.#flows) flow.pause();
  }

  resume(): void {
    for (const flow of this.#flows) flow.resume();
  }

  reset(): void {
    for (const flow of this.#flows) flow.stop();
    for (const socket of this.#sockets) {
      if (socket.connecting) socket.destroy();
      else if (!socket.destroyed) socket.resetAndDestroy();
    }
  }
}

const heldAtMost = 1024 * 1024;

/** One direction: a queue of chunks (undefined is the end), each with the time from which it may pass. */
class Flow {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #passed: (bytes: number) => void;
  readonly #queue: { readonly due: number; readonly chunk: Buffer | undefined }[] = [];
  #held = 0;
  #paused = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, delay: () => number, passed: (bytes: number) => void) {
    this.#from = from;
    this.#to = to;
    this.#passed = passed;
    from.on("data", (chunk: Buffer) => {
      this.#held += chunk.length;
      this.#push(delay(), chunk);
      if (this.#held > heldAtMost) from.pause();
    });
    from.on("end", () => this.#push(delay(), undefined));
    to.on("drain", () => this.#pump());
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#pump();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #push(delay: number, chunk: Buffer | undefined): void {
    const last = this.#queue.at(-1)?.due ?? 0;
    this.#queue.push({ due: Math.max(last, performance.now() + delay), chunk });
    this.#pump();
  }

  #pump(): void {
    clearTimeout(this.#timer);
    while (!this.#paused && !this.#to.writableNeedDrain) {
      const next = this.#queue[0];
      if (next === undefined) break;
      const wait = next.due - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#pump(), wait);
        break;
      }
      this.#queue.shift();
      this.#deliver(next.chunk);
    }
    if (this.#held <= heldAtMost && this.#from.isPaused()) this.#from.resume();
  }

  #deliver(chunk: Buffer | undefined): void {
    if (chunk === undefined) {
      this.#to.end();
      return;
    }
    this.#held -= chunk.length;
    this.#passed(chunk.length);
    if (!this.#to.destroyed) this.#to.write(chunk);
  }
}
