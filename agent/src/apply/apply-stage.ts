import { Fault } from "@capstan/proto";
import { isMap } from "../drift/compare.ts";
import type { KubeObject } from "../inventory/object.ts";
import { carryOut, type Examined, examine } from "./apply-object.ts";
import type { PreparedObject } from "./model.ts";
import type { Pass } from "./pass.ts";
import { pooled } from "./pool.ts";
import { endsPass, refusalOf } from "./refusal.ts";
import { kindsOfDefinition, kindText } from "./survey.ts";

/** Applies one stage. False: the pass ends here, as its policy is `atomic` and something failed. */
export async function applyStage(pass: Pass, stage: readonly PreparedObject[]): Promise<boolean> {
  const failedBefore = pass.outcomes.count("failed");
  if (pass.input.policy.onError === "atomic") await applyTogether(pass, stage);
  else await applyEach(pass, stage);
  return pass.input.policy.onError === "continue" || pass.outcomes.count("failed") === failedBefore;
}

const writes: ReadonlySet<Examined["decision"]["kind"]> = new Set(["create", "write", "recreate"]);

/** Examines everything first; writes only where nothing failed. */
async function applyTogether(pass: Pass, stage: readonly PreparedObject[]): Promise<void> {
  const examined: Examined[] = [];
  const failedBefore = pass.outcomes.count("failed");
  await pooled(stage, pass.ports.concurrency, async (prepared) => {
    await failAlone(pass, prepared, async () => {
      const one = await examine(pass, prepared);
      if (one.decision.kind === "refuse") await carryOut(pass, one);
      else examined.push(one);
    });
  });
  const failed = pass.outcomes.count("failed") > failedBefore;
  const order = new Map(stage.map((prepared, index) => [prepared.key, index]));
  examined.sort((a, b) => (order.get(a.prepared.key) ?? 0) - (order.get(b.prepared.key) ?? 0));
  await pooled(examined, pass.ports.concurrency, async (one) => {
    if (failed && writes.has(one.decision.kind)) {
      const reason = "not written: another object of its stage failed, and the policy is atomic";
      pass.outcomes.add(one.prepared.address, "skipped", { reason });
    } else await failAlone(pass, one.prepared, () => carryOut(pass, one));
  });
}

async function applyEach(pass: Pass, stage: readonly PreparedObject[]): Promise<void> {
  await pooled(stage, pass.ports.concurrency, (prepared) =>
    failAlone(pass, prepared, async () => carryOut(pass, await examine(pass, prepared))),
  );
}

/** A fault about the object fails the object; one about the cluster or the pass ends the pass. */
async function failAlone(pass: Pass, prepared: PreparedObject, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    const fault = Fault.from(thrown);
    if (pass.signal.aborted || endsPass(fault)) throw fault;
    const missing = refusalOf(fault)?.about;
    if (missing?.kind === "namespaces") pass.ports.memory.namespaceLost(missing.name);
    pass.outcomes.fail(prepared.address, fault);
  }
}

const establishMs = 30_000;
const lookMs = 100;

/**
 * Waits until the CRDs of a stage are established and the kinds that the bundle needs of them are served. When that takes
 * too long it gives up: the objects of these kinds then fail by themselves, with the reason.
 */
export async function awaitDefinitions(pass: Pass, stage: readonly PreparedObject[]): Promise<void> {
  const awaited = stage.filter((prepared) =>
    kindsOfDefinition(prepared.object).some((kind) => pass.survey.awaited.has(kindText(kind))),
  );
  if (awaited.length === 0 || !pass.mayWrite) return;
  const { cluster, clock } = pass.ports;
  const end = clock.monotonic() + establishMs;
  const waiting = new Set(awaited);
  while (waiting.size > 0 && clock.monotonic() < end) {
    for (const prepared of waiting) {
      const live = await cluster.read(pass.input.policy.account, prepared.address, pass.signal);
      if (live === undefined || isEstablished(live) || isRefused(live)) waiting.delete(prepared);
    }
    if (waiting.size > 0) await clock.sleep(lookMs, pass.signal);
  }
  const kinds = [...pass.survey.awaited.values()];
  while (clock.monotonic() < end) {
    await cluster.refreshKinds(pass.signal);
    const served = await Promise.all(kinds.map((kind) => cluster.served(kind, pass.signal)));
    if (!served.includes(undefined)) return;
    await clock.sleep(lookMs, pass.signal);
  }
}

function isEstablished(definition: KubeObject): boolean {
  return conditionStatus(definition, "Established") === "True";
}

function isRefused(definition: KubeObject): boolean {
  return conditionStatus(definition, "NamesAccepted") === "False";
}

function conditionStatus(object: KubeObject, type: string): unknown {
  const status = object["status"];
  const conditions = isMap(status) && Array.isArray(status["conditions"]) ? status["conditions"] : [];
  return conditions.filter(isMap).find((condition) => condition["type"] === type)?.["status"];
}
