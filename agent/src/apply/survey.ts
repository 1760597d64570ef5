import { Fault, objectKey, objectText, parseTargetKey } from "@capstan/proto";
import { isMap } from "../drift/compare.ts";
import { textHash } from "../drift/hash.ts";
import { rulesFor } from "../drift/ignore.ts";
import { addressOf, type KindRef, type KubeObject, kindOf } from "../inventory/object.ts";
import { type Hook, hookOf, type PreparedHook, waveOf } from "./hooks.ts";
import { duplicateFault, expandList, parseManifest, prepare } from "./manifest.ts";
import type { ApplyInput, PreparedObject } from "./model.ts";
import type { Outcomes } from "./outcomes.ts";
import type { Cluster } from "./port.ts";

/** A bundle as it stands before anything of it is asked or written. */
export interface Survey {
  readonly objects: readonly PreparedObject[];
  /** One a phase that it runs in. */
  readonly hooks: readonly PreparedHook[];
  /** Every key that the bundle names in any way: none of them may be pruned. */
  readonly desired: ReadonlySet<string>;
  /** Kinds that are served only once the bundle's own CRDs are there, as `group/version/Kind`. */
  readonly awaited: ReadonlyMap<string, KindRef>;
}

/** Reads a bundle whole: checks manifests, finds each kind's scope, and fails by name what cannot be applied. */
export async function surveyBundle(
  cluster: Cluster,
  input: ApplyInput,
  outcomes: Outcomes,
  signal: AbortSignal,
): Promise<Survey> {
  const manifests = await collect(input, outcomes);
  const defined = definedKinds(manifests);
  const scopes = await scopesOf(cluster, manifests, defined, signal);
  const objects = new Map<string, PreparedObject>();
  const hooks = new Map<string, PreparedHook>();
  const desired = new Set<string>();
  for (const { manifest, hook } of manifests.flatMap((one) => withHook(one, outcomes))) {
    const scope = scopes.get(kindText(kindOf(manifest)));
    if (scope === undefined || hook !== undefined) {
      for (const key of looseKeys(manifest, input.namespace)) desired.add(key);
    }
    if (hook !== undefined && hook.phases.length === 0) {
      outcomes.add(addressOf(manifest), "skipped", { reason: `${hook.text}, which never runs here` });
    } else if (scope === undefined) outcomes.fail(addressOf(manifest), notServed(manifest));
    else if (hook !== undefined) addHook(hooks, hook, prepare(manifest, input, scope.namespaced));
    else {
      const prepared = withRules(prepare(manifest, input, scope.namespaced), input.policy);
      if (objects.has(prepared.key)) outcomes.fail(prepared.address, duplicateFault(prepared));
      else objects.set(prepared.key, prepared);
      desired.add(prepared.key);
    }
  }
  const awaited = new Map([...scopes].flatMap(([text, scope]) => (scope?.awaited ? [[text, scope.kind]] : [])));
  return { objects: [...objects.values()], hooks: [...hooks.values()], desired, awaited };
}

/** The manifest with what it says of itself as a hook; none where that makes no sense. */
function withHook(manifest: KubeObject, outcomes: Outcomes) {
  try {
    return [{ manifest, hook: hookOf(manifest) }];
  } catch (thrown) {
    outcomes.fail(addressOf(manifest), Fault.from(thrown));
    return [];
  }
}

/** Several generated ones of one kind and prefix are told apart by their place. */
function addHook(hooks: Map<string, PreparedHook>, hook: Hook, prepared: PreparedObject): void {
  for (const one of preparedHooks(hook, prepared)) {
    let { id } = one;
    for (let more = 2; hooks.has(id); more++) id = `${one.id}#${more}`;
    hooks.set(id, { ...one, id });
  }
}

/** A hook ready for each phase that it runs in. */
export function preparedHooks({ phases, deletes }: Hook, prepared: PreparedObject): readonly PreparedHook[] {
  const generated = prepared.object.metadata["generateName"] === prepared.object.metadata.name;
  const wave = waveOf(prepared.object);
  return phases.map((phase) => ({ id: `${phase} ${prepared.key}`, phase, wave, deletes, prepared, generated }));
}

/** What is ignored is part of the wish: other rules, another hash. */
function withRules(prepared: PreparedObject, policy: ApplyInput["policy"]): PreparedObject {
  const rules = rulesFor(policy.ignore ?? [], prepared.address);
  return rules.length === 0 ? prepared : { ...prepared, hash: textHash(prepared.hash + JSON.stringify(rules)) };
}

/** All manifests that have a kind and a name; the others are failed by their place. */
async function collect(input: ApplyInput, outcomes: Outcomes): Promise<readonly KubeObject[]> {
  const manifests: KubeObject[] = [];
  let index = 0;
  for await (const value of input.objects) {
    index++;
    for (const item of expandList(value)) {
      try {
        manifests.push(parseManifest(item));
      } catch (thrown) {
        const { name } = parseTargetKey(input.target);
        outcomes.fail({ group: "", kind: "Manifest", namespace: "", name: `${name}#${index}` }, Fault.from(thrown));
      }
    }
  }
  return manifests;
}

interface Scope {
  readonly kind: KindRef;
  readonly namespaced: boolean;
  readonly awaited: boolean;
}

async function scopesOf(
  cluster: Cluster,
  manifests: readonly KubeObject[],
  defined: ReadonlyMap<string, boolean>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Scope | undefined>> {
  const scopes = new Map<string, Scope | undefined>();
  for (const manifest of manifests) {
    const kind = kindOf(manifest);
    const text = kindText(kind);
    if (scopes.has(text)) continue;
    const served = await cluster.served(kind, signal);
    const own = defined.get(text);
    if (served !== undefined) scopes.set(text, { kind, namespaced: served.namespaced, awaited: false });
    else scopes.set(text, own === undefined ? undefined : { kind, namespaced: own, awaited: true });
  }
  return scopes;
}

/** Kinds that the bundle's own CRDs define: whether each is namespaced. */
function definedKinds(manifests: readonly KubeObject[]): ReadonlyMap<string, boolean> {
  const defined = new Map<string, boolean>();
  for (const manifest of manifests) {
    for (const kind of kindsOfDefinition(manifest)) {
      const spec = manifest["spec"];
      defined.set(kindText(kind), isMap(spec) && spec["scope"] === "Namespaced");
    }
  }
  return defined;
}

/** The kinds, one a served version, that a CustomResourceDefinition defines; none for other objects. */
export function kindsOfDefinition(object: KubeObject): readonly KindRef[] {
  const { group, kind } = kindOf(object);
  if (group !== "apiextensions.k8s.io" || kind !== "CustomResourceDefinition") return [];
  const spec = isMap(object["spec"]) ? object["spec"] : {};
  const names = isMap(spec["names"]) ? spec["names"] : {};
  const versions = Array.isArray(spec["versions"]) ? spec["versions"].filter(isMap) : [];
  return versions
    .filter((version) => version["served"] !== false)
    .map((version) => ({
      group: String(spec["group"]),
      version: String(version["name"]),
      kind: String(names["kind"]),
    }));
}

/** `group/version/Kind`, a map key. */
export function kindText(kind: KindRef): string {
  return `${kind.group}/${kind.version}/${kind.kind}`;
}

/** An unknown scope: the object may stand with or without a namespace. */
function looseKeys(manifest: KubeObject, namespace: string): readonly string[] {
  const address = addressOf(manifest);
  const spaces = new Set([address.namespace, "", namespace]);
  return [...spaces].map((space) => objectKey({ ...address, namespace: space }));
}

function notServed(manifest: KubeObject): Fault {
  const address = addressOf(manifest);
  return new Fault("kind-not-served", {
    message: `the API server serves no kind ${address.kind} in ${manifest.apiVersion}, so ${objectText(address)} cannot be applied.`,
    next: "Install its CRD, put the CRD into the bundle, or use a version that this cluster serves.",
  });
}
