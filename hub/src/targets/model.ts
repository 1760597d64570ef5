/**
 * Targets: one application on one cluster. Here stands what a target is (`model`), where it goes (`destination`), which
 * lane it belongs to (`lanes`), how it is applied (`policy`), and what of it is content, so that a change of it moves
 * it (`content`).
 */
import type { ClusterId, Fault, TargetKey } from "@capstan/proto";
import type { Application } from "../documents/model.ts";

/** One application on one cluster, as the documents ask for it. Identity: (namespace, name), unique in the fleet. */
export interface Target {
  readonly key: TargetKey;
  readonly application: Application;
  readonly cluster: ClusterId;
  /** `namespace/name` of the set that made it; empty for a standalone Application. */
  readonly set: string;
  /** Which element of which generator made it; empty for a standalone Application. */
  readonly madeBy: string;
}

/** A target that cannot be made as asked; its neighbours go on, and where it stands already it stays as it is. */
export interface Refused {
  readonly key: TargetKey;
  readonly set: string;
  readonly fault: Fault;
}

/** An application as it came from a set or a document. */
export interface Candidate {
  readonly application: Application;
  readonly set: string;
  readonly madeBy: string;
}
