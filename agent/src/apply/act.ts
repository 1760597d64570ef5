import { type Clock, Fault, objectText, type TargetKey } from "@capstan/proto";
import { type Action, actionPatch, objectMeant } from "./actions.ts";
import type { ServiceAccount } from "./model.ts";
import type { Cluster, InventoryStore } from "./port.ts";

/** Field manager of what people do past a bundle: those fields are never ours. */
const actionManager = "capstan-action";

/** What an action needs. */
export interface ActPorts {
  readonly cluster: Cluster;
  readonly inventory: Pick<InventoryStore, "read">;
  readonly clock: Clock;
}

/** An action on one of a target's objects. */
export interface ActInput {
  readonly target: TargetKey;
  readonly account: ServiceAccount;
  /** Whether the target puts back what is changed by hand. */
  readonly heals: boolean;
  readonly action: Action;
}

/** Carries an action out, as the target's account, on an object that the target owns. Returns what it did. */
export async function actOn(ports: ActPorts, input: ActInput, signal: AbortSignal): Promise<string> {
  const { action, account, target, heals } = input;
  const { entries, left } = await ports.inventory.read(target, signal);
  const address = objectMeant(
    action,
    [...entries].filter(([key]) => !left.has(key)).map(([, entry]) => entry),
  );
  const live = await ports.cluster.read(account, address, signal);
  const object = objectText(address);
  if (live === undefined) {
    throw new Fault("not-found", { message: `${object} is not there.`, where: { object } });
  }
  const { replicas } = action;
  const patch = actionPatch(action, live, { replicas, now: ports.clock.now(), heals });
  await ports.cluster.patch(account, address, { ...patch, manager: actionManager }, signal);
  return `${action.verb} ${object}${action.verb === "scale" ? ` to ${replicas}` : ""}`;
}
