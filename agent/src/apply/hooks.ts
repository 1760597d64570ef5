import { Fault, objectText } from "@capstan/proto";
import { isPlainKind, readHealth } from "@capstan/proto/verdict";
import { textHash } from "../drift/hash.ts";
import type { DeletePolicy } from "../inventory/hooks.ts";
import { addressOf, type KubeObject, type ObjectAddress } from "../inventory/object.ts";
import type { PreparedObject } from "./model.ts";

/** When a hook runs, in Argo CD's words. */
export const hookPhases = ["PreSync", "Sync", "PostSync", "SyncFail", "PreDelete", "PostDelete"] as const;
export type HookPhase = (typeof hookPhases)[number];

/** What a manifest says of itself as a hook. */
export interface Hook {
  /** `it is a PreSync hook`. */
  readonly text: string;
  /** Empty: it never runs (`Skip`, a chart's tests, Helm's rollback hooks). */
  readonly phases: readonly HookPhase[];
  readonly deletes: readonly DeletePolicy[];
}

/** A hook made ready for one of its phases. */
export interface PreparedHook {
  /** What tells it from all other hooks of its target, over generations: phase and manifest. */
  readonly id: string;
  readonly phase: HookPhase;
  readonly wave: number;
  readonly deletes: readonly DeletePolicy[];
  /** The manifest; where `generated`, its name is only the beginning of one. */
  readonly prepared: PreparedObject;
  readonly generated: boolean;
}

const argoHook = "argocd.argoproj.io/hook";
const helmHook = "helm.sh/hook";
const argoDeletes = "argocd.argoproj.io/hook-delete-policy";
const helmDeletes = "helm.sh/hook-delete-policy";
const argoWave = "argocd.argoproj.io/sync-wave";
const helmWeight = "helm.sh/hook-weight";

/** The annotation on a hook's object that says for which run, and which try of it, it was made. */
export const hookRunAnnotation = "capstan.dev/hook-run";
/** Keeps a hook's object until its end was seen and written down: something that deletes itself is not run twice. */
export const hookFinalizer = "capstan.dev/hook";

const helmPhases: Readonly<Record<string, HookPhase | "never">> = {
  "pre-install": "PreSync",
  "pre-upgrade": "PreSync",
  "post-install": "PostSync",
  "post-upgrade": "PostSync",
  "pre-delete": "PreDelete",
  "post-delete": "PostDelete",
  "pre-rollback": "never",
  "post-rollback": "never",
  test: "never",
  "test-success": "never",
  "test-failure": "never",
};
const deletePolicies: Readonly<Record<string, DeletePolicy>> = {
  beforehookcreation: "BeforeHookCreation",
  hooksucceeded: "HookSucceeded",
  hookfailed: "HookFailed",
};

/**
 * What a manifest is if it is no ordinary object of its target. Argo CD's annotation counts before Helm's. `crd-install`
 * is ordinary: definitions come first anyway. Throws `bad-manifest` for a phase that nobody knows.
 */
export function hookOf(object: KubeObject): Hook | undefined {
  const annotations = object.metadata.annotations ?? {};
  const argo = annotations[argoHook];
  if (argo !== undefined) return hook(object, { text: `a ${argo} hook`, names: listOf(argo), read: argoPhase });
  const helm = annotations[helmHook];
  if (helm === undefined) return undefined;
  const names = listOf(helm).filter((name) => name !== "crd-install");
  if (names.length === 0) return undefined;
  return hook(object, { text: `a Helm ${helm} hook`, names, read: (name) => helmPhases[name] });
}

/** Whether a live object was made as a hook, by whatever tool. */
export function isHookObject(live: KubeObject): boolean {
  const annotations = live.metadata.annotations ?? {};
  return [hookRunAnnotation, argoHook, helmHook].some((name) => annotations[name] !== undefined);
}

interface Read {
  readonly text: string;
  readonly names: readonly string[];
  read(name: string): HookPhase | "never" | undefined;
}

function hook(object: KubeObject, { text, names, read }: Read): Hook {
  const phases = new Set<HookPhase>();
  for (const name of names) {
    const phase = read(name);
    if (phase === undefined) throw unknownPhase(object, name);
    if (phase !== "never") phases.add(phase);
  }
  const { annotations = {} } = object.metadata;
  const asked = [...listOf(annotations[argoDeletes] ?? ""), ...listOf(annotations[helmDeletes] ?? "")];
  const deletes = asked.flatMap((name) => deletePolicies[name.toLowerCase().replaceAll("-", "")] ?? []);
  return {
    text: `it is ${text}`,
    phases: [...phases],
    deletes: deletes.length === 0 ? ["BeforeHookCreation"] : deletes,
  };
}

function argoPhase(name: string): HookPhase | "never" | undefined {
  if (name.toLowerCase() === "skip") return "never";
  return hookPhases.find((phase) => phase.toLowerCase() === name.toLowerCase());
}

function unknownPhase(object: KubeObject, name: string): Fault {
  const text = objectText({ ...addressOf(object), name: object.metadata.name ?? "" });
  return new Fault("bad-manifest", {
    message: `${text} asks to be run as a hook at ${JSON.stringify(name)}, which is no phase of a sync.`,
    next: `Use one of ${hookPhases.join(", ")}.`,
  });
}

function listOf(text: string): readonly string[] {
  return text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
}

/** The wave of an object: Argo CD's annotation, else a Helm hook's weight, else 0; what is no whole number counts as 0. */
export function waveOf(object: KubeObject): number {
  const { annotations = {} } = object.metadata;
  const text = annotations[argoWave] ?? (annotations[helmHook] === undefined ? undefined : annotations[helmWeight]);
  return text !== undefined && /^\s*[+-]?\d{1,9}\s*$/.test(text) ? Number(text) : 0;
}

/** The mark of one try of a run. */
export function tokenOf(run: string, attempt: number): string {
  return attempt === 0 ? run : `${run}#${attempt}`;
}

/** The object that one try of a hook makes: its name depends on nothing but target, manifest and try. */
export function hookObject(hook: PreparedHook, token: string): KubeObject {
  const { object } = hook.prepared;
  const { generateName: _generated, ...metadata } = object.metadata;
  const name = hook.generated
    ? generatedName(object.metadata.name, `${hook.prepared.hash} ${hook.id} ${token}`)
    : metadata.name;
  return {
    ...object,
    metadata: {
      ...metadata,
      name,
      annotations: { ...metadata.annotations, [hookRunAnnotation]: token },
      ...(isPlainKind(hook.prepared.address) ? {} : { finalizers: [...(metadata.finalizers ?? []), hookFinalizer] }),
    },
  };
}

/** Its address. */
export function hookAddress(hook: PreparedHook, token: string): ObjectAddress {
  return { ...hook.prepared.address, name: hookObject(hook, token).metadata.name };
}

function generatedName(prefix: string, seed: string): string {
  return `${prefix.slice(0, 53)}${textHash(seed).slice(-10)}`;
}

/** How a hook's object stands. Something that is being deleted before it ended will not end well. */
export function hookEnd(live: KubeObject): {
  readonly state: "running" | "succeeded" | "failed";
  readonly message: string;
} {
  const { deletionTimestamp, ...metadata } = live.metadata;
  const health = readHealth({ ...live, metadata });
  if (health.status === "Healthy") return { state: "succeeded", message: health.message };
  if (health.status === "Degraded") return { state: "failed", message: health.message };
  if (deletionTimestamp !== undefined) return { state: "failed", message: "it was deleted before it ended" };
  return { state: "running", message: health.message || health.status };
}
