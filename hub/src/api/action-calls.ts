import { create } from "@bufbuild/protobuf";
import { Fault, type FaultCode, isFaultCode } from "@capstan/proto";
import type { TargetReport } from "@capstan/proto/agent";
import type { ApplicationService } from "@capstan/proto/application";
import { ActionSchema, OperationSchema } from "@capstan/proto/desired";
import { ambiguous, targetsMeant } from "./names.ts";
import type { PeopleCalls } from "./people-calls.ts";
import type { World } from "./port.ts";
import type { Row } from "./rows.ts";
import type { Implementation } from "./service.ts";
import { placeText } from "./target-views.ts";
import { within } from "./within.ts";

/** How long an agent's answer is waited for, in milliseconds. */
const answerTime = 15_000;

/** The call that does something to one object of a target. */
export function actionCalls({
  calls,
  world,
  sight,
}: PeopleCalls): Pick<Implementation<typeof ApplicationService>, "actOnTarget"> {
  return {
    async actOnTarget({ name, cluster, action, change }, context) {
      if (action === undefined || action.verb === "") {
        throw new Fault("bad-input", { message: "expected an action, found none." });
      }
      const rows = targetsMeant(name, cluster, sight.now()).filter((row) => row.cluster !== "");
      const [row] = rows;
      if (row === undefined || rows.length > 1) throw ambiguous(name, "targets", rows.map(placeText));
      const object = action.object === "" ? "" : ` ${action.object}`;
      const mutation = { action: "target.act", resource: `target/${row.key}`, change };
      return calls.change(context, mutation, async ({ name: actor }, signal) => {
        expectActable(row, world);
        const target = placeText(row);
        if (change?.dryRun === true) return { target, message: `would ${action.verb}${object}` };
        const id = world.newId();
        const operation = create(OperationSchema, { id, actor, action: create(ActionSchema, action) });
        world.desired.assign(row.cluster, row.key, { kind: "adjust", operation });
        const report = await answered({ world, row, id }, signal);
        if (report?.operationProblem !== undefined) throw refused(report.operationProblem, target);
        return { target, done: report !== undefined, message: report?.operationDone ?? "" };
      });
    },
  };
}

/** An action rides on the desired state that stands; a state under way would be lost by it. */
function expectActable(row: Row, world: World): void {
  const known = world.agents.speaks(row.cluster, "actions");
  if (known === undefined) {
    throw new Fault("cluster-unreachable", {
      message: `cluster ${row.cluster} has no session now, and an action is for now.`,
      where: { cluster: row.cluster },
      next: "Try again when it is back.",
    });
  }
  if (!known) {
    throw new Fault("unsupported", {
      message: `the agent of ${row.cluster} is older than actions.`,
      where: { cluster: row.cluster },
      next: "Upgrade the agent.",
    });
  }
  if (row.desired === undefined || world.desired.waiting(row.cluster, row.key) !== undefined) {
    throw new Fault("not-now", {
      message: `${placeText(row)} holds no desired state that stands still.`,
      next: "See what it waits for: capstan why; then try again.",
    });
  }
}

interface Awaited {
  readonly world: World;
  readonly row: Row;
  readonly id: string;
}

/** The report that tells of the operation; undefined where none came in time. */
function answered({ world, row, id }: Awaited, signal: AbortSignal): Promise<TargetReport | undefined> {
  return within(world.clock, { ms: answerTime, signal }, async (stop) => {
    for (;;) {
      const report = world.status.of(row.cluster).targets.get(row.key)?.report;
      if (report?.operation === id) return report;
      if (stop.aborted) return undefined;
      await world.changes.changed(stop);
    }
  });
}

function refused({ code, message, next }: { code: string; message: string; next: string }, target: string): Fault {
  const known: FaultCode = isFaultCode(code) ? code : "cluster-refused";
  return new Fault(known, { message: `${target}: ${message}`, ...(next === "" ? {} : { next }) });
}
