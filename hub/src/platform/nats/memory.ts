import { randomUUID } from "node:crypto";
import { type Clock, Fault } from "@capstan/proto";
import type { NatsConnection } from "nats";
import { stateKey } from "../../store/keys.ts";
import type { Continuity, Memory, StateStore } from "../../store/port.ts";
import { readFileIfThere, writeFileAtomic } from "../disk/files.ts";
import { publish, request } from "./publish.ts";
import { streamNames } from "./streams.ts";

/** What the store says of itself, key `lineage`: which store it is, and which ones it took the place of. */
interface Lineage {
  readonly id: string;
  readonly after: readonly string[];
}

/** What the hub's disk remembers: the store, and the highest sequence it was seen to hold. */
interface Marker {
  readonly id: string;
  readonly sequence: number;
  /** Put back from an archive together with its store: what was decided since is in neither. */
  readonly restored?: boolean;
}

/** What the memory stands on. */
export interface MemoryOptions {
  readonly connection: NatsConnection;
  readonly state: StateStore;
  /** The marker's file, on the hub's own disk. */
  readonly file: string;
  readonly clock: Clock;
  /** Told of a marker that could not be written. */
  onFault(fault: Fault): void;
}

/** The memory's file in a data folder. */
export const memoryFileName = "store-memory.json";

const lineageKey = stateKey("lineage");
const predecessors = 50;
/** Milliseconds that a marker may lag behind the store: what a hub that is killed forgets of it. */
const lag = 200;

/** Compares a small file of the hub with the store, so that a lost or restored store is noticed. */
export class NatsMemory implements Memory {
  readonly #options: MemoryOptions;
  #marker: Marker | undefined;
  #saved: Promise<void> = Promise.resolve();
  #dirty = false;
  #saving = false;

  constructor(options: MemoryOptions) {
    this.#options = options;
  }

  /** Reads the marker and gives a store that has no name yet one. Safe to call again after a reconnect. */
  async open(signal: AbortSignal): Promise<void> {
    this.#marker ??= decodeMarker(await readFileIfThere(this.#options.file));
    const value = encode({ id: randomUUID(), after: [] } satisfies Lineage);
    const headers = { "Nats-Expected-Last-Subject-Sequence": "0" };
    // The first hub names it; for the others the name is there and the server refuses.
    await publish(this.#options.connection, { subject: `$KV.state.${lineageKey}`, value, headers }, signal);
  }

  /** Remembers that the store holds this sequence; on disk soon after, many together. */
  observe(sequence: bigint): void {
    const marker = this.#marker;
    if (marker === undefined || Number(sequence) <= marker.sequence) return;
    this.#marker = { ...marker, sequence: Number(sequence) };
    this.#dirty = true;
    this.#saveSoon();
  }

  /** An older store is noticed by this marker: one that waits for the lease's next renewal would miss what a kill cuts off. */
  #saveSoon(): void {
    if (this.#saving) return;
    this.#saving = true;
    const { clock, onFault } = this.#options;
    clock
      .sleep(lag, new AbortController().signal)
      .then(() => {
        this.#saving = false;
        return this.save();
      })
      .catch((thrown: unknown) => onFault(Fault.from(thrown)));
  }

  /** Brings the marker to disk, one write at a time. */
  save(): Promise<void> {
    this.#saved = this.#saved.then(async () => {
      if (!this.#dirty || this.#marker === undefined) return;
      this.#dirty = false;
      await writeFileAtomic(this.#options.file, encode(this.#marker));
    });
    return this.#saved;
  }

  async continuity(signal: AbortSignal): Promise<Continuity> {
    const marker = this.#marker;
    if (marker === undefined) return "unknown";
    const lineage = await this.#lineage(signal);
    if (lineage === undefined) return "lost";
    if (marker.restored === true) return "older";
    if (lineage.id !== marker.id) return lineage.after.includes(marker.id) ? "same" : "lost";
    return (await this.#lastSequence(signal)) < marker.sequence ? "older" : "same";
  }

  async accept(signal: AbortSignal): Promise<void> {
    const continuity = await this.continuity(signal);
    let lineage = (await this.#lineage(signal)) ?? { id: randomUUID(), after: [] };
    const known = this.#marker?.id;
    if (continuity === "older") {
      // Other hubs remember the same store further on: a new name tells them that this has been seen to.
      lineage = { id: randomUUID(), after: [lineage.id, ...lineage.after].slice(0, predecessors) };
      await this.#options.state.put(lineageKey, encode(lineage), signal);
    } else if (continuity === "lost" && known !== undefined) {
      lineage = { id: lineage.id, after: [known, ...lineage.after].slice(0, predecessors) };
      await this.#options.state.put(lineageKey, encode(lineage), signal);
    }
    this.#marker = { id: lineage.id, sequence: await this.#lastSequence(signal) };
    this.#dirty = true;
    await this.save();
  }

  async #lineage(signal: AbortSignal): Promise<Lineage | undefined> {
    const entry = await this.#options.state.get(lineageKey, signal);
    return entry === undefined ? undefined : (JSON.parse(new TextDecoder().decode(entry.value)) as Lineage);
  }

  async #lastSequence(signal: AbortSignal): Promise<number> {
    const subject = `$JS.API.STREAM.INFO.${streamNames.state}`;
    const info = await request(this.#options.connection, { subject, value: new Uint8Array() }, signal);
    return Number((info["state"] as { last_seq?: number } | undefined)?.last_seq ?? 0);
  }
}

/**
 * Writes into a memory's file that the store beside it was put back from an archive: the next term takes it for an older
 * one, which the sequences alone do not tell, as archive and memory are of the same age.
 */
export async function markRestored(file: string): Promise<void> {
  const marker = decodeMarker(await readFileIfThere(file)) ?? { id: "", sequence: 0 };
  await writeFileAtomic(file, encode({ ...marker, restored: true }));
}

function encode(value: Lineage | Marker): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value)}\n`);
}

/** A damaged marker counts as none: the hub then knows of no store, and says so. */
function decodeMarker(bytes: Uint8Array | undefined): Marker | undefined {
  if (bytes === undefined) return undefined;
  try {
    const { id, sequence, restored } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    if (typeof id !== "string" || typeof sequence !== "number") return undefined;
    return { id, sequence, ...(restored === true ? { restored } : {}) };
  } catch {
    return undefined;
  }
}
