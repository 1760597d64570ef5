import { type ObjectRef, objectText } from "@capstan/proto";
import { type Health, healthOrder as order } from "@capstan/proto/verdict";
import type { TargetHealth } from "./model.ts";

/** A target's verdict: the worst of its objects', with the first object that has it. No objects: healthy. */
export function aggregateHealth(objects: Iterable<readonly [ObjectRef, Health]>): TargetHealth {
  const counts = { Healthy: 0, Suspended: 0, Progressing: 0, Missing: 0, Degraded: 0, Unknown: 0 };
  let worst: Health = { status: "Healthy", message: "" };
  let cause: ObjectRef | undefined;
  for (const [ref, health] of objects) {
    counts[health.status]++;
    if (order.indexOf(health.status) <= order.indexOf(worst.status)) continue;
    worst = health;
    cause = ref;
  }
  if (cause === undefined) return { status: "Healthy", message: "", cause, counts };
  const message = `${objectText(cause)}: ${worst.message || worst.status}`;
  return { status: worst.status, message, cause, counts };
}

/** Whether two verdicts say the same to a reader. */
export function sameHealth(a: TargetHealth | undefined, b: TargetHealth): boolean {
  return a?.status === b.status && a.message === b.message && order.every((one) => a.counts[one] === b.counts[one]);
}
