import { Fault, objectText, type TargetKey } from "@capstan/proto";
import { compareObjects, type RawDifference } from "../drift/compare.ts";
import { describeDifferences, differencesLine } from "../drift/describe.ts";
import { type IgnoreRule, partIgnored } from "../drift/ignore.ts";
import type { PathFinder } from "../drift/jq.ts";
import type { Difference } from "../drift/model.ts";
import type { KubeObject } from "../inventory/object.ts";
import { claimsText } from "./claims.ts";
import { fieldManager, type Mode, ownerAnnotation, type PreparedObject, targetLabel } from "./model.ts";
import { appliesOnce, optsOutOfApply } from "./options.ts";
import { isOwnedBy, makersOf, ownerOf, wasAppliedByUs } from "./ownership.ts";

/** All that decides about one object. */
export interface Observation {
  readonly target: TargetKey;
  readonly prepared: PreparedObject;
  readonly live: KubeObject | undefined;
  /** What the server answered to a forced dry-run of the prepared manifest; undefined where nothing could be asked yet. */
  readonly would: KubeObject | undefined;
  readonly mode: Mode;
  /** The rules about this object. */
  readonly ignore: readonly IgnoreRule[];
  /** jq, where a rule needs it. */
  readonly find?: PathFinder | undefined;
  /** Whether the target owned it before this pass. */
  readonly known: boolean;
  /** The targets of this agent that own anything. */
  readonly owners: ReadonlySet<TargetKey>;
}

/** What is to be done with one object. `write` with a resourceVersion holds only while the live object is the same. */
export type Decision =
  | { readonly kind: "create" }
  | { readonly kind: "unchanged" }
  | { readonly kind: "skip"; readonly reason: string }
  /** It has to go first; nothing can be written before. */
  | { readonly kind: "wait"; readonly reason: string }
  | { readonly kind: "refuse"; readonly fault: Fault; readonly differences: readonly Difference[] }
  /** It cannot be changed in place, and may be deleted and made anew. */
  | { readonly kind: "recreate"; readonly reason: string }
  | { readonly kind: "different"; readonly reason: string; readonly differences: readonly Difference[] }
  | {
      readonly kind: "write";
      readonly adopts: boolean;
      readonly differences: readonly Difference[];
      /** Differences that a rule ignores: these fields are not to be written. */
      readonly ignored: readonly RawDifference[];
      readonly resourceVersion?: string;
    };

/** Decides about one object; writes nothing. */
export function decide(seen: Observation): Decision {
  const { live, would, prepared } = seen;
  const optOut = optsOutOfApply(prepared.object) ?? (live === undefined ? undefined : optsOutOfApply(live));
  if (optOut !== undefined) return { kind: "skip", reason: optOut };
  if (live === undefined || would === undefined) return decideAbsent(seen);
  const other = otherOwner(seen, live);
  if (other !== undefined) return { kind: "refuse", fault: ownedFault(seen, other), differences: [] };
  if (live.metadata.deletionTimestamp !== undefined) return { kind: "wait", reason: deletingText(live) };
  const ours = isOwnedBy(live, seen.target) || (seen.known && wasAppliedByUs(live));
  if (appliesOnce(prepared.object)) {
    return ours
      ? { kind: "unchanged" }
      : { kind: "skip", reason: "it is there already, and is only made where it is absent" };
  }
  const found = compareObjects(live, would);
  // Our marks are never ignored, whatever a rule says of labels and annotations.
  const { kept, ignored } = partIgnored(
    found.filter((difference) => !isMark(difference)),
    { live, would, rules: seen.ignore, find: seen.find },
  );
  const raw = [...found.filter(isMark), ...kept];
  return ours ? decideOurs(seen, live, { raw, ignored }) : decideForeign(seen, live, { raw, ignored });
}

function decideAbsent(seen: Observation): Decision {
  if (seen.mode === "Observe") return { kind: "different", reason: "it would be created", differences: [] };
  return { kind: "create" };
}

interface Found {
  readonly raw: readonly RawDifference[];
  readonly ignored: readonly RawDifference[];
}

function decideOurs(seen: Observation, live: KubeObject, { raw, ignored }: Found): Decision {
  if (raw.length === 0) return { kind: "unchanged" };
  const differences = describeDifferences(live, raw, fieldManager);
  if (seen.mode === "Observe") return { kind: "different", reason: differencesLine(differences), differences };
  return { kind: "write", adopts: false, differences, ignored };
}

function decideForeign(seen: Observation, live: KubeObject, { raw, ignored }: Found): Decision {
  const values = raw.filter((difference) => !isMark(difference));
  const differences = describeDifferences(live, values, fieldManager);
  const { resourceVersion } = live.metadata;
  if (seen.mode === "Observe") {
    const claims = claimsText(live);
    const from = claims === "" ? "" : ` from ${claims}`;
    const reason = values.length === 0 ? `it would be adopted as it is${from}` : differencesLine(differences);
    return values.length === 0 ? { kind: "skip", reason } : { kind: "different", reason, differences };
  }
  if (seen.mode === "AdoptIfNoDiff" && values.length > 0) {
    return { kind: "refuse", fault: foreignFault(seen, live, differences), differences };
  }
  return {
    kind: "write",
    adopts: true,
    differences,
    ignored,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

/** Our own marks are no difference: every adoption adds them. */
function isMark(difference: RawDifference): boolean {
  const [first, second, third] = difference.path;
  if (first !== "metadata") return false;
  return (second === "labels" && third === targetLabel) || (second === "annotations" && third === ownerAnnotation);
}

/** Another target that still owns things here; one that is gone from the agent's books does not count. */
function otherOwner(seen: Observation, live: KubeObject): TargetKey | undefined {
  const owner = ownerOf(live);
  return owner !== undefined && owner !== seen.target && seen.owners.has(owner) ? owner : undefined;
}

function ownedFault(seen: Observation, owner: TargetKey): Fault {
  const object = objectText(seen.prepared.address);
  return new Fault("object-owned", {
    message: `${object} belongs to target ${owner}; target ${seen.target} asks for it too.`,
    where: { object, target: seen.target },
    next: "Leave it in one of the two targets.",
  });
}

function foreignFault(seen: Observation, live: KubeObject, differences: readonly Difference[]): Fault {
  const object = objectText(seen.prepared.address);
  const line = differencesLine(differences);
  const claims = claimsText(live);
  const claimed = claims === "" ? "" : `, managed by ${claims}`;
  return new Fault("object-owned", {
    message: `${object} exists already, made by ${makersOf(live)}${claimed}, and adopting it would change ${line}.`,
    where: { object, target: seen.target },
    next: "Make the manifest equal to the live object, or set capstan.dev/mode: Enforce to take it over.",
  });
}

function deletingText(live: KubeObject): string {
  const finalizers = live.metadata.finalizers ?? [];
  const held = finalizers.length === 0 ? "" : `, held by finalizers ${finalizers.join(", ")}`;
  return `it is being deleted since ${live.metadata.deletionTimestamp}${held}; it is made again when it is gone`;
}
