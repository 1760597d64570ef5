import { isSecretKind, type KubeObject, kindOf } from "../inventory/object.ts";
import { pathText, pointerText, type RawDifference, type Step } from "./compare.ts";
import type { Difference } from "./model.ts";
import { fieldOwner } from "./owners.ts";

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";
const mask = "***";
const longest = 160;

/** Differences as people read them: paths, short values, and who changed each field when. Secret values are masked. */
export function describeDifferences(
  live: KubeObject,
  differences: readonly RawDifference[],
  self: string,
): readonly Difference[] {
  const secret = isSecretKind(kindOf(live));
  return differences.map((difference) => {
    const owner = fieldOwner(live, difference.path, self);
    const hidden = isHidden(difference.path, secret);
    return {
      path: pathText(difference.path),
      pointer: pointerText(difference.path),
      ...(difference.live === undefined ? {} : { live: hidden ? mask : short(difference.live) }),
      ...(difference.wanted === undefined ? {} : { wanted: hidden ? mask : short(difference.wanted) }),
      ...(owner === undefined ? {} : { manager: owner.manager }),
      ...(owner?.time === undefined ? {} : { time: owner.time }),
    };
  });
}

/** Data of Secrets, and the annotation in which kubectl keeps a copy of the whole object. */
function isHidden(path: readonly Step[], secret: boolean): boolean {
  if (path.includes(lastApplied)) return true;
  const first = path[0];
  return secret && first !== "metadata" && first !== "type" && first !== "immutable";
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}

/** The first paths of some differences, for one line: `spec.replicas (kubectl-edit), data.x and 3 more`. */
export function differencesLine(differences: readonly Difference[], most = 3): string {
  const shown = differences
    .slice(0, most)
    .map((one) => (one.manager === undefined ? one.path : `${one.path} (${one.manager})`));
  const rest = differences.length - shown.length;
  return rest > 0 ? `${shown.join(", ")} and ${rest} more` : shown.join(", ");
}
