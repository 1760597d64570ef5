import { Fault } from "@capstan/proto";
import type { Tombstone } from "@capstan/proto/desired";

/** Why a tombstone is not carried out: the target was applied at a later generation than the one that it ends. */
export function olderTombstone({ generation }: Tombstone, applied: number): Fault {
  return new Fault("older-revision", {
    message: `a tombstone of generation ${generation} is older than generation ${applied}, which is applied; it is kept.`,
    next: "Name the target again, or remove it at the hub.",
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
