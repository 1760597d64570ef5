import { Fault, objectText } from "@capstan/proto";
import type { KindRule, ProjectLimits } from "@capstan/proto/desired";
import { addressOf, type KindRef, type KubeObject, kindOf } from "../inventory/object.ts";

/** An object with what is known of its kind. */
export interface PlacedObject {
  readonly object: KubeObject;
  readonly namespaced: boolean;
  /** Where namespaced objects without a namespace go. */
  readonly destination: string;
}

/** Why the project does not permit the object, or undefined. */
export function notPermitted(limits: ProjectLimits, placed: PlacedObject): Fault | undefined {
  const kind = kindOf(placed.object);
  const name = placed.object.metadata.name;
  const matches = (rule: KindRule) => ruleMatches(rule, kind, name);
  if (!placed.namespaced) {
    if (limits.clusterDeny.some(matches)) return refusal(placed.object, "its project denies this cluster-scoped kind");
    if (limits.clusterAllow.some(matches)) return undefined;
    return refusal(placed.object, "its project does not permit this cluster-scoped kind");
  }
  const namespace = placed.object.metadata.namespace ?? placed.destination;
  if (!namespacePermitted(limits.namespaces, namespace)) {
    return refusal(placed.object, `its project does not permit namespace ${namespace}`);
  }
  if (limits.namespaceDeny.some(matches)) return refusal(placed.object, "its project denies this kind");
  if (limits.namespaceAllowSet && !limits.namespaceAllow.some(matches)) {
    return refusal(placed.object, "its project does not permit this kind");
  }
  return undefined;
}

/** One of the globs must match, and none that begins with `!`. */
export function namespacePermitted(globs: readonly string[], namespace: string): boolean {
  const denied = globs.some((glob) => glob.startsWith("!") && globMatches(glob.slice(1), namespace));
  return !denied && globs.some((glob) => !glob.startsWith("!") && globMatches(glob, namespace));
}

/** `*` stands for any characters, `?` for one. */
export function globMatches(glob: string, text: string): boolean {
  const pattern = glob
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${pattern}$`, "s").test(text);
}

/** Kinds that the bundle itself defines, as `group/Kind`, with whether they have namespaces. */
export function definedKind(object: KubeObject): readonly [string, boolean] | undefined {
  if (object.kind !== "CustomResourceDefinition") return undefined;
  const spec = object["spec"] as { group?: unknown; scope?: unknown; names?: { kind?: unknown } } | undefined;
  return [`${String(spec?.group)}/${String(spec?.names?.kind)}`, spec?.scope === "Namespaced"];
}

function ruleMatches(rule: KindRule, kind: KindRef, name: string): boolean {
  return (
    globMatches(rule.group, kind.group) &&
    globMatches(rule.kind, kind.kind) &&
    (rule.name === "" || globMatches(rule.name, name))
  );
}

function refusal(object: KubeObject, why: string): Fault {
  return new Fault("not-allowed", {
    message: `${objectText(addressOf(object))} is refused: ${why}. Nothing of the target was applied.`,
    next: "Change the application, or what its AppProject permits.",
  });
}
