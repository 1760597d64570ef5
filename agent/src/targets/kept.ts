import { Fault, objectText } from "@capstan/proto";
import type { Tombstone } from "@capstan/proto/desired";
import type { RemovalResult } from "../apply/model.ts";

/** Why a tombstone is not carried out: the target was applied at a later generation than the one that it ends. */
export function olderTombstone({ generation }: Tombstone, applied: number): Fault {
  return new Fault("older-revision", {
    message: `a tombstone of generation ${generation} is older than generation ${applied}, which is applied; it is kept.`,
    next: "Name the target again, or remove it at the hub.",
  });
}

/** Why a target that leaves is not gone: objects that its tombstone has no leave to delete; undefined: none is held. */
export function heldInRemoval({ outcomes }: Pick<RemovalResult, "outcomes">): Fault | undefined {
  const held = outcomes.filter(({ action }) => action === "held");
  const [first] = held;
  if (first === undefined) return undefined;
  return new Fault("held", {
    message: `${held.length} objects stay, ${objectText(first.ref)} first: ${first.reason ?? "they are held"}; nobody approved this removal.`,
    where: { object: objectText(first.ref) },
    next: "Delete them by hand if that is meant; the target is gone when they are.",
  });
}

/** Why a target that nothing names stays as it is: absence never deletes. */
export function notNamed(): Fault {
  return new Fault("held", {
    message: "the desired state does not name this target, and no tombstone lets it go; it is kept as it is.",
    next: "Name it again, or remove it by name at the hub.",
  });
}

/** Why a target past its health deadline is not rolled back by itself. */
export function hooksHaveRun(): Fault {
  return new Fault("held", {
    message: "it is past its health deadline, but has hooks: it is not rolled back by itself.",
  });
}
