import type { KubeObject } from "../inventory/object.ts";

/** Set to `disabled` on a live object, it stops apply and prune of that object until it is removed. */
export const reconcileAnnotation = "capstan.dev/reconcile";
/** Set to `disabled`, it keeps the object when its bundle no longer names it. */
export const pruneAnnotation = "capstan.dev/prune";
/** `IfNotPresent` on a manifest: it is made where it is absent, and left as it is from then on. */
export const applyAnnotation = "capstan.dev/apply";
/** `enabled` on a manifest or live object: it is deleted and made anew where a field of it cannot be changed. */
export const recreateAnnotation = "capstan.dev/recreate";
/** `Override` on a manifest: fields that kubectl or another tool added go. `Merge`, the default, keeps them. */
export const fieldsAnnotation = "capstan.dev/fields";
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

/** Whether an object is only made, and never changed. */
export function appliesOnce(object: KubeObject): boolean {
  return object.metadata.annotations?.[applyAnnotation]?.toLowerCase() === "ifnotpresent";
}

/** Whether fields that others added to the object are to go. */
export function overridesFields(object: KubeObject): boolean {
  return object.metadata.annotations?.[fieldsAnnotation]?.toLowerCase() === "override";
}

/** Whether the object itself asks to be made anew where it cannot be changed. */
export function asksRecreation(object: KubeObject): boolean {
  return (
    object.metadata.annotations?.[recreateAnnotation]?.toLowerCase() === "enabled" || hasOption(object, "Force=true")
  );
}

/** Whether the object is written by a replace: its own word, else its application's. */
export function asksReplace(object: KubeObject, byPolicy: boolean): boolean {
  return hasOption(object, "Replace=true") || (byPolicy && !hasOption(object, "Replace=false"));
}

/** Whether unknown and duplicate fields of the object are let pass. */
export function skipsValidation(object: KubeObject): boolean {
  return hasOption(object, "Validate=false");
}

/** Whether the object, where nothing asks for it any more, counts as no difference (Argo CD's compare option). */
export function isExtraneous(object: KubeObject): boolean {
  const options = object.metadata.annotations?.["argocd.argoproj.io/compare-options"] ?? "";
  return options.split(",").some((one) => one.trim() === "IgnoreExtraneous");
}

function isDisabled(object: KubeObject, name: string): boolean {
  const value = object.metadata.annotations?.[name] ?? object.metadata.labels?.[name];
  return value?.toLowerCase() === "disabled";
}

function hasOption(object: KubeObject, option: string): boolean {
  const options = object.metadata.annotations?.[argoOptions] ?? "";
  return options.split(",").some((one) => one.trim() === option);
}
