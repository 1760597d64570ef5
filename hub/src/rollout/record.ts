import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import type { Digest, Instant } from "@capstan/proto";
import { DesiredTargetSchema } from "@capstan/proto/desired";
import type { StoredBundleRef, TargetContent } from "../targets/content.ts";
import { fold } from "./fold.ts";
import type { Plan, RunState, Transition } from "./model.ts";

/** Packs bytes: handed in, for compression belongs to the platform. */
export interface Packer {
  gzip(bytes: Uint8Array): Uint8Array;
  gunzip(bytes: Uint8Array, limit: number): Uint8Array;
}

/** Largest entry that is believed when unpacked. */
const limit = 256 * 1024 * 1024;

/** What a run froze when it began: its plan and every content that its moves name, on both sides. */
export interface Opening {
  readonly plan: Plan;
  readonly contents: ReadonlyMap<Digest, TargetContent>;
}

/** An entry of a record: the first is the opening, each later one the transitions of one decision. */
export type Entry =
  | { readonly kind: "opening"; readonly opening: Opening }
  | { readonly kind: "transitions"; readonly transitions: readonly Transition[] };

/** Value of `head.<rollout>`: which entries count, and what lists show without reading them. */
export interface Head {
  readonly run: string;
  readonly lane: string;
  /** Sequence of the last entry that counts, as text. */
  readonly last: string;
  readonly over: boolean;
  readonly startedAt: Instant;
}

interface StoredContent {
  readonly digest: Digest;
  readonly bundle: StoredBundleRef;
  /** `DesiredTarget`, base64. */
  readonly target: string;
}

/** An entry as it is stored: JSON, packed. */
export function encodeEntry(entry: Entry, packer: Packer): Uint8Array {
  const plain =
    entry.kind === "transitions"
      ? entry
      : { kind: "opening", plan: entry.opening.plan, contents: [...entry.opening.contents.values()].map(stored) };
  return packer.gzip(new TextEncoder().encode(JSON.stringify(plain)));
}

/** The reverse of `encodeEntry`. */
export function decodeEntry(bytes: Uint8Array, packer: Packer): Entry {
  const plain = JSON.parse(new TextDecoder().decode(packer.gunzip(bytes, limit))) as
    | Extract<Entry, { kind: "transitions" }>
    | { readonly kind: "opening"; readonly plan: Plan; readonly contents: readonly StoredContent[] };
  if (plain.kind === "transitions") return plain;
  const contents = new Map(plain.contents.map((each) => [each.digest, restored(each)] as const));
  return { kind: "opening", opening: { plan: plain.plan, contents } };
}

/** A run as its entries tell it; undefined for a record without an opening. */
export function replay(
  entries: readonly Entry[],
): { readonly state: RunState; readonly contents: Opening["contents"] } | undefined {
  const [first, ...rest] = entries;
  if (first?.kind !== "opening") return undefined;
  const transitions = rest.flatMap((entry) => (entry.kind === "transitions" ? entry.transitions : []));
  return { state: fold(first.opening.plan, transitions), contents: first.opening.contents };
}

/** A head as it is stored: JSON, so that people can read it. */
export function encodeHead(head: Head): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(head));
}

/** The reverse of `encodeHead`. */
export function decodeHead(bytes: Uint8Array): Head {
  return JSON.parse(new TextDecoder().decode(bytes)) as Head;
}

function stored({ digest, bundle, target }: TargetContent): StoredContent {
  return { digest, bundle, target: base64Encode(toBinary(DesiredTargetSchema, target)) };
}

function restored({ digest, bundle, target }: StoredContent): TargetContent {
  return { digest, bundle, target: fromBinary(DesiredTargetSchema, base64Decode(target)) };
}
