import { type Digest, Fault, limits } from "@capstan/proto";
import type { DesiredTarget } from "@capstan/proto/desired";
import { hookOf } from "../apply/hooks.ts";
import { type KubeObject, kindOf } from "../inventory/object.ts";
import { definedKind, notPermitted } from "./limits.ts";
import type { Applier, Bundles } from "./port.ts";

/** A bundle's objects, one at a time. Throws `bad-manifest` for a line that is no object, `too-large` past the limit. */
export async function* objectsOf(bundles: Pick<Bundles, "lines">, gzip: Uint8Array): AsyncGenerator<KubeObject> {
  let count = 0;
  for await (const line of bundles.lines(gzip)) {
    if (++count > limits.bundleObjects) {
      throw new Fault("too-large", { message: `a bundle may hold ${limits.bundleObjects} objects, found more.` });
    }
    yield parseObject(line, count);
  }
}

function parseObject(line: string, number: number): KubeObject {
  try {
    const object = JSON.parse(line) as KubeObject;
    const { name, generateName } = object.metadata;
    if (typeof object.kind === "string" && typeof (name ?? generateName) === "string") return object;
  } catch {
    // The line itself may hold secret values: only its number is told.
  }
  throw new Fault("bad-manifest", { message: `line ${number} of the bundle is no Kubernetes object.` });
}

/** Throws `not-allowed` where the bundle holds anything that the target's project does not permit. */
export async function permitted(
  ports: { readonly bundles: Bundles; readonly applier: Applier },
  target: DesiredTarget,
  gzip: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const project = target.policy?.projectLimits;
  if (project === undefined) return;
  const defined = new Map<string, boolean>();
  for await (const object of objectsOf(ports.bundles, gzip)) {
    const kind = definedKind(object);
    if (kind !== undefined) defined.set(...kind);
  }
  const destination = target.destinationNamespace;
  for await (const object of objectsOf(ports.bundles, gzip)) {
    const { group, kind } = kindOf(object);
    const known = defined.get(`${group}/${kind}`) ?? (await ports.applier.namespaced(kindOf(object), signal));
    // A kind that nobody serves is refused by the apply anyway.
    const fault = notPermitted(project, { object, namespaced: known ?? true, destination });
    if (fault !== undefined) throw fault;
  }
}

/** Whether a held bundle has hooks, which a way back would not undo. */
export async function runsHooks(bundles: Bundles, digest: string, signal: AbortSignal): Promise<boolean> {
  const gzip = await bundles.held(digest as Digest, signal);
  if (gzip === undefined) return false;
  for await (const object of objectsOf(bundles, gzip)) if (hookOf(object) !== undefined) return true;
  return false;
}
