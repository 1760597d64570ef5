import { objectKey } from "@capstan/proto";
import { settle } from "../inventory/diff.ts";
import type { Inventory } from "../inventory/model.ts";
import type { KubeObject, ObjectAddress } from "../inventory/object.ts";
import type { RemovalInput, RemovalResult } from "./model.ts";
import { optsOutOfRemoval } from "./options.ts";
import { Outcomes } from "./outcomes.ts";
import type { ApplyPorts } from "./pass.ts";
import { heldKindReason, heldLiveReason } from "./prune.ts";
import { type Deleting, deleteInOrder } from "./prune-objects.ts";
import { compareOrder } from "./stages.ts";

/** One step towards the end of a target on this cluster; called again until `done`. Throws as `applyTarget` does. */
export async function removeTarget(
  ports: ApplyPorts,
  input: RemovalInput,
  signal: AbortSignal,
): Promise<RemovalResult> {
  const outcomes = new Outcomes();
  const before = await ports.inventory.read(input.target, signal);
  const deleting = deletingOf(ports, input, outcomes, signal);
  const allowed: ObjectAddress[] = [];
  for (const address of [...before.entries.values()].sort((a, b) => compareOrder(b, a))) {
    const reason = heldKind(input, address);
    if (reason === undefined) allowed.push(address);
    else outcomes.add(address, "held", { reason });
  }
  await deleteInOrder(deleting, allowed);
  const done = await write(ports, before, deleting, signal);
  const { counts, list, errors } = outcomes;
  return { target: input.target, done, counts, outcomes: list, errors };
}

function deletingOf(ports: ApplyPorts, input: RemovalInput, outcomes: Outcomes, signal: AbortSignal): Deleting {
  return {
    ports,
    signal,
    account: input.account,
    target: input.target,
    propagation: input.propagation,
    outcomes,
    uids: new Set(),
    pause: () => undefined,
    usedNamespaces: "released",
    letGo: (live) => (input.objects === "keep" ? "its target left, and its objects stay" : optsOutOfRemoval(live)),
    hold: (live, address) => heldLive(input, live, address),
    inUse: async (namespace) => {
      const holders = await ports.inventory.holders(namespace.name, signal);
      const others = holders.filter((holder) => holder !== input.target);
      return others.length === 0 ? undefined : `targets ${others.slice(0, 3).join(", ")} still have objects in it`;
    },
    counts: () => true,
    dropped: new Set(),
    accepted: 0,
  };
}

function heldKind(input: RemovalInput, address: ObjectAddress): string | undefined {
  const { limits, objects } = input;
  if (limits === undefined || objects === "keep" || limits.approved.has(objectKey(address))) return undefined;
  return heldKindReason(address, limits.kinds);
}

function heldLive(input: RemovalInput, live: KubeObject, address: ObjectAddress): string | undefined {
  if (input.limits === undefined || input.limits.approved.has(objectKey(address))) return undefined;
  return heldLiveReason(live);
}

async function write(ports: ApplyPorts, before: Inventory, deleting: Deleting, signal: AbortSignal): Promise<boolean> {
  const after = settle(before, {
    dropped: deleting.dropped,
    desired: undefined,
    deleted: deleting.accepted,
    now: ports.clock.now(),
    generation: before.generation,
    digest: before.digest,
    applied: before.applied,
  });
  if (after.entries.size === 0) {
    await ports.inventory.forget(before.target, signal);
    return true;
  }
  if (after !== before) await ports.inventory.write(after, "soon", signal);
  return false;
}
