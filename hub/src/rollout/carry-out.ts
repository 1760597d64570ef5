import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Fault, type TargetKey } from "@capstan/proto";
import { DesiredTargetSchema, OperationSchema, Removal, WindowOverrideSchema } from "@capstan/proto/desired";
import type { Change as DesiredChange, TargetContent } from "../targets/content.ts";
import { asCalledNow, contentIn, type KeptRun, type Lane } from "./lane-run.ts";
import type { Dispatch, Move, Plan } from "./model.ts";
import type { Assignments, RemovalGuard } from "./port.ts";

/** A dispatch of a lane's run. */
export interface Order {
  readonly lane: Lane;
  readonly kept: KeptRun;
  readonly dispatch: Dispatch;
}

/** What makes it true. */
export interface OrderWorld {
  readonly assignments: Assignments;
  readonly guard: RemovalGuard;
  onFault(lane: string, fault: Fault): void;
}

/** Makes a dispatch true. What the guard remembers of removals is written first: it must not forget what went. */
export async function carryOut(order: Order, world: OrderWorld, signal: AbortSignal): Promise<void> {
  const { lane, dispatch } = order;
  const mine = dispatch.moves.filter(({ target }) => isOf(lane, target, world.assignments));
  const removals = mine
    .filter(({ to }) => to === null)
    .map(({ target, successor }) => ({ target, cluster: dispatch.cluster, moves: successor !== undefined }));
  if (removals.length > 0) await world.guard.done(lane.key, removals, signal);
  for (const move of mine) {
    const change = changeOf(order, move, world);
    if (change !== undefined) world.assignments.assign(dispatch.cluster, move.target, change);
  }
}

/** False for a target that another lane took over since the plan was made. */
function isOf(lane: Lane, target: TargetKey, assignments: Assignments): boolean {
  const now = assignments.laneOf(target);
  return now === undefined || now === lane.key;
}

function changeOf({ lane, kept, dispatch }: Order, move: Move, world: OrderWorld): DesiredChange | undefined {
  if (move.to === null) {
    const before = world.assignments.content(dispatch.cluster, move.target);
    const keep = before?.target.policy?.keepObjectsOnRemoval ?? true;
    const removal = keep ? Removal.KEEP : Removal.PRUNE;
    const { reason, plannedAt } = kept.state.plan;
    const place = { target: move.target, cluster: dispatch.cluster };
    return { kind: "remove", removal, reason, approvedBy: world.guard.approver(lane.key, place, plannedAt) };
  }
  const content = kept.contents.get(move.to) ?? contentIn(lane, move.to);
  if (content === undefined) {
    world.onFault(
      lane.key,
      new Fault("internal", { message: `${kept.state.plan.run} names content ${move.to}, which its record lacks.` }),
    );
    return undefined;
  }
  const named = asCalledNow(lane, { cluster: dispatch.cluster, target: move.target, content });
  const present = passing(named, kept.state.plan);
  if (!dispatch.again) return { kind: "hold", content: present };
  // The same content once more: a new generation comes from an operation that was not asked for before.
  const { actor } = kept.state.plan;
  return {
    kind: "hold",
    content: present,
    operation: create(OperationSchema, { id: dispatch.id, actor, sync: true }),
  };
}

/** How long the agent may pass windows for what goes out in a hurry, milliseconds. */
const passMs = 3_600_000;

/** A rollback and an emergency run pass windows by a signed word, so that the agent lets them through as well. */
function passing(content: TargetContent, { origin, emergency, actor, reason, plannedAt }: Plan): TargetContent {
  if ((origin.kind !== "rollback" && emergency === undefined) || content.target.windows.length === 0) return content;
  const until = timestampFromMs(plannedAt + passMs);
  const told = reason === "" ? origin.kind : reason;
  const windowOverride = create(WindowOverrideSchema, { actor, reason: told, until });
  return { ...content, target: create(DesiredTargetSchema, { ...content.target, windowOverride }) };
}
