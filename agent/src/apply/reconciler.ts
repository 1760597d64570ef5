import { Fault, type TargetKey } from "@capstan/proto";
import { settle, union } from "../inventory/diff.ts";
import type { Inventory } from "../inventory/model.ts";
import type { KubeObject } from "../inventory/object.ts";
import { applyStage, awaitDefinitions } from "./apply-stage.ts";
import { type ApplyInput, type ApplyResult, fieldManager, type PreparedObject } from "./model.ts";
import { Outcomes } from "./outcomes.ts";
import { labelValue } from "./ownership.ts";
import type { ApplyPorts, Pass } from "./pass.ts";
import { confirmGone, pruneTarget } from "./prune-objects.ts";
import { stagesOf } from "./stages.ts";
import { surveyBundle } from "./survey.ts";

export type { ApplyPorts } from "./pass.ts";
export { removeTarget } from "./removal.ts";

/**
 * One pass over a target: inventory first, then stages, then prune. Failures of objects are in the result; it throws only
 * when nothing could be done (`cluster-unreachable`, `cancelled`, `older-revision`). It may be killed between any two
 * requests and called again. Two passes over one target never run at once: the caller sees to that.
 */
export async function applyTarget(ports: ApplyPorts, input: ApplyInput, signal: AbortSignal): Promise<ApplyResult> {
  const startedAt = ports.clock.now();
  const before = await ports.inventory.read(input.target, signal);
  refuseOlder(input, before);
  const outcomes = new Outcomes();
  const survey = await surveyBundle(ports.cluster, input, outcomes, signal);
  const pass: Pass = {
    ports,
    input,
    signal,
    survey,
    before,
    owners: new Set<TargetKey>(await ports.inventory.targets(signal)),
    mayWrite: mayWrite(input, before),
    outcomes,
    touched: new Set(),
    uids: new Set(),
    waiting: new Set(),
    damped: new Map(),
  };
  const chosen = survey.objects.filter((object) => input.only?.has(object.key) ?? true);
  const extended = await extendInventory(pass, chosen);
  const whole = await applyAll(pass, chosen);
  const after = input.only === undefined ? await finish(pass, extended, whole) : await finishCheck(pass, extended);
  return result(pass, after, startedAt);
}

function refuseOlder(input: ApplyInput, before: Inventory): void {
  if (input.generation >= before.generation) return;
  throw new Fault("older-revision", {
    message: `target ${input.target} is at generation ${before.generation} here, and was asked to go back to ${input.generation}.`,
    where: { target: input.target },
  });
}

/** Without self-heal a generation is written once: neither a restart nor drift writes it again. */
function mayWrite(input: ApplyInput, before: Inventory): boolean {
  const { policy } = input;
  if (policy.mode === "Observe") return false;
  if (policy.selfHeal || input.again === true) return true;
  const same = before.generation === input.generation && before.digest === input.digest;
  return input.only === undefined && !(same && before.applied);
}

/** Everything that may be written is in the durable inventory before anything is. */
async function extendInventory(pass: Pass, chosen: readonly PreparedObject[]): Promise<Inventory> {
  if (!pass.mayWrite) return pass.before;
  const extended = union(
    pass.before,
    chosen.map((object) => object.address),
  );
  if (extended !== pass.before) await pass.ports.inventory.write(extended, "now", pass.signal);
  return extended;
}

/** False: the pass ended early, or something failed. */
async function applyAll(pass: Pass, chosen: readonly PreparedObject[]): Promise<boolean> {
  const { policy } = pass.input;
  const broken = pass.outcomes.count("failed") > 0;
  if (broken && policy.onError === "atomic") {
    leave(pass, chosen, "not written: another object of the bundle cannot be applied, and the policy is atomic");
    return false;
  }
  await ensureNamespace(pass, chosen);
  const stages = stagesOf(chosen);
  for (const [index, stage] of stages.entries()) {
    if (!(await applyStage(pass, stage))) {
      leave(pass, stages.slice(index + 1).flat(), "not written: an earlier stage failed, and the policy is atomic");
      return false;
    }
    await awaitDefinitions(pass, stage);
  }
  return pass.outcomes.count("failed") + pass.waiting.size === 0;
}

function leave(pass: Pass, objects: readonly PreparedObject[], reason: string): void {
  for (const object of objects) pass.outcomes.add(object.address, "skipped", { reason });
}

/** `CreateNamespace=true`: made where it is missing, with the wanted metadata; never owned, so never pruned. */
async function ensureNamespace(pass: Pass, chosen: readonly PreparedObject[]): Promise<void> {
  const { policy, namespace } = pass.input;
  const { cluster, memory } = pass.ports;
  const needed = chosen.some((object) => object.address.namespace === namespace);
  const bundled = pass.survey.desired.has(`/Namespace//${namespace}`);
  const wishes =
    Object.keys({ ...policy.namespaceMetadata.labels, ...policy.namespaceMetadata.annotations }).length > 0;
  if (!policy.createNamespace || !pass.mayWrite || namespace === "" || !needed || bundled) return;
  const wish = JSON.stringify([pass.input.target, policy.namespaceMetadata]);
  if (memory.hasNamespace(namespace, wish)) return;
  const address = { group: "", version: "v1", kind: "Namespace", namespace: "", name: namespace };
  try {
    const live = await cluster.readMeta(policy.account, address, pass.signal);
    if (live === undefined || wishes) await makeNamespace(pass, namespace);
    memory.namespaceSeen(namespace, wish);
  } catch (thrown) {
    const fault = Fault.from(thrown);
    if (pass.signal.aborted || fault.code === "cluster-unreachable") throw fault;
    // Without the right to look, the namespace is taken to be there: if it is not, the objects say so.
    if (fault.code === "not-allowed" && !wishes) return;
    pass.outcomes.fail(address, fault);
  }
}

async function makeNamespace(pass: Pass, name: string): Promise<void> {
  const { account, namespaceMetadata, validate } = pass.input.policy;
  const { labels, annotations } = namespaceMetadata;
  const object: KubeObject = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels, annotations } };
  // Several targets may share the namespace: each writes, and later takes back, only its own labels.
  const manager = `${fieldManager}:${labelValue(pass.input.target)}`;
  await pass.ports.cluster.apply(account, object, { dryRun: false, strict: validate, manager }, pass.signal);
}

/** Prunes, and writes what is owned now. */
async function finish(pass: Pass, extended: Inventory, whole: boolean): Promise<Inventory> {
  const { dropped, accepted } = await pruneTarget(pass);
  if (!pass.mayWrite && dropped.size === 0) return extended;
  for (const object of pass.survey.objects) {
    // Intended but never written, and not ours before: somebody else's, or refused by the server.
    if (!pass.touched.has(object.key) && !pass.before.entries.has(object.key)) dropped.add(object.key);
  }
  const settled = settle(extended, {
    dropped,
    desired: pass.survey.desired,
    deleted: accepted,
    now: pass.ports.clock.now(),
    generation: pass.input.generation,
    digest: pass.input.digest,
    applied: whole,
  });
  if (settled !== extended) await pass.ports.inventory.write(settled, "soon", pass.signal);
  return settled;
}

/** After a check of some objects: what was left to go and is gone, leaves the inventory. */
async function finishCheck(pass: Pass, inventory: Inventory): Promise<Inventory> {
  const dropped = await confirmGone(pass);
  if (dropped.size === 0) return inventory;
  const { generation, digest, applied } = inventory;
  const now = pass.ports.clock.now();
  const settled = settle(inventory, { dropped, desired: undefined, deleted: 0, now, generation, digest, applied });
  await pass.ports.inventory.write(settled, "soon", pass.signal);
  return settled;
}

function result(pass: Pass, inventory: Inventory, startedAt: number): ApplyResult {
  const { outcomes, input, damped, ports } = pass;
  return {
    target: input.target,
    generation: input.generation,
    digest: input.digest,
    // What waits for a wanted object comes by itself; nobody need approve it.
    phase: outcomes.phase === "Held" && pass.waiting.size > 0 ? "Pending" : outcomes.phase,
    counts: outcomes.counts,
    outcomes: outcomes.list,
    errors: outcomes.errors,
    inventory,
    ...(damped.size === 0
      ? {}
      : { recheck: { objects: new Set(damped.keys()), afterMs: Math.min(...damped.values()) } }),
    startedAt,
    endedAt: ports.clock.now(),
  };
}
