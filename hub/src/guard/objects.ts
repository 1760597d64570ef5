import { type ObjectRef, objectKey } from "@capstan/proto";
import type { GuardedObject, ObjectGuardInput, ObjectGuardResult } from "./model.ts";

/** Deleting one of these deletes more than itself, or data, or an address that others know. */
const protectedKinds: ReadonlySet<string> = new Set([
  "/Namespace",
  "/PersistentVolumeClaim",
  "/PersistentVolume",
  "apps/StatefulSet",
  "apiextensions.k8s.io/CustomResourceDefinition",
]);

/** Sync options by which an object asks for a person's word before it is deleted. */
const confirmations: ReadonlySet<string> = new Set(["Prune=confirm", "Delete=confirm"]);

/**
 * Which of a target's objects may be pruned. A protected kind waits for a person by itself; beyond the limit all of them
 * wait. Replacements count as nothing: an object that goes while a new one of its kind and namespace comes (names with a
 * hash at their end). The agent holds the same rule against its inventory.
 */
export function holdPrunes(input: ObjectGuardInput): ObjectGuardResult {
  const kept = new Set(input.bundle.map(objectKey));
  const owned = new Set(input.owned.map(objectKey));
  const pruned = input.owned.filter((one) => !kept.has(objectKey(one)) && !input.approved.has(objectKey(one)));
  const added = input.bundle.filter((one) => !owned.has(objectKey(one)));
  const guarded = pruned.filter((one) => isProtected(one, input.protectedKinds));
  const rest = pruned.filter((one) => !guarded.includes(one));
  const lost = netLoss(pruned, added);
  const limit = Math.max(input.limit.count, Math.floor((input.owned.length * input.limit.percent) / 100));
  const over = lost > limit;
  const approved = input.owned.filter((one) => !kept.has(objectKey(one)) && input.approved.has(objectKey(one)));
  const held: ObjectGuardResult["held"] = [
    ...(guarded.length === 0 ? [] : [{ rule: "protected-kind" as const, text: protectedText(guarded), list: guarded }]),
    ...(over && rest.length > 0
      ? [{ rule: "share-of-objects" as const, text: shareText(lost, input, limit), list: rest }]
      : []),
  ];
  return { allowed: over ? approved : [...approved, ...rest], held };
}

function isProtected(one: GuardedObject, more: readonly string[]): boolean {
  const kind = `${one.group}/${one.kind}`;
  return protectedKinds.has(kind) || more.includes(kind) || (kind === "/Service" && one.loadBalancer === true);
}

/** What of an object as its bundle has it decides whether it is protected. */
export interface BundledObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata?: { readonly annotations?: Readonly<Record<string, unknown>> | null };
  readonly spec?: { readonly type?: unknown } | null;
}

/** The kinds, sorted, of a bundle's objects that go with their target only when a person says so. */
export function protectedAmong(objects: Iterable<BundledObject>): readonly string[] {
  const kinds = new Set<string>();
  for (const { apiVersion, kind, metadata, spec } of objects) {
    const slash = apiVersion.indexOf("/");
    const group = slash < 0 ? "" : apiVersion.slice(0, slash);
    const balancer = group === "" && kind === "Service" && spec?.type === "LoadBalancer";
    const options = metadata?.annotations?.["argocd.argoproj.io/sync-options"];
    const asks = typeof options === "string" && options.split(",").some((one) => confirmations.has(one.trim()));
    if (protectedKinds.has(`${group}/${kind}`) || balancer || asks) kinds.add(kind);
  }
  return [...kinds].sort();
}

function netLoss(pruned: readonly ObjectRef[], added: readonly ObjectRef[]): number {
  const kindOf = (one: ObjectRef) => `${one.group}/${one.kind}/${one.namespace}`;
  const coming = new Map<string, number>();
  for (const one of added) coming.set(kindOf(one), (coming.get(kindOf(one)) ?? 0) + 1);
  let lost = 0;
  for (const one of pruned) {
    const left = coming.get(kindOf(one)) ?? 0;
    if (left > 0) coming.set(kindOf(one), left - 1);
    else lost += 1;
  }
  return lost;
}

function protectedText(list: readonly GuardedObject[]): string {
  return `${list.length} objects of protected kinds (${[...new Set(list.map((one) => one.kind))].join(", ")}) would be deleted`;
}

function shareText(lost: number, { owned }: ObjectGuardInput, limit: number): string {
  return `${lost} of ${owned.length} objects would be deleted; at most ${limit} may go without a person`;
}
