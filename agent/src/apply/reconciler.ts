import { Fault, type TargetKey } from "@capstan/proto";
import { loadPathFinder } from "../drift/jq.ts";
import { settle } from "../inventory/diff.ts";
import type { Inventory } from "../inventory/model.ts";
import type { KubeObject } from "../inventory/object.ts";
import { examine } from "./apply-object.ts";
import { applySteps, type Progress, runSyncFail } from "./apply-steps.ts";
import { Book } from "./book.ts";
import { HookRunner } from "./hook-runner.ts";
import { type ApplyInput, type ApplyResult, defaultHookRetry, fieldManager, type PreparedObject } from "./model.ts";
import { Outcomes } from "./outcomes.ts";
import { labelValue } from "./ownership.ts";
import type { Pass } from "./pass.ts";
import type { ApplyPorts } from "./ports.ts";
import { confirmGone, pruneTarget } from "./prune-objects.ts";
import { endsPass } from "./refusal.ts";
import { stepsOf } from "./steps.ts";
import { surveyBundle } from "./survey.ts";

export type { ApplyPorts } from "./ports.ts";
export { removeTarget } from "./removal.ts";

/**
 * One pass over a target: inventory first, then the sync's steps (hooks, waves, stages), then prune, then what comes after
 * it. Failures of objects are in the result; it throws only when nothing could be done (`cluster-unreachable`, `cancelled`,
 * `older-revision`). It never blocks for health: what waits is `Pending`, and the next call goes on where this one stood. It
 * may be killed between any two requests and called again. Two passes over one target never run at once: the caller sees
 * to that.
 */
export async function applyTarget(ports: ApplyPorts, input: ApplyInput, signal: AbortSignal): Promise<ApplyResult> {
  const startedAt = ports.clock.now();
  const before = await ports.inventory.read(input.target, signal);
  refuseOlder(input, before);
  const opened = await openPass(ports, input, before, signal);
  const pass = (await standsAlready(opened)) ? { ...opened, run: undefined } : opened;
  if (input.policy.mode !== "Observe") await pass.hooks.tend();
  const chosen = pass.survey.objects.filter((object) => input.only?.has(object.key) ?? true);
  const waits = await sync(pass, chosen);
  return result(pass, waits, startedAt);
}

async function openPass(ports: ApplyPorts, input: ApplyInput, before: Inventory, signal: AbortSignal): Promise<Pass> {
  const outcomes = new Outcomes();
  const survey = await surveyBundle(ports.cluster, input, outcomes, signal);
  const { account, propagation, validate, hookRetry } = input.policy;
  const book = new Book(ports.inventory, before, signal);
  const retry = hookRetry ?? defaultHookRetry;
  const common = { ports, book, outcomes, signal };
  const hooks = new HookRunner({ ...common, target: input.target, account, propagation, strict: validate, retry });
  return {
    ...common,
    input,
    survey,
    before,
    hooks,
    run: runOf(input, before),
    owners: new Set<TargetKey>(await ports.inventory.targets(signal)),
    mayWrite: mayWrite(input, before),
    touched: new Set(),
    uids: new Set(),
    waiting: new Set(),
    find: input.policy.ignore?.some(({ jqPaths }) => jqPaths.length > 0) === true ? await loadPathFinder() : undefined,
    claims: new Map(),
    damped: new Map(),
  };
}

/**
 * Hooks run and waves wait only where content is brought: a new generation with the same bundle (another policy) is no
 * sync, as in Argo CD, where an application that is in sync runs no hooks.
 */
function runOf(input: ApplyInput, before: Inventory): string | undefined {
  if (!mayWrite(input, before) || input.only !== undefined) return undefined;
  const same = before.applied && before.digest === input.digest;
  return same && input.again !== true ? undefined : input.run;
}

/**
 * Whether a target that was never applied here stands already as its bundle wants it, made by another tool: taking that over
 * is no sync, and its hooks have had their run. Nothing was ever intended before, so that no half-done pass looks like it.
 */
async function standsAlready(pass: Pass): Promise<boolean> {
  const { objects, hooks } = pass.survey;
  if (pass.run === undefined || pass.input.again === true || pass.before.entries.size > 0) return false;
  if (hooks.length === 0 || objects.length === 0 || pass.before.hooks.size > 0) return false;
  try {
    for (const object of objects) {
      const { decision } = await examine(pass, object);
      if (decision.kind !== "write" || !decision.adopts || decision.differences.length > 0) return false;
    }
    return true;
  } catch (thrown) {
    // What cannot be looked at now is told where it is applied.
    if (pass.signal.aborted || endsPass(Fault.from(thrown))) throw thrown;
    return false;
  }
}

/** The steps of the sync, and prune between its objects and what comes after them. Returns for what it waits. */
async function sync(pass: Pass, chosen: readonly PreparedObject[]): Promise<string | undefined> {
  if (pass.outcomes.count("failed") > 0 && pass.input.policy.onError === "atomic") {
    leave(pass, chosen, "not written: another object of the bundle cannot be applied, and the policy is atomic");
    return end(pass, stopped);
  }
  if (pass.mayWrite) await keepFarewell(pass);
  await ensureNamespace(pass, chosen);
  const steps = stepsOf(chosen, pass.run === undefined ? [] : pass.survey.hooks);
  const first = steps.filter(({ phase }) => phase !== "PostSync");
  const then = steps.slice(first.length);
  const progress = await applySteps(pass, first, then.length === 0);
  if (progress.kind === "waits" || pass.input.only !== undefined) return end(pass, progress);
  const { dropped, accepted } = await pruneTarget(pass);
  const going = pass.outcomes.count("deleting") + pass.outcomes.count("failed") > 0;
  const after =
    progress.kind === "through" && !(going && then.length > 0) ? await applySteps(pass, then, true) : stopped;
  return end(pass, after, { dropped, accepted });
}

const stopped: Progress = { kind: "stopped" };

/** What the hooks that run when the target leaves will need; written before the target has anything here. */
async function keepFarewell(pass: Pass): Promise<void> {
  if (pass.input.only !== undefined) return;
  const leaving = pass.survey.hooks.filter(({ phase }) => phase === "PreDelete" || phase === "PostDelete");
  const farewell = [...new Set(leaving.map(({ prepared }) => prepared.object))];
  const { inventory } = pass.book;
  const text = JSON.stringify(farewell);
  if (text === JSON.stringify(inventory.farewell)) return;
  if (text.length > farewellBytes) throw farewellTooLarge(text.length);
  await pass.book.write({ ...inventory, farewell }, "now");
}

/** What is kept of one target for its end, as JSON. */
const farewellBytes = 64 * 1024;

function farewellTooLarge(length: number): Fault {
  return new Fault("too-large", {
    message: `the PreDelete and PostDelete hooks of a target may have ${farewellBytes / 1024} KiB together, found ${Math.ceil(length / 1024)}.`,
    next: "Make these hooks smaller: keep what they need in ConfigMaps or images.",
  });
}

/** Writes what is owned now. Returns for what the sync waits. */
async function end(
  pass: Pass,
  progress: Progress,
  pruned: { readonly dropped: ReadonlySet<string>; readonly accepted: number } = { dropped: new Set(), accepted: 0 },
): Promise<string | undefined> {
  const whole = pass.outcomes.count("failed") + pass.waiting.size === 0 && progress.kind === "through";
  let waits = progress.kind === "waits" ? progress.reason : undefined;
  if (pass.outcomes.count("failed") > 0) {
    const last = await runSyncFail(pass);
    if (last.kind === "waits") waits = last.reason;
  } else if (whole && pass.run !== undefined) await pass.hooks.finish(pass.run);
  if (pass.input.only === undefined) await finish(pass, whole, pruned);
  else await finishCheck(pass);
  return waits;
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

async function finish(
  pass: Pass,
  whole: boolean,
  { dropped: gone, accepted }: { readonly dropped: ReadonlySet<string>; readonly accepted: number },
): Promise<void> {
  const { book, survey, before, input } = pass;
  const dropped = new Set(gone);
  if (!pass.mayWrite && dropped.size === 0) return;
  for (const object of survey.objects) {
    // Intended but never written, and not ours before: somebody else's, or refused by the server.
    if (!pass.touched.has(object.key) && !before.entries.has(object.key)) dropped.add(object.key);
  }
  // What has become a hook is no longer an object like the others.
  for (const { id, prepared } of survey.hooks) if (book.inventory.hooks.has(id)) dropped.add(prepared.key);
  const settled = settle(book.inventory, {
    dropped,
    desired: survey.desired,
    deleted: accepted,
    now: pass.ports.clock.now(),
    generation: input.generation,
    digest: input.digest,
    applied: whole,
  });
  await book.write(settled, "soon");
}

/** After a check of some objects: what was left to go and is gone, leaves the inventory. */
async function finishCheck(pass: Pass): Promise<void> {
  const dropped = await confirmGone(pass);
  if (dropped.size === 0) return;
  const { inventory } = pass.book;
  const { generation, digest, applied } = inventory;
  const now = pass.ports.clock.now();
  const settled = settle(inventory, { dropped, desired: undefined, deleted: 0, now, generation, digest, applied });
  await pass.book.write(settled, "soon");
}

function result(pass: Pass, waits: string | undefined, startedAt: number): ApplyResult {
  const { outcomes, input, damped, ports, hooks, book } = pass;
  return {
    target: input.target,
    generation: input.generation,
    digest: input.digest,
    // What waits for a wanted object comes by itself; nobody need approve it.
    phase: waits !== undefined || (outcomes.phase === "Held" && pass.waiting.size > 0) ? "Pending" : outcomes.phase,
    counts: outcomes.counts,
    outcomes: outcomes.list,
    errors: outcomes.errors,
    ...(waits === undefined ? {} : { waits }),
    ...(hooks.events.length === 0 ? {} : { hooks: hooks.events }),
    inventory: book.inventory,
    ...(damped.size === 0
      ? {}
      : { recheck: { objects: new Set(damped.keys()), afterMs: Math.min(...damped.values()) } }),
    startedAt,
    endedAt: ports.clock.now(),
  };
}
