import { objectKey } from "@capstan/proto";
import type { DesiredTarget, Mode } from "@capstan/proto/desired";
import type { ApplyInput, ApplyResult, ObjectOutcome } from "../apply/model.ts";
import { objectsOf } from "./bundle.ts";
import { keyOf, policyOf } from "./policy.ts";
import type { Applier, Bundles } from "./port.ts";

/** A bundle to be compared with what is live. */
export interface Compared {
  readonly target: DesiredTarget;
  readonly clusterMode: Mode;
  readonly digest: string;
  readonly gzip: Uint8Array;
}

/**
 * The body of the answer to a `LiveDiffQuestion`, JSON:
 * `{"digest", "objects": [{"object", "action", "reason"?, "problem"?: {"code", "message"}, "differences": [{"path",
 * "live"?, "wanted"?, "manager"?, "time"?}]}], "counts": {…}}`. Objects that would not change are only counted. Nothing is
 * written: the comparison is a server-side dry-run under the target's account. Values of Secrets are masked.
 */
export async function liveDiff(
  ports: { readonly applier: Applier; readonly bundles: Pick<Bundles, "lines"> },
  compared: Compared,
  signal: AbortSignal,
): Promise<string> {
  const { target, clusterMode, digest, gzip } = compared;
  const inventory = await ports.applier.inventory(keyOf(target), signal);
  const input: ApplyInput = {
    target: keyOf(target),
    namespace: target.destinationNamespace,
    generation: Math.max(Number(target.generation), inventory.generation),
    digest,
    policy: { ...policyOf(target, clusterMode), mode: "Observe" },
    objects: objectsOf(ports.bundles, gzip),
  };
  return printDiff(await ports.applier.inspect(input, signal));
}

/** A pass that wrote nothing, as JSON. */
export function printDiff({ digest, counts, outcomes }: ApplyResult): string {
  return JSON.stringify({ digest, objects: outcomes.map(printOutcome), counts });
}

function printOutcome({ ref, action, reason, fault, differences = [] }: ObjectOutcome) {
  return {
    object: objectKey(ref),
    action,
    ...(reason === undefined ? {} : { reason }),
    ...(fault === undefined ? {} : { problem: { code: fault.code, message: fault.message } }),
    differences: differences.map(({ path, live, wanted, manager, time }) => ({ path, live, wanted, manager, time })),
  };
}
