import type { KubeObject } from "../inventory/object.ts";

/** Set to `disabled` on a live object, it stops apply and prune of that object until it is removed. */
export const reconcileAnnotation = "capstan.dev/reconcile";
/** Set to `disabled`, it keeps the object when its bundle no longer names it. */
export const pruneAnnotation = "capstan.dev/prune";
const argoOptions = "argocd.argoproj.io/sync-options";

/** Why an object is to be left alone by apply, or undefined. */
export function optsOutOfApply(object: KubeObject): string | undefined {
  return isDisabled(object, reconcileAnnotation) ? `its annotation ${reconcileAnnotation} says disabled` : undefined;
}

/** Why an object is not to be deleted when its bundle drops it, or undefined. */
export function optsOutOfPrune(object: KubeObject): string | undefined {
  if (isDisabled(object, pruneAnnotation)) return `its annotation ${pruneAnnotation} says disabled`;
  if (hasOption(object, "Prune=false")) return `its annotation ${argoOptions} says Prune=false`;
  if (object.metadata.annotations?.["helm.sh/resource-policy"] === "keep") return "helm.sh/resource-policy says keep";
  return optsOutOfApply(object);
}

/** Why an object is not to be deleted when its target leaves the cluster, or undefined. */
export function optsOutOfRemoval(object: KubeObject): string | undefined {
  if (hasOption(object, "Delete=false")) return `its annotation ${argoOptions} says Delete=false`;
  return optsOutOfPrune(object);
}

/** Whether a person must confirm the deletion of this object (`Prune=confirm`, `Delete=confirm`). */
export function wantsConfirmation(object: KubeObject): boolean {
  const approved = object.metadata.annotations?.["argocd.argoproj.io/deletion-approved"] !== undefined;
  return !approved && (hasOption(object, "Prune=confirm") || hasOption(object, "Delete=confirm"));
}

function isDisabled(object: KubeObject, name: string): boolean {
  const value = object.metadata.annotations?.[name] ?? object.metadata.labels?.[name];
  return value?.toLowerCase() === "disabled";
}

function hasOption(object: KubeObject, option: string): boolean {
  const options = object.metadata.annotations?.[argoOptions] ?? "";
  return options.split(",").some((one) => one.trim() === option);
}
