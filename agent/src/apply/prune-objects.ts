import { Fault, objectKey } from "@capstan/proto";
import type { KubeObject, ObjectAddress } from "../inventory/object.ts";
import type { ServiceAccount } from "./model.ts";
import { isExtraneous, optsOutOfApply, optsOutOfPrune } from "./options.ts";
import type { Outcomes } from "./outcomes.ts";
import { isOwnedBy, ownerOf } from "./ownership.ts";
import type { Pass } from "./pass.ts";
import { pooled } from "./pool.ts";
import type { ApplyPorts } from "./ports.ts";
import { confirmationReason, heldLiveReason, namespaceInUse, planPrune } from "./prune.ts";
import { stageOf } from "./stages.ts";

/** What deletions of a pass or a removal share. */
export interface Deleting {
  readonly ports: ApplyPorts;
  readonly signal: AbortSignal;
  readonly account: ServiceAccount;
  readonly target: Pass["input"]["target"];
  readonly propagation: Pass["input"]["policy"]["propagation"];
  readonly outcomes: Outcomes;
  /** Never deleted: they were applied in this pass, perhaps under another group. */
  readonly uids: ReadonlySet<string>;
  /** Why a live object is to be left as it is for now. */
  pause(live: KubeObject): string | undefined;
  /** Why a live object is to be let go instead of deleted. */
  letGo(live: KubeObject): string | undefined;
  /** Why a live object's deletion waits for a person. */
  hold(live: KubeObject, address: ObjectAddress): string | undefined;
  /** What becomes of a namespace that others still need. */
  readonly usedNamespaces: "held" | "released";
  /** Why a namespace is still needed. */
  inUse(namespace: ObjectAddress): Promise<string | undefined>;
  /** Whether a deletion counts against the limits of the next 24 hours. */
  counts(key: string): boolean;
  /** Keys that are the target's no longer. */
  readonly dropped: Set<string>;
  /** Deletions that the server accepted, of those that count. */
  accepted: number;
}

/** Deletes what the bundle no longer names, as far as the guards allow. Returns what became of the inventory. */
export async function pruneTarget(pass: Pass): Promise<{ readonly dropped: Set<string>; readonly accepted: number }> {
  const { input, survey, before, outcomes, ports } = pass;
  const { policy } = input;
  const plan = planPrune({
    inventory: before,
    generation: input.generation,
    digest: input.digest,
    desired: survey.desired,
    prune: policy.prune && policy.mode !== "Observe",
    confirm: policy.confirmPrune ?? false,
    allowEmpty: policy.allowEmpty,
    limits: policy.limits,
    approved: policy.approved,
    failures: outcomes.count("failed") + pass.waiting.size,
    now: ports.clock.now(),
  });
  await tellPrunable(pass, plan.prunable);
  for (const { address, reason } of plan.held) outcomes.add(address, "held", { reason });
  const deleting: Deleting = {
    ports,
    signal: pass.signal,
    account: policy.account,
    target: input.target,
    propagation: policy.propagation,
    outcomes,
    uids: pass.uids,
    pause: optsOutOfApply,
    letGo: optsOutOfPrune,
    usedNamespaces: "held",
    hold: (live, address) => {
      if (policy.approved.has(objectKey(address))) return undefined;
      return policy.limits.off === true ? confirmationReason(live) : heldLiveReason(live);
    },
    counts: (key) => !plan.free.has(key),
    inUse: (namespace) => usersOf(pass, namespace),
    dropped: new Set(),
    accepted: 0,
  };
  await deleteInOrder(deleting, plan.remove);
  return deleting;
}

/** What would go if pruning were on; not those that say of themselves that they are no difference. */
async function tellPrunable(
  { ports, input, outcomes, signal }: Pass,
  prunable: readonly ObjectAddress[],
): Promise<void> {
  await pooled(prunable, ports.concurrency, async (address) => {
    // One that cannot be looked at is told like the others.
    const live = await ports.cluster.readMeta(input.policy.account, address, signal).catch(() => undefined);
    if (live !== undefined && isExtraneous(live))
      outcomes.add(address, "skipped", { reason: "its compare-options say IgnoreExtraneous" });
    else outcomes.add(address, "prunable", { reason: "pruning is off" });
  });
}

/** Which of the checked objects are wanted no longer and gone by now; nothing is deleted. */
export async function confirmGone(pass: Pass): Promise<ReadonlySet<string>> {
  const { input, survey, before, ports, outcomes, signal } = pass;
  const dropped = new Set<string>();
  for (const key of input.only ?? []) {
    const entry = before.entries.get(key);
    if (entry === undefined || survey.desired.has(key)) continue;
    const served = await ports.cluster.servedAny(entry, signal);
    const address = { ...entry, version: served?.version ?? entry.version };
    const { account } = input.policy;
    const live = served === undefined ? undefined : await ports.cluster.readMeta(account, address, signal);
    if (live === undefined) {
      dropped.add(key);
      ports.memory.forget(key);
      outcomes.add(entry, "pruned", { reason: "it is gone" });
    } else if (live.metadata.deletionTimestamp !== undefined) outcomes.add(entry, "deleting", finalizersOf(live));
  }
  return dropped;
}

/** Deletes in the given order, definitions and namespaces only when all else is through. */
export async function deleteInOrder(deleting: Deleting, addresses: readonly ObjectAddress[]): Promise<void> {
  const last = addresses.filter((address) => stageOf(address) === "definitions");
  const first = addresses.filter((address) => stageOf(address) !== "definitions");
  for (const part of [first, last]) {
    await pooled(part, deleting.ports.concurrency, (address) => deleteAlone(deleting, address));
  }
}

async function deleteAlone(deleting: Deleting, address: ObjectAddress): Promise<void> {
  try {
    await deleteOne(deleting, address);
  } catch (thrown) {
    const fault = Fault.from(thrown);
    if (deleting.signal.aborted || fault.code === "internal") throw fault;
    deleting.outcomes.fail(address, fault);
  }
}

async function deleteOne(deleting: Deleting, entry: ObjectAddress): Promise<void> {
  const { outcomes, target, signal, account, ports } = deleting;
  const served = await ports.cluster.servedAny(entry, signal);
  const address = { ...entry, version: served?.version ?? entry.version };
  const live = served === undefined ? undefined : await look(deleting, address);
  const uid = live?.metadata.uid;
  if (live === undefined || uid === undefined) return end(deleting, entry, "pruned", "it is gone");
  if (!isOwnedBy(live, target)) {
    const owner = ownerOf(live);
    return end(deleting, entry, "released", `its marks name ${owner ?? "no target"}: it is not ours to delete`);
  }
  if (deleting.uids.has(uid))
    return end(deleting, entry, "released", "the same object was applied by another name of its group");
  const paused = deleting.pause(live);
  if (paused !== undefined) return outcomes.add(entry, "skipped", { reason: paused });
  if (live.metadata.deletionTimestamp !== undefined) return outcomes.add(entry, "deleting", finalizersOf(live));
  const used = isNamespace(entry) ? await deleting.inUse(entry) : undefined;
  const kept = deleting.letGo(live) ?? (deleting.usedNamespaces === "released" ? used : undefined);
  if (kept !== undefined) {
    await ports.cluster.release(account, address, uid, signal);
    return end(deleting, entry, "released", kept);
  }
  const held = deleting.hold(live, entry) ?? used;
  if (held !== undefined) return outcomes.add(entry, "held", { reason: held });
  const outcome = await ports.cluster.remove(account, address, { uid, propagation: deleting.propagation }, signal);
  if (outcome === "replaced") {
    return outcomes.add(entry, "deleting", { reason: "another object has its name by now: it is looked at again" });
  }
  if (deleting.counts(objectKey(entry))) deleting.accepted++;
  if (outcome === "gone") return end(deleting, entry, "pruned");
  outcomes.add(entry, "deleting", finalizersOf(live));
}

/** A Service is read whole, as its type decides; for the others metadata is enough. */
function look(deleting: Deleting, address: ObjectAddress): Promise<KubeObject | undefined> {
  const { cluster } = deleting.ports;
  const whole = address.group === "" && address.kind === "Service";
  return whole
    ? cluster.read(deleting.account, address, deleting.signal)
    : cluster.readMeta(deleting.account, address, deleting.signal);
}

function end(deleting: Deleting, entry: ObjectAddress, action: "pruned" | "released", reason?: string): void {
  deleting.dropped.add(objectKey(entry));
  deleting.ports.memory.forget(objectKey(entry));
  deleting.outcomes.add(entry, action, reason === undefined ? {} : { reason });
}

function finalizersOf(live: KubeObject): { readonly reason: string } {
  const finalizers = live.metadata.finalizers ?? [];
  return { reason: finalizers.length === 0 ? "it is being deleted" : `held by finalizers ${finalizers.join(", ")}` };
}

function isNamespace(address: ObjectAddress): boolean {
  return address.group === "" && address.kind === "Namespace";
}

async function usersOf(pass: Pass, namespace: ObjectAddress): Promise<string | undefined> {
  const { input, survey, ports } = pass;
  const others = (await ports.inventory.holders(namespace.name, pass.signal)).filter((one) => one !== input.target);
  const own = survey.objects.some((object) => object.address.namespace === namespace.name) ? [input.target] : [];
  const users = [...others, ...own];
  return users.length === 0 ? undefined : namespaceInUse(namespace, users);
}
