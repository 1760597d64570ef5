import { Fault } from "@capstan/proto";
import { corrected, pauseOf } from "../drift/damp.ts";
import { fingerprint } from "../drift/fingerprint.ts";
import { keepIgnored, rulesFor } from "../drift/ignore.ts";
import type { KubeObject } from "../inventory/object.ts";
import { type Decision, decide } from "./decide.ts";
import type { PreparedObject } from "./model.ts";
import type { Pass } from "./pass.ts";
import { refusalOf } from "./refusal.ts";
import { kindText } from "./survey.ts";

const tries = 4;

/** One object as examined: what to do, and the live object that this was decided from. */
export interface Examined {
  readonly prepared: PreparedObject;
  readonly decision: Decision;
  readonly live: KubeObject | undefined;
}

/** Looks at one object: no request where it is known to be right, else a dry-run and, where it exists, a read. */
export async function examine(pass: Pass, prepared: PreparedObject): Promise<Examined> {
  const { cluster, memory } = pass.ports;
  const { policy, target } = pass.input;
  if (memory.knownClean(prepared.key, prepared.hash))
    return { prepared, decision: { kind: "unchanged" }, live: undefined };
  let live: KubeObject | undefined;
  let would: KubeObject | undefined;
  for (let tried = 1; tried <= tries; tried++) {
    would = await dryRun(pass, prepared);
    if (would?.metadata.resourceVersion === undefined) live = undefined;
    else live = await cluster.read(policy.account, prepared.address, pass.signal);
    // The dry-run of an existing object answers with the resourceVersion that it was computed from.
    if (live?.metadata.resourceVersion === would?.metadata.resourceVersion) break;
  }
  const decision = decide({
    target,
    prepared,
    live,
    would,
    mode: policy.mode,
    ignore: rulesFor(policy.ignore ?? [], prepared.address),
    known: pass.before.entries.has(prepared.key),
    owners: pass.owners,
  });
  return { prepared, decision, live };
}

/** Undefined: nothing can be asked before the object's kind or namespace is there, and this pass does not make it. */
async function dryRun(pass: Pass, prepared: PreparedObject): Promise<KubeObject | undefined> {
  const { cluster } = pass.ports;
  const { policy } = pass.input;
  try {
    const options = { dryRun: true, strict: policy.validate };
    return await cluster.apply(policy.account, prepared.object, options, pass.signal);
  } catch (thrown) {
    const fault = Fault.from(thrown);
    if (!pass.mayWrite && isAwaited(pass, prepared, fault)) return undefined;
    throw fault;
  }
}

function isAwaited(pass: Pass, prepared: PreparedObject, fault: Fault): boolean {
  if (fault.code === "kind-not-served") return pass.survey.awaited.has(kindText(prepared.address));
  if (refusalOf(fault)?.about.kind !== "namespaces") return false;
  return pass.input.policy.createNamespace || pass.survey.desired.has(`/Namespace//${prepared.address.namespace}`);
}

/** Does what was decided about one object, and records the outcome. */
export async function carryOut(pass: Pass, examined: Examined): Promise<void> {
  const { prepared, decision, live } = examined;
  switch (decision.kind) {
    case "unchanged":
      settled(pass, prepared, live);
      pass.outcomes.add(prepared.address, "unchanged");
      return;
    case "skip":
      if (live !== undefined) noteUid(pass, live);
      pass.outcomes.add(prepared.address, "skipped", { reason: decision.reason });
      return;
    case "wait":
      pass.waiting.add(prepared.key);
      pass.outcomes.add(prepared.address, "deleting", { reason: decision.reason });
      return;
    case "refuse":
      pass.outcomes.fail(prepared.address, decision.fault, { differences: decision.differences });
      return;
    case "different":
      reportDifferent(pass, examined, decision.reason);
      return;
    case "create":
    case "write":
      await writeOrReport(pass, examined);
      return;
    default:
      decision satisfies never;
  }
}

async function writeOrReport(pass: Pass, examined: Examined): Promise<void> {
  const { decision } = examined;
  if (!pass.mayWrite) {
    reportDifferent(pass, examined, decision.kind === "create" ? "it is missing" : "it differs, and self-heal is off");
    return;
  }
  const wait = fightPause(pass, examined);
  if (wait > 0) {
    pass.damped.set(examined.prepared.key, wait);
    const seconds = Math.ceil(wait / 1000);
    reportDifferent(pass, examined, `somebody changes it back each time: the next correction is in ${seconds} s`);
    return;
  }
  await write(pass, examined);
}

/** Only corrections of drift are damped; a new manifest is always written. */
function fightPause(pass: Pass, examined: Examined): number {
  if (pass.input.only === undefined) return 0;
  const { memory, clock } = pass.ports;
  const { key } = examined.prepared;
  const signature = signatureOf(examined);
  const wait = pauseOf(memory.fight(key), signature, clock.now());
  if (wait === 0) memory.corrected(key, corrected(memory.fight(key), signature, clock.now()));
  return wait;
}

function signatureOf({ decision, prepared }: Examined): string {
  const paths = decision.kind === "write" ? decision.differences.map((difference) => difference.path) : ["missing"];
  return `${prepared.hash} ${paths.sort().join(" ")}`;
}

async function write(pass: Pass, first: Examined): Promise<void> {
  const { policy } = pass.input;
  const { prepared } = first;
  let examined = first;
  for (let tried = 1; ; tried++) {
    const { decision, live } = examined;
    if (decision.kind !== "write" && decision.kind !== "create") return carryOut(pass, examined);
    try {
      pass.touched.add(prepared.key);
      const expected = decision.kind === "write" ? decision.resourceVersion : undefined;
      const options = {
        dryRun: false,
        strict: policy.validate,
        ...(expected === undefined ? {} : { resourceVersion: expected }),
      };
      pass.ports.memory.beginWrite(prepared.key);
      const object = payload(pass, prepared, live);
      const written = await pass.ports.cluster.apply(policy.account, object, options, pass.signal);
      settled(pass, prepared, written);
      recordWrite(pass, examined, live === undefined);
      return;
    } catch (thrown) {
      const fault = Fault.from(thrown);
      if (fault.code !== "conflict" || tried >= tries) throw fault;
      examined = await examine(pass, prepared);
    } finally {
      pass.ports.memory.endWrite(prepared.key);
    }
  }
}

/** What is sent: the manifest, but for fields that are to be left as they are. */
function payload(pass: Pass, prepared: PreparedObject, live: KubeObject | undefined): KubeObject {
  const { ignore = [], respectIgnored } = pass.input.policy;
  if (live === undefined || respectIgnored !== true) return prepared.object;
  return keepIgnored(prepared.object, live, rulesFor(ignore, prepared.address));
}

function recordWrite(pass: Pass, { prepared, decision }: Examined, absent: boolean): void {
  if (absent || decision.kind !== "write") return pass.outcomes.add(prepared.address, "created");
  const action = decision.adopts ? "adopted" : "configured";
  pass.outcomes.add(prepared.address, action, { differences: decision.differences });
}

function reportDifferent(pass: Pass, examined: Examined, reason: string): void {
  const { prepared, decision, live } = examined;
  const differences = "differences" in decision ? decision.differences : [];
  if (live !== undefined) {
    const verdict = { hash: prepared.hash, fingerprint: fingerprint(live.metadata), clean: false };
    pass.ports.memory.remember(prepared.key, verdict);
  }
  pass.outcomes.add(prepared.address, "different", { reason, differences });
}

/** The object is as it should be; undefined where that was known without asking. */
function settled(pass: Pass, prepared: PreparedObject, live: KubeObject | undefined): void {
  pass.touched.add(prepared.key);
  if (live === undefined) return;
  noteUid(pass, live);
  const verdict = { hash: prepared.hash, fingerprint: fingerprint(live.metadata), clean: true };
  pass.ports.memory.remember(prepared.key, verdict);
}

function noteUid(pass: Pass, live: KubeObject): void {
  if (live.metadata.uid !== undefined) pass.uids.add(live.metadata.uid);
}
