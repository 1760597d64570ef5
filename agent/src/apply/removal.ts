import { objectKey } from "@capstan/proto";
import { textHash } from "../drift/hash.ts";
import { settle } from "../inventory/diff.ts";
import { addressOf, type KubeObject, type ObjectAddress } from "../inventory/object.ts";
import { Book } from "./book.ts";
import { HookRunner } from "./hook-runner.ts";
import { type HookPhase, hookOf, type PreparedHook } from "./hooks.ts";
import { defaultHookRetry, type RemovalInput, type RemovalResult } from "./model.ts";
import { optsOutOfRemoval } from "./options.ts";
import { Outcomes } from "./outcomes.ts";
import type { ApplyPorts } from "./ports.ts";
import { heldKindReason, heldLiveReason } from "./prune.ts";
import { type Deleting, deleteInOrder } from "./prune-objects.ts";
import { compareOrder } from "./stages.ts";
import { wavesOf } from "./steps.ts";
import { preparedHooks } from "./survey.ts";

/**
 * One step towards the end of a target on this cluster; called again until `done`. Its PreDelete hooks come first, and one
 * that fails keeps everything; PostDelete hooks run when all else is gone. Throws as `applyTarget` does.
 */
export async function removeTarget(
  ports: ApplyPorts,
  input: RemovalInput,
  signal: AbortSignal,
): Promise<RemovalResult> {
  const outcomes = new Outcomes();
  const before = await ports.inventory.read(input.target, signal);
  const book = new Book(ports.inventory, before, signal);
  const { target, account, propagation } = input;
  const common = { ports, book, outcomes, signal, target, account, propagation, retry: leavingRetry };
  const leaving: Leaving = { input, book, outcomes, hooks: new HookRunner({ ...common, strict: false }) };
  await leaving.hooks.tend();
  let waits = await runLeaving(leaving, "PreDelete");
  if (waits === undefined && (await deleteObjects(ports, leaving, signal))) {
    waits = await runLeaving(leaving, "PostDelete");
    if (waits === undefined) return ended(ports, leaving, signal);
  }
  return resultOf(leaving, false, waits);
}

/** A removal has no limit of tries: nobody but a person ends it. */
const leavingRetry = { ...defaultHookRetry, limit: -1 };

interface Leaving {
  readonly input: RemovalInput;
  readonly book: Book;
  readonly outcomes: Outcomes;
  readonly hooks: HookRunner;
}

/** Undefined: the hooks of this phase are through; else for what the removal waits. */
async function runLeaving({ input, book, hooks }: Leaving, phase: HookPhase): Promise<string | undefined> {
  if (input.objects === "keep") return undefined;
  const run = `end:${book.before.generation}`;
  for (const wave of wavesOf(book.inventory.farewell.flatMap(farewellHooks), phase)) {
    await hooks.begin(run, wave);
    const standing = hooks.standing(run, wave);
    if (standing.kind !== "through") return standing.kind === "waits" ? standing.reason : `a ${phase} hook failed`;
  }
  return undefined;
}

function farewellHooks(object: KubeObject): readonly PreparedHook[] {
  const hook = hookOf(object);
  const address = addressOf(object);
  const prepared = { key: objectKey(address), address, object, hash: textHash(JSON.stringify(object)) };
  return hook === undefined ? [] : preparedHooks(hook, prepared);
}

/** True: nothing of the target is left but what its hooks made. */
async function deleteObjects(ports: ApplyPorts, leaving: Leaving, signal: AbortSignal): Promise<boolean> {
  const { input, book, outcomes } = leaving;
  const deleting = deletingOf(ports, input, outcomes, signal);
  const allowed: ObjectAddress[] = [];
  for (const address of [...book.inventory.entries.values()].sort((a, b) => compareOrder(b, a))) {
    const reason = heldKind(input, address);
    if (reason === undefined) allowed.push(address);
    else outcomes.add(address, "held", { reason });
  }
  await deleteInOrder(deleting, allowed);
  const { inventory } = book;
  const { generation, digest, applied } = inventory;
  const settled = settle(inventory, {
    dropped: deleting.dropped,
    desired: undefined,
    deleted: deleting.accepted,
    now: ports.clock.now(),
    generation,
    digest,
    applied,
  });
  // The last entry goes with the inventory itself, unless hooks still need it.
  const last = settled.entries.size === 0;
  if (!last || settled.farewell.length > 0) await book.write(settled, "soon");
  return last;
}

async function ended(ports: ApplyPorts, leaving: Leaving, signal: AbortSignal): Promise<RemovalResult> {
  const { input, hooks } = leaving;
  const clean = input.objects === "keep" ? await hooks.abandon() : await hooks.removeAll();
  if (!clean) return resultOf(leaving, false, "objects that its hooks made are still going");
  await ports.inventory.forget(input.target, signal);
  return resultOf(leaving, true, undefined);
}

function resultOf({ input, outcomes, hooks }: Leaving, done: boolean, waits: string | undefined): RemovalResult {
  const { counts, list, errors } = outcomes;
  const more = {
    ...(waits === undefined ? {} : { waits }),
    ...(hooks.events.length === 0 ? {} : { hooks: hooks.events }),
  };
  return { target: input.target, done, counts, outcomes: list, errors, ...more };
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
  if (limits.all === true) return "its application asks for a confirmation (Delete=confirm)";
  return heldKindReason(address, limits.kinds);
}

function heldLive(input: RemovalInput, live: KubeObject, address: ObjectAddress): string | undefined {
  if (input.limits === undefined || input.limits.approved.has(objectKey(address))) return undefined;
  return heldLiveReason(live);
}
