import { Fault, objectText } from "@capstan/proto";
import { addressOf, type KubeObject } from "../inventory/object.ts";

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

const argoHook = "argocd.argoproj.io/hook";
const helmHook = "helm.sh/hook";

/** A hook among manifests. */
export interface Hook {
  /** `it is a PreSync hook`. */
  readonly text: string;
  /** `ignored`: it is not meant to be applied at all. `run`: it should run, and does not. `guards`: it guards a deletion. */
  readonly duty: "ignored" | "run" | "guards";
}

/** What a manifest is if it is no ordinary object of its target: hooks run at their moment, not with the rest. */
export function hookOf(object: KubeObject): Hook | undefined {
  const annotations = object.metadata.annotations ?? {};
  const argo = annotations[argoHook];
  if (argo !== undefined) return { text: `it is a ${argo} hook`, duty: dutyOf(argo) };
  const helm = annotations[helmHook];
  if (helm === undefined || helm === "crd-install") return undefined;
  return { text: `it is a Helm ${helm} hook`, duty: dutyOf(helm) };
}

function dutyOf(phases: string): Hook["duty"] {
  const all = phases.split(",").map((phase) => phase.trim().toLowerCase().replaceAll("-", ""));
  if (all.some((phase) => phase === "predelete" || phase === "postdelete")) return "guards";
  // Argo CD runs neither: `Skip` says so, and tests of a chart are for `helm test`.
  return all.every((phase) => phase === "skip" || phase.startsWith("test")) ? "ignored" : "run";
}

/** What is told of a hook that does not run. */
export function hookFault(object: KubeObject, { text, duty }: Hook): Fault {
  const guards = duty === "guards";
  return new Fault("unsupported", {
    message: `${objectText(addressOf(object))} is not applied: ${text}, and this agent runs no hooks${guards ? ". As it guards a deletion, nothing of the target is applied" : ""}.`,
    next: guards
      ? "Take the hook out of the application, or keep the application where its hooks run."
      : "Do the hook's work another way, or take its annotation off to apply it with the rest.",
  });
}

function isDisabled(object: KubeObject, name: string): boolean {
  const value = object.metadata.annotations?.[name] ?? object.metadata.labels?.[name];
  return value?.toLowerCase() === "disabled";
}

function hasOption(object: KubeObject, option: string): boolean {
  const options = object.metadata.annotations?.[argoOptions] ?? "";
  return options.split(",").some((one) => one.trim() === option);
}
