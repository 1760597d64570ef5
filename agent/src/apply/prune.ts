import type { Instant } from "@capstan/proto";
import { objectKey, objectText } from "@capstan/proto";
import { isMap } from "../drift/compare.ts";
import { recentDeletions, stale } from "../inventory/diff.ts";
import type { Inventory } from "../inventory/model.ts";
import type { KubeObject, ObjectAddress } from "../inventory/object.ts";
import type { DeletionLimits } from "./model.ts";
import { wantsConfirmation } from "./options.ts";
import { compareOrder } from "./stages.ts";

/** What deletions of a pass are decided from. */
export interface PruneInput {
  readonly inventory: Inventory;
  readonly generation: number;
  readonly digest: string;
  /** Keys that the bundle asks for, whatever became of them. */
  readonly desired: ReadonlySet<string>;
  readonly prune: boolean;
  /** Every deletion waits for a person. */
  readonly confirm?: boolean;
  readonly allowEmpty: boolean;
  readonly limits: DeletionLimits;
  readonly approved: ReadonlySet<string>;
  /** How many objects of this pass failed, or could not be written yet. */
  readonly failures: number;
  readonly now: Instant;
}

/** Deletions of a pass, in their order, and those that wait. */
export interface PrunePlan {
  readonly remove: readonly ObjectAddress[];
  readonly prunable: readonly ObjectAddress[];
  readonly held: readonly { readonly address: ObjectAddress; readonly reason: string }[];
  /** Keys whose deletion counts against no limit, now or later: approved by a person, or replaced by a successor. */
  readonly free: ReadonlySet<string>;
}

/** Kinds whose deletion always waits for a person; with StatefulSet and PVC go data, with Namespace and CRD everything in it. */
const heldKinds = new Set([
  "/Namespace",
  "/PersistentVolume",
  "/PersistentVolumeClaim",
  "apps/StatefulSet",
  "apiextensions.k8s.io/CustomResourceDefinition",
]);

/** Plans the deletions of a pass: what the inventory has and the bundle does not, within the guards. */
export function planPrune(input: PruneInput): PrunePlan {
  const gone = [...stale(input.inventory, input.desired)].sort((a, b) => compareOrder(b, a));
  const none: PrunePlan = { remove: [], prunable: [], held: [], free: new Set() };
  if (gone.length === 0) return none;
  if (!input.prune) return { ...none, prunable: gone };
  const all = holdAll(input);
  if (all !== undefined) return { ...none, held: gone.map((address) => ({ address, reason: all })) };
  const free = freeOf(input, gone);
  const tooMany = overLimit(input, gone, free);
  const remove: ObjectAddress[] = [];
  const held: { address: ObjectAddress; reason: string }[] = [];
  for (const address of gone) {
    const reason = heldReason(address, input, tooMany);
    if (reason === undefined) remove.push(address);
    else held.push({ address, reason });
  }
  return { remove, prunable: [], held, free };
}

/** Why nothing at all may be deleted in this pass. */
function holdAll(input: PruneInput): string | undefined {
  const { inventory, generation, digest } = input;
  if (generation < inventory.generation || (generation === inventory.generation && digest !== inventory.digest)) {
    return `bundle ${digest} is not newer than generation ${inventory.generation}: absence in it deletes nothing`;
  }
  if (input.failures > 0) return "objects of the same pass failed or wait: deletions come when all is applied";
  if (input.desired.size === 0 && !input.allowEmpty) return "the bundle is empty, and allowEmpty is off";
  return undefined;
}

function heldReason(address: ObjectAddress, input: PruneInput, tooMany: string | undefined): string | undefined {
  if (input.approved.has(objectKey(address))) return undefined;
  if (input.confirm === true) return "its application asks for a confirmation (Prune=confirm)";
  if (input.limits.off === true) return undefined;
  return heldKindReason(address, input.limits.kinds) ?? tooMany;
}

/** Why an object's kind alone holds its deletion. */
export function heldKindReason(
  kind: { readonly group: string; readonly kind: string },
  added: readonly string[],
): string | undefined {
  const name = `${kind.group}/${kind.kind}`;
  if (!heldKinds.has(name) && !added.includes(name)) return undefined;
  return `a person must approve the deletion of a ${kind.kind}`;
}

/** Why an object that asks for a person's word waits for it; no limit of a set takes that off. */
export function confirmationReason(live: KubeObject): string | undefined {
  return wantsConfirmation(live) ? "its sync-options ask for a confirmation" : undefined;
}

/** Why a live object's own content holds its deletion: a load balancer's address, a wish to be asked. */
export function heldLiveReason(live: KubeObject): string | undefined {
  const asked = confirmationReason(live);
  if (asked !== undefined) return asked;
  const spec = live["spec"];
  const balancer =
    live.apiVersion === "v1" && live.kind === "Service" && isMap(spec) && spec["type"] === "LoadBalancer";
  return balancer ? "a person must approve the deletion of a Service of type LoadBalancer" : undefined;
}

/** Whether the deletions, with those of the last 24 hours and without free ones, pass max(count, share). */
function overLimit(input: PruneInput, gone: readonly ObjectAddress[], free: ReadonlySet<string>): string | undefined {
  const { limits, inventory } = input;
  const recent = recentDeletions(inventory, input.now).reduce((sum, record) => sum + record.count, 0);
  const net = gone.length - free.size;
  const base = inventory.entries.size + recent;
  const allowed = Math.max(limits.count, Math.floor(base * limits.share));
  if (net === 0 || net + recent <= allowed) return undefined;
  const before = recent === 0 ? "" : ` after ${recent} in the last 24 hours`;
  return `${net} deletions${before} of ${base} objects pass the limit of ${allowed}`;
}

/** Approved ones, and those that have each a successor of the same kind, namespace and stem: names that end in a hash. */
function freeOf({ approved, desired }: PruneInput, gone: readonly ObjectAddress[]): ReadonlySet<string> {
  const successors = new Map<string, number>();
  for (const key of desired) {
    const stem = stemOf(key);
    if (stem !== undefined) successors.set(stem, (successors.get(stem) ?? 0) + 1);
  }
  const free = new Set<string>();
  for (const key of gone.map(objectKey)) {
    const stem = stemOf(key);
    const waiting = stem === undefined ? 0 : (successors.get(stem) ?? 0);
    if (approved.has(key)) free.add(key);
    else if (stem !== undefined && waiting > 0) {
      successors.set(stem, waiting - 1);
      free.add(key);
    }
  }
  return free;
}

/** A key without the hash at its name's end: 5 to 10 characters of which one at least is a digit. */
function stemOf(key: string): string | undefined {
  const match = /^(.+)-([a-z0-9]{5,10})$/.exec(key);
  return match?.[1] !== undefined && /\d/.test(match[2] ?? "") ? match[1] : undefined;
}

/** Who holds a namespace back from deletion. */
export function namespaceInUse(namespace: ObjectAddress, holders: readonly string[]): string {
  return `${objectText(namespace)} still holds objects of ${holders.slice(0, 3).join(", ")}`;
}
