import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Digest, type Instant, type TargetKey, targetKey } from "@capstan/proto";
import {
  BundleRefSchema,
  type DesiredState,
  DesiredStateSchema,
  type DesiredTarget,
  DesiredTargetSchema,
  type SealedKey,
  type Tombstone,
  TombstoneSchema,
} from "@capstan/proto/desired";
import type { Change, StoredBundleRef } from "../targets/content.ts";
import type { Recipient } from "./model.ts";

/** What the next desired state of a cluster is made from. */
export interface Assembly {
  readonly fleet: string;
  readonly recipient: Recipient;
  readonly epoch: bigint;
  readonly now: Instant;
  /** In force; undefined: the cluster has none. */
  readonly previous: DesiredState | undefined;
  /** The highest revision that the agent says it ever held. */
  readonly highWater: bigint;
  readonly changes: ReadonlyMap<TargetKey, Change>;
  /** Tombstones that the agent has carried out, with their generation. */
  readonly removed: ReadonlyMap<TargetKey, bigint>;
  /** Seals a bundle's key to this cluster. Asked only for what changes. */
  seal(bundle: StoredBundleRef): SealedKey;
  /** The identity of a target's content. */
  identity(target: DesiredTarget): Digest;
  /** Told of the identity of a target that was made here, so that nobody works it out again. */
  isOf?(target: DesiredTarget, identity: Digest): void;
}

/**
 * The next desired state, or undefined where nothing changes. Its revision is 1 + max(stored, reported), so that a wiped
 * or restored store never goes back; a changed target's generation is that revision. What is not changed stays as it is,
 * to the byte: absence of a change is never a removal.
 */
export function assemble(input: Assembly): DesiredState | undefined {
  const revision = 1n + max(input.previous?.revision ?? 0n, input.highWater);
  const targets = new Map(input.previous?.targets.map((t) => [targetKey(t.namespace, t.name), t]) ?? []);
  const tombstones = new Map(input.previous?.tombstones.map((t) => [targetKey(t.namespace, t.name), t]) ?? []);
  let changed = input.previous === undefined && input.changes.size > 0;
  for (const [key, generation] of input.removed) {
    if (tombstones.get(key)?.generation === generation) changed = tombstones.delete(key) || changed;
  }
  for (const [key, change] of input.changes) {
    changed = put({ ...input, targets, tombstones, revision }, key, change) || changed;
  }
  if (!changed && !isRedescribed(input)) return undefined;
  return create(DesiredStateSchema, {
    fleet: input.fleet,
    cluster: input.recipient.cluster,
    incarnation: input.recipient.incarnation,
    revision,
    epoch: input.epoch,
    requiredFeatures: requiredFeatures([...targets.values()], tombstones.size),
    labels: { ...input.recipient.labels },
    mode: input.recipient.mode,
    targets: [...targets.values()],
    tombstones: [...tombstones.values()],
    decidedAt: timestampFromMs(input.now),
  });
}

/** Whether the state says it already: the same content, and the same operation or none asked for. */
function isHeld(before: DesiredTarget, { content, operation }: Change & { kind: "hold" }, draft: Draft): boolean {
  const asked = operation === undefined || operation.id === before.operation?.id;
  return asked && draft.identity(before) === content.digest;
}

interface Draft {
  identity(target: DesiredTarget): Digest;
  isOf?(target: DesiredTarget, identity: Digest): void;
  readonly targets: Map<TargetKey, DesiredTarget>;
  readonly tombstones: Map<TargetKey, Tombstone>;
  readonly revision: bigint;
  seal(bundle: StoredBundleRef): SealedKey;
}

function put(draft: Draft, key: TargetKey, change: Change): boolean {
  const before = draft.targets.get(key);
  if (change.kind === "remove") {
    if (before === undefined) return false;
    draft.targets.delete(key);
    draft.tombstones.set(
      key,
      create(TombstoneSchema, {
        namespace: before.namespace,
        name: before.name,
        removal: change.removal,
        generation: draft.revision,
        reason: change.reason,
        approvedBy: change.approvedBy,
        serviceAccount: before.serviceAccount,
        syncOptions: [...(before.policy?.syncOptions ?? [])],
      }),
    );
    return true;
  }
  if (change.kind === "adjust") {
    if (before === undefined) return false;
    const { kind: _, ...fields } = change;
    adjust(draft, key, { ...before, ...fields });
    return true;
  }
  const { target, bundle } = change.content;
  if (before !== undefined && isHeld(before, change, draft)) {
    const { set, lane } = target;
    if (before.set === set && before.lane === lane) return false;
    adjust(draft, key, { ...before, set, lane });
    return true;
  }
  draft.tombstones.delete(key);
  const sealed = before?.bundle?.digest === bundle.digest ? before.bundle.key : undefined;
  const next = create(DesiredTargetSchema, {
    ...target,
    generation: draft.revision,
    bundle: create(BundleRefSchema, {
      digest: bundle.digest,
      size: BigInt(bundle.size),
      chunks: bundle.chunks,
      keyId: bundle.keyId,
      key: sealed ?? draft.seal(bundle),
    }),
    ...(change.operation === undefined ? {} : { operation: change.operation }),
  });
  draft.targets.set(key, next);
  draft.isOf?.(next, change.content.digest);
  return true;
}

/** The same content under other names or windows: the same identity and generation. */
function adjust(draft: Draft, key: TargetKey, fields: DesiredTarget): void {
  const next = create(DesiredTargetSchema, fields);
  draft.isOf?.(next, draft.identity(fields));
  draft.targets.set(key, next);
}

/** Sync options of a whole application that keep something from being deleted. */
const protecting = new Set([
  "Prune=false",
  "Prune=confirm",
  "Delete=false",
  "Delete=confirm",
  "PrunePropagationPolicy=orphan",
]);

/** An agent that lacks one of these must hold: only what is really used is asked for. */
function requiredFeatures(targets: readonly DesiredTarget[], tombstones: number): string[] {
  const required = ["bundles"];
  if (tombstones > 0) required.push("tombstones");
  if (targets.some((t) => t.mode !== 0)) required.push("modes");
  if (targets.some((t) => t.windows.length > 0)) required.push("windows");
  if (targets.some((t) => t.mayRollBackLocally)) required.push("local-rollback");
  if (targets.some((t) => t.operation !== undefined)) required.push("operations");
  if (targets.some((t) => t.operation?.action !== undefined)) required.push("actions");
  if (targets.some((t) => t.policy?.syncOptions.some((option) => protecting.has(option))))
    required.push("keep-options");
  return required;
}

/** Whether people said something else of the cluster itself. */
function isRedescribed({ previous, recipient }: Assembly): boolean {
  if (previous === undefined) return false;
  return previous.mode !== recipient.mode || !sameLabels(previous.labels, recipient.labels);
}

function sameLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
