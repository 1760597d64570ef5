import { Fault, type Instant, objectKey, objectText } from "@capstan/proto";
import { isMap, mapAt } from "@capstan/proto/verdict";
import type { KubeObject, ObjectAddress } from "../inventory/object.ts";
import { fieldManager } from "./model.ts";

/** What a person does to one object. */
export interface Action {
  /** See `verbs`. */
  readonly verb: string;
  /** `group/Kind/namespace/name`, `Kind/name` or a name; empty: the only object that knows the verb. */
  readonly object: string;
  readonly replicas: number;
}

/** A merge patch, and which part of the object it is for. */
export interface ActionPatch {
  readonly body: Readonly<Record<string, unknown>>;
  readonly subresource?: "status";
}

interface Given {
  readonly replicas: number;
  readonly now: Instant;
}

type Verb = Readonly<Record<string, (given: Given) => ActionPatch>>;

const spec = (fields: object): ActionPatch => ({ body: { spec: fields } });
const status = (fields: object): ActionPatch => ({ body: { status: fields }, subresource: "status" });

/** As `kubectl rollout restart` does it. */
const restartPods = ({ now }: Given): ActionPatch => {
  const annotations = { "kubectl.kubernetes.io/restartedAt": new Date(now).toISOString() };
  return spec({ template: { metadata: { annotations } } });
};
const replicas = (given: Given): ActionPatch => spec({ replicas: given.replicas });
const rollout = "argoproj.io/Rollout";

/** What each verb does to each kind (`group/Kind`). */
const verbs: Readonly<Record<string, Verb>> = {
  restart: {
    "apps/Deployment": restartPods,
    "apps/StatefulSet": restartPods,
    "apps/DaemonSet": restartPods,
    [rollout]: ({ now }) => spec({ restartAt: new Date(now).toISOString() }),
  },
  scale: {
    "apps/Deployment": replicas,
    "apps/StatefulSet": replicas,
    "apps/ReplicaSet": replicas,
    [rollout]: replicas,
  },
  suspend: {
    "batch/CronJob": () => spec({ suspend: true }),
    "batch/Job": () => spec({ suspend: true }),
    "apps/Deployment": () => spec({ paused: true }),
    [rollout]: () => spec({ paused: true }),
  },
  resume: {
    "batch/CronJob": () => spec({ suspend: false }),
    "batch/Job": () => spec({ suspend: false }),
    "apps/Deployment": () => spec({ paused: false }),
    [rollout]: () => spec({ paused: false }),
  },
  promote: { [rollout]: () => status({ pauseConditions: null }) },
  "promote-full": { [rollout]: () => status({ promoteFull: true }) },
  abort: { [rollout]: () => status({ abort: true }) },
  retry: { [rollout]: () => status({ abort: false }) },
};

/** The object that is meant, of those that a target owns. Throws `bad-input`, naming those that it may be. */
export function objectMeant(action: Action, owned: Iterable<ObjectAddress>): ObjectAddress {
  const kinds = verbs[action.verb];
  if (kinds === undefined) {
    throw new Fault("bad-input", {
      message: `expected one of ${Object.keys(verbs).join(", ")}, found ${JSON.stringify(action.verb)}.`,
    });
  }
  const able = [...owned].filter(({ group, kind }) => kinds[`${group}/${kind}`] !== undefined);
  const meant = action.object === "" ? able : able.filter((address) => isCalled(address, action.object));
  const [first] = meant;
  if (first !== undefined && meant.length === 1) return first;
  const found = meant.length === 0 ? `nothing that it could ${action.verb}` : `${meant.length} objects`;
  const choice = (meant.length === 0 ? able : meant).slice(0, 10).map(({ kind, name }) => `${kind}/${name}`);
  throw new Fault("bad-input", {
    message: `expected one object to ${action.verb}, found ${found}${action.object === "" ? "" : ` called ${action.object}`}.`,
    next: choice.length === 0 ? "No object of it knows this verb." : `Name one of: ${choice.join(", ")}.`,
  });
}

function isCalled(address: ObjectAddress, text: string): boolean {
  const lower = text.toLowerCase();
  const { kind, name, namespace } = address;
  return [objectKey(address), name, `${kind}/${name}`, `${kind}/${namespace}/${name}`].some(
    (each) => each.toLowerCase() === lower,
  );
}

/**
 * What to write. Throws `object-owned` where the bundle sets that field and the target heals itself: the agent would undo it
 * with its next look.
 */
export function actionPatch(action: Action, live: KubeObject, given: Given & { readonly heals: boolean }): ActionPatch {
  const group = live.apiVersion.includes("/") ? live.apiVersion.split("/")[0] : "";
  const patch = verbs[action.verb]?.[`${group}/${live.kind}`]?.(given);
  if (patch === undefined) {
    throw new Fault("bad-input", { message: `${live.kind} ${live.metadata.name} cannot ${action.verb}.` });
  }
  const field = patch.subresource === undefined && given.heals ? ownedField(patch.body, live) : undefined;
  if (field === undefined) return patch;
  const object = objectText({
    kind: live.kind,
    namespace: live.metadata.namespace ?? "",
    name: live.metadata.name,
    group: "",
  });
  throw new Fault("object-owned", {
    message: `${field} of ${object} is set by its bundle, and the target heals itself: it would be put back at once.`,
    where: { object },
    next: "Change it in Git; or leave it out there, so that others may set it.",
  });
}

/** The first field of the patch that our manager owns in the live object, as a path. */
function ownedField(body: Readonly<Record<string, unknown>>, live: KubeObject): string | undefined {
  const owned = (live.metadata.managedFields ?? [])
    .filter(({ manager, subresource }) => manager === fieldManager && (subresource ?? "") === "")
    .map(({ fieldsV1 }) => fieldsV1 ?? {});
  return leaves(body)
    .find((path) => owned.some((fields) => holds(fields, path)))
    ?.join(".");
}

function leaves(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (!isMap(value)) return [path];
  return Object.entries(value).flatMap(([key, each]) => leaves(each, [...path, key]));
}

function holds(fields: Readonly<Record<string, unknown>>, path: readonly string[]): boolean {
  const steps = path.map((step) => `f:${step}`);
  return (steps.at(-1) ?? "") in mapAt(fields, ...steps.slice(0, -1));
}
