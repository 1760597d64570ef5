import { type Clock, Fault } from "@capstan/proto";
import { Events, type NatsConnection } from "nats";
import type { LeaseStore } from "../../leader/port.ts";
import type { Fence, Stores } from "../../store/port.ts";
import { NatsBundleStore } from "./bundles.ts";
import { NatsLeaseStore } from "./lease.ts";
import { NatsAuditLog, NatsHints, NatsRecordLog } from "./logs.ts";
import { NatsMemory } from "./memory.ts";
import { NatsStateStore } from "./state.ts";
import { ensureStreams, type StreamOptions } from "./streams.ts";
import { Turn } from "./turn.ts";

/** What the stores of one hub stand on. */
export interface NatsStoresOptions extends StreamOptions {
  /** As a user of account HUB. */
  readonly connection: NatsConnection;
  readonly fence: Fence;
  readonly clock: Clock;
  /** The file of `NatsMemory`. */
  readonly memoryFile: string;
  /** Told when the streams could not be looked after, and of a marker that could not be written. */
  onFault(fault: Fault): void;
}

/** All stores over one connection, and the lease that hubs compete for. */
export interface NatsStores extends Stores {
  readonly lease: LeaseStore;
  /** Looks after the streams at every reconnect (a lost store comes back empty); until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Makes streams that are missing and opens all stores. */
export async function openNatsStores(options: NatsStoresOptions, signal: AbortSignal): Promise<NatsStores> {
  const { connection, replicas, fence, clock, onFault } = options;
  // The three know one another: writes tell the memory what they saw, the memory reads and writes its own key.
  const turn = replicas > 1 ? new Turn() : undefined;
  const observe = (sequence: bigint) => memory.observe(sequence);
  const state = new NatsStateStore({ connection, replicas, fence, clock, turn, observe });
  const memory: NatsMemory = new NatsMemory({ connection, state, file: options.memoryFile, clock, onFault });
  const lease = new NatsLeaseStore({ connection, replicas, turn }, (sequence) => {
    observe(sequence);
    memory.save().catch((thrown: unknown) => onFault(Fault.from(thrown)));
  });
  const prepare = async (stop: AbortSignal) => {
    await ensureStreams(connection, options);
    await memory.open(stop);
  };
  await openPatiently({ clock, prepare, onFault }, signal);
  const assertLeading = async (stop: AbortSignal) => {
    const held = fence.current();
    const stored = await lease.read(fence.shard, stop);
    if (held !== undefined && (stored?.sequence === held || stored?.sequence === fence.current())) return;
    throw new Fault("not-leader", { message: "expected to lead while deleting, found that the lease is not ours." });
  };
  return {
    state,
    records: new NatsRecordLog(connection, replicas),
    bundles: new NatsBundleStore(connection, replicas, assertLeading),
    audit: new NatsAuditLog(connection, replicas),
    hints: new NatsHints(connection),
    memory,
    lease,
    run: (stop) => keepStreams({ connection, clock, prepare, onFault }, stop),
  };
}

/** Milliseconds that a start waits for a store that is slow or not ready yet, as after its own restart on a busy disk. */
const openWithin = 30_000;

async function openPatiently({ clock, prepare, onFault }: Preparing, signal: AbortSignal): Promise<void> {
  const deadline = clock.monotonic() + openWithin;
  for (;;) {
    try {
      return await prepare(signal);
    } catch (thrown) {
      const fault = Fault.from(thrown);
      const passing = fault.code === "timeout" || fault.code === "store-unavailable";
      if (!passing || signal.aborted || clock.monotonic() >= deadline) throw thrown;
      onFault(fault);
      await clock.sleep(500, signal);
    }
  }
}

/** What brings the streams into being, and who is told when it fails. */
interface Preparing {
  readonly clock: Clock;
  prepare(signal: AbortSignal): Promise<void>;
  onFault(fault: Fault): void;
}

interface Keeping extends Preparing {
  readonly connection: NatsConnection;
}

async function keepStreams(keeping: Keeping, signal: AbortSignal): Promise<void> {
  const status = keeping.connection.status() as ReturnType<NatsConnection["status"]> & { stop?: () => void };
  const stop = () => status.stop?.();
  signal.addEventListener("abort", stop, { once: true });
  for await (const event of status) {
    if (signal.aborted) return;
    if (event.type === Events.Reconnect) await retryPrepare(keeping, signal);
  }
}

async function retryPrepare({ clock, prepare, onFault }: Preparing, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await openPatiently({ clock, prepare, onFault }, signal);
      return;
    } catch (thrown) {
      if (signal.aborted) return;
      onFault(Fault.from(thrown));
      await clock.sleep(500, signal).catch(() => undefined);
    }
  }
}
