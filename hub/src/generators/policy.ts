import type { ApplicationSet } from "../documents/model.ts";

/** What may happen to the targets of a set that exist already. */
export interface AllowedChanges {
  readonly update: boolean;
  readonly remove: boolean;
  /** Argo CD's word for it. */
  readonly policy: "sync" | "create-only" | "create-update" | "create-delete";
}

/** `syncPolicy.applicationsSync` of a set; what is unknown counts as `create-only`, the most careful. */
export function allowedChanges(set: ApplicationSet): AllowedChanges {
  switch (set.spec.syncPolicy?.applicationsSync) {
    case undefined:
    case "":
    case "sync":
      return { update: true, remove: true, policy: "sync" };
    case "create-update":
      return { update: true, remove: false, policy: "create-update" };
    case "create-delete":
      return { update: false, remove: true, policy: "create-delete" };
    default:
      return { update: false, remove: false, policy: "create-only" };
  }
}
