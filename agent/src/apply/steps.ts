import { isMap } from "../drift/compare.ts";
import type { KubeObject } from "../inventory/object.ts";
import { type HookPhase, type PreparedHook, waveOf } from "./hooks.ts";
import type { PreparedObject } from "./model.ts";
import { kindsOfDefinition } from "./survey.ts";

/** The phases of a sync that goes well, in their order. */
export type SyncPhase = "PreSync" | "Sync" | "PostSync";

/** What is applied together, before anything of a later step: one wave of one phase. */
export interface Step {
  readonly phase: SyncPhase;
  readonly wave: number;
  readonly objects: readonly PreparedObject[];
  readonly hooks: readonly PreparedHook[];
}

const phases: readonly SyncPhase[] = ["PreSync", "Sync", "PostSync"];

interface Place {
  readonly phase: SyncPhase;
  readonly wave: number;
}

/**
 * The steps of a sync: by phase, then wave. A Namespace and a CustomResourceDefinition go no later than what needs them,
 * whatever wave they name (Argo CD does the same). `hooks`: those that run in this pass.
 */
export function stepsOf(objects: readonly PreparedObject[], hooks: readonly PreparedHook[]): readonly Step[] {
  const needed = neededBy(objects, hooks);
  const steps = new Map<string, { place: Place; objects: PreparedObject[]; hooks: PreparedHook[] }>();
  const stepAt = (place: Place) => {
    const key = `${place.phase} ${place.wave}`;
    const step = steps.get(key) ?? { place, objects: [], hooks: [] };
    steps.set(key, step);
    return step;
  };
  for (const object of objects) stepAt(placeOf(object, needed)).objects.push(object);
  for (const hook of hooks) {
    const phase = phases.find((one) => one === hook.phase);
    if (phase !== undefined) stepAt({ phase, wave: hook.wave }).hooks.push(hook);
  }
  return [...steps.values()].map(({ place, ...step }) => ({ ...place, ...step })).sort((a, b) => comparePlaces(a, b));
}

/** Hooks of one phase by wave, for the phases that stand alone. */
export function wavesOf(hooks: readonly PreparedHook[], phase: HookPhase): readonly (readonly PreparedHook[])[] {
  const chosen = hooks.filter((hook) => hook.phase === phase);
  const waves = [...new Set(chosen.map(({ wave }) => wave))].sort((a, b) => a - b);
  return waves.map((wave) => chosen.filter((hook) => hook.wave === wave));
}

/** A step as people read it. */
export function stepText({ phase, wave }: Pick<Step, "phase" | "wave">): string {
  return phase === "Sync" ? `wave ${wave}` : `${phase} wave ${wave}`;
}

function comparePlaces(a: Place, b: Place): number {
  return phases.indexOf(a.phase) - phases.indexOf(b.phase) || a.wave - b.wave;
}

function earlier(a: Place, b: Place | undefined): Place {
  return b === undefined || comparePlaces(a, b) <= 0 ? a : b;
}

function placeOf(object: PreparedObject, needed: ReadonlyMap<string, Place>): Place {
  const own: Place = { phase: "Sync", wave: waveOf(object.object) };
  return groundsOf(object.object).reduce((place, ground) => earlier(place, needed.get(ground)), own);
}

/** What an object is to others: the namespace they stand in, the kinds they are of. */
function groundsOf(object: KubeObject): readonly string[] {
  if (object.apiVersion === "v1" && object.kind === "Namespace") return [`namespace ${object.metadata.name}`];
  return kindsOfDefinition(object).map(({ group, kind }) => `kind ${group}/${kind}`);
}

/** The earliest place that needs a ground. */
function neededBy(objects: readonly PreparedObject[], hooks: readonly PreparedHook[]): ReadonlyMap<string, Place> {
  const needed = new Map<string, Place>();
  const need = ({ address }: PreparedObject, place: Place) => {
    const grounds = [`namespace ${address.namespace}`, `kind ${address.group}/${address.kind}`];
    for (const ground of grounds) needed.set(ground, earlier(place, needed.get(ground)));
  };
  for (const object of objects) need(object, { phase: "Sync", wave: waveOf(object.object) });
  for (const hook of hooks) {
    const phase = phases.find((one) => one === hook.phase);
    if (phase !== undefined) need(hook.prepared, { phase, wave: hook.wave });
  }
  return needed;
}

/** Whether a live or wanted object's health is to be left out of account, as its annotation says. */
export function ignoresHealth(object: KubeObject): boolean {
  const { annotations } = object.metadata;
  return isMap(annotations) && annotations["argocd.argoproj.io/ignore-healthcheck"] === "true";
}
