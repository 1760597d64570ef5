import { Fault } from "@capstan/proto";
import { corrected, pauseOf } from "../drift/damp.ts";
import { fingerprint } from "../drift/fingerprint.ts";
import { keepIgnored, rulesFor } from "../drift/ignore.ts";
import type { KubeObject } from "../inventory/object.ts";
import { type Decision, decide } from "./decide.ts";
import { migrated } from "./managers.ts";
import { fieldManager, type PreparedObject } from "./model.ts";
import { appliesOnce, asksRecreation, asksReplace, overridesFields, skipsValidation } from "./options.ts";
import type { Pass } from "./pass.ts";
import { isImmutable, isSchemaGap, refusalOf } from "./refusal.ts";
import { kindText } from "./survey.ts";
import { claimFault, transfer } from "./take-over.ts";

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
  const { policy } = pass.input;
  if (memory.knownClean(prepared.key, prepared.hash))
    return { prepared, decision: { kind: "unchanged" }, live: undefined };
  let live: KubeObject | undefined;
  let would: KubeObject | undefined;
  for (let tried = 1; tried <= tries; tried++) {
    try {
      would = await dryRun(pass, prepared);
    } catch (thrown) {
      const refused = await afterRefusal(pass, prepared, { fault: Fault.from(thrown), tried });
      if (refused === "again") continue;
      return refused;
    }
    if (would?.metadata.resourceVersion === undefined) live = undefined;
    else live = await cluster.read(policy.account, prepared.address, pass.signal);
    // The dry-run of an existing object answers with the resourceVersion that it was computed from.
    if (live?.metadata.resourceVersion === would?.metadata.resourceVersion) break;
  }
  return { prepared, decision: decideSeen(pass, prepared, live, would), live };
}

function decideSeen(
  pass: Pass,
  prepared: PreparedObject,
  live: KubeObject | undefined,
  would: KubeObject | undefined,
): Decision {
  const { policy, target } = pass.input;
  const ignore = rulesFor(policy.ignore ?? [], prepared.address);
  const known = pass.before.entries.has(prepared.key);
  return decide({
    target,
    prepared,
    live,
    would,
    mode: policy.mode,
    ignore,
    find: pass.find,
    known,
    owners: pass.owners,
  });
}

/**
 * What a refused dry-run means beside its fault: a live object that is to be left alone whatever the manifest says, one that
 * may be made anew, or field managers of a version that is gone, which are brought up to date once. Throws the fault.
 */
async function afterRefusal(
  pass: Pass,
  prepared: PreparedObject,
  { fault, tried }: { readonly fault: Fault; readonly tried: number },
): Promise<Examined | "again"> {
  const { cluster } = pass.ports;
  const { policy } = pass.input;
  const refusal = refusalOf(fault);
  if (refusal === undefined) throw fault;
  const immutable = isImmutable(refusal);
  if (!immutable && !isSchemaGap(refusal)) throw fault;
  const live = await cluster.read(policy.account, prepared.address, pass.signal);
  if (live === undefined) throw fault;
  if (immutable) {
    const decision = decideSeen(pass, prepared, live, live);
    const leave = decision.kind !== "unchanged" && decision.kind !== "write";
    if (leave || appliesOnce(prepared.object)) return { prepared, decision, live };
    if (decision.kind !== "unchanged" || !mayRecreate(pass, prepared, live)) throw fault;
    return { prepared, decision: { kind: "recreate", reason: refusal.message }, live };
  }
  const managedFields = migrated(live, prepared.object.apiVersion);
  if (tried > 1 || managedFields === undefined || !pass.mayWrite) throw fault;
  const { resourceVersion = "" } = live.metadata;
  const change = { resourceVersion, managedFields, labels: [], annotations: [] };
  await cluster.setManagers(policy.account, prepared.address, change, pass.signal);
  return "again";
}

const homes = new Set([
  "/Namespace",
  "/PersistentVolume",
  "/PersistentVolumeClaim",
  "apiextensions.k8s.io/CustomResourceDefinition",
]);

/** Always by opt-in; with what others live in or data goes, only by the object's own. */
function mayRecreate({ input }: Pass, { object, address }: PreparedObject, live: KubeObject): boolean {
  if (asksRecreation(object) || asksRecreation(live)) return true;
  return input.policy.recreate === true && !homes.has(`${address.group}/${address.kind}`);
}

/** Undefined: nothing can be asked before the object's kind or namespace is there, and this pass does not make it. */
async function dryRun(pass: Pass, prepared: PreparedObject): Promise<KubeObject | undefined> {
  const { cluster } = pass.ports;
  const { policy } = pass.input;
  try {
    const options = { dryRun: true, strict: isStrict(pass, prepared) };
    return await cluster.apply(policy.account, prepared.object, options, pass.signal);
  } catch (thrown) {
    const fault = Fault.from(thrown);
    if (!pass.mayWrite && isAwaited(pass, prepared, fault)) return undefined;
    throw fault;
  }
}

function isStrict(pass: Pass, prepared: PreparedObject): boolean {
  return pass.input.policy.validate && !skipsValidation(prepared.object);
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
      if (await overridden(pass, examined)) return;
      settled(pass, prepared, await shared(pass, examined));
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
    case "recreate":
      await writeOrReport(pass, examined);
      return;
    default:
      decision satisfies never;
  }
}

async function writeOrReport(pass: Pass, examined: Examined): Promise<void> {
  const { decision } = examined;
  if (!pass.mayWrite) {
    const differs = decision.kind === "recreate" ? decision.reason : "it differs, and self-heal is off";
    reportDifferent(pass, examined, decision.kind === "create" ? "it is missing" : differs);
    return;
  }
  const wait = fightPause(pass, examined);
  if (wait > 0) {
    pass.damped.set(examined.prepared.key, wait);
    const seconds = Math.ceil(wait / 1000);
    reportDifferent(pass, examined, `somebody changes it back each time: the next correction is in ${seconds} s`);
    return;
  }
  if (decision.kind === "recreate") await recreate(pass, examined);
  else await write(pass, examined);
}

/**
 * Deletes the object as it was seen, and makes it again where it is gone at once; else the next pass does. A kill in between
 * leaves an absent object, which the next pass makes.
 */
async function recreate(pass: Pass, { prepared, live, decision }: Examined): Promise<void> {
  const { account, propagation } = pass.input.policy;
  const uid = live?.metadata.uid ?? "";
  const reason = decision.kind === "recreate" ? decision.reason : "";
  pass.touched.add(prepared.key);
  const outcome = await pass.ports.cluster.remove(account, prepared.address, { uid, propagation }, pass.signal);
  if (outcome === "gone") return write(pass, { prepared, decision: { kind: "create" }, live: undefined });
  pass.waiting.add(prepared.key);
  const held = (live?.metadata.finalizers ?? []).join(", ");
  const why = `it is deleted to be made anew (${reason})${held === "" ? "" : `, and held by finalizers ${held}`}`;
  pass.outcomes.add(prepared.address, "deleting", { reason: why });
}

/** Where a manifest overrides: others' fields become ours, and what it lacks goes with the write that follows. */
async function overridden(pass: Pass, examined: Examined): Promise<boolean> {
  const { prepared, live } = examined;
  if (!pass.mayWrite || live === undefined || !overridesFields(prepared.object)) return false;
  const taken = await transfer(pass, prepared, { live, taking: "whole" });
  if (taken === live) return false;
  await carryOut(pass, await examine(pass, prepared));
  return true;
}

/** What kubectl's apply wrote of an object of ours must not keep Git from removing it. */
async function shared(pass: Pass, { prepared, live }: Examined): Promise<KubeObject | undefined> {
  if (!pass.mayWrite || live === undefined || appliesOnce(prepared.object)) return live;
  return transfer(pass, prepared, { live, taking: "shared" });
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
  const { prepared } = first;
  let examined = first;
  for (let tried = 1; ; tried++) {
    const { decision, live } = examined;
    if (decision.kind !== "write" && decision.kind !== "create") return carryOut(pass, examined);
    if (await overridden(pass, examined)) return;
    const claimed = await claimOn(pass, examined);
    if (claimed !== undefined) return pass.outcomes.fail(prepared.address, claimed);
    try {
      pass.touched.add(prepared.key);
      pass.ports.memory.beginWrite(prepared.key);
      settled(pass, prepared, await send(pass, examined));
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

async function claimOn(pass: Pass, { prepared, live, decision }: Examined): Promise<Fault | undefined> {
  const adopts = decision.kind === "write" && decision.adopts;
  return adopts && live !== undefined ? claimFault(pass, prepared, live) : undefined;
}

/** One write, and the transfer of fields that it calls for. Returns the object as it is then. */
async function send(pass: Pass, examined: Examined): Promise<KubeObject> {
  const { prepared, live, decision } = examined;
  const { cluster } = pass.ports;
  const { account, replace = false } = pass.input.policy;
  const object = payload(pass, examined);
  const expected = decision.kind === "write" ? decision.resourceVersion : undefined;
  const strict = isStrict(pass, prepared);
  if (live !== undefined && asksReplace(prepared.object, replace)) {
    const { resourceVersion = "" } = live.metadata;
    const written = await cluster.replace(account, object, { dryRun: false, strict, resourceVersion }, pass.signal);
    return transfer(pass, prepared, { live: written, taking: "adopted" });
  }
  const options = { dryRun: false, strict, ...(expected === undefined ? {} : { resourceVersion: expected }) };
  const written = await cluster.apply(account, object, options, pass.signal);
  const adopts = decision.kind === "write" && decision.adopts;
  return transfer(pass, prepared, { live: written, taking: adopts ? "adopted" : "shared" });
}

/** What is sent: the manifest, but for fields that are to be left as they are. */
function payload(pass: Pass, { prepared, live, decision }: Examined): KubeObject {
  if (live === undefined || decision.kind !== "write" || pass.input.policy.respectIgnored === false)
    return prepared.object;
  return keepIgnored(prepared.object, live, { ignored: decision.ignored, self: fieldManager });
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
