import { again, backoffDelay, done, Fault, KeyedLoop, type Outcome, parseDigest, type TargetKey } from "@capstan/proto";
import type { DesiredTarget, Tombstone } from "@capstan/proto/desired";
import type { ApplyInput, ApplyResult } from "../apply/model.ts";
import type { TargetHealth } from "../health/model.ts";
import type { TargetStatus } from "../report/model.ts";
import { withSince } from "../report/problems.ts";
import { carryOut } from "./act.ts";
import { objectsOf, permitted, runsHooks } from "./bundle.ts";
import { decide, type Work } from "./decide.ts";
import { healEvents, hookEvents } from "./events.ts";
import { heldInRemoval, hooksHaveRun, notNamed, olderTombstone } from "./kept.ts";
import { type Live, lookAgain, newLive, outcomesOf, suspectDue } from "./live.ts";
import { type Wanted, wantsNothing } from "./model.ts";
import { checkPolicy, modeOf, policyOf, removalOf, rulesOf } from "./policy.ts";
import type { TargetsPorts } from "./port.ts";
import { afterFailure, attemptOf, givenUp, ownBackoff, waitsUntil } from "./retry.ts";
import { rollBackAt } from "./rollback.ts";
import { described, phaseAfter, waitsFault, withHealth, withResult } from "./status.ts";

const observeAgainMs = 300_000;
/** What is waited for is told by the watch; this is for what no watch tells. */
const pendingBackoff = { base: 500, factor: 1.6, cap: 15_000 } as const;
const removalStepMs = { base: 1_000, factor: 1.5, cap: 30_000 } as const;

/**
 * Keeps each target as the desired state wants it, each on its own: what fails waits and is tried again, the others go on.
 * A target that the state no longer names is kept as it is; it leaves only by a tombstone.
 */
export class Targets {
  readonly #ports: TargetsPorts;
  readonly #loop: KeyedLoop;
  readonly #live = new Map<TargetKey, Live>();
  /** Wanted targets that this process has not handled yet. */
  readonly #unseen = new Set<TargetKey>();
  #wanted: Wanted = wantsNothing;
  #signal: AbortSignal = AbortSignal.abort();

  constructor(ports: TargetsPorts) {
    this.#ports = ports;
    this.#loop = new KeyedLoop({
      clock: ports.clock,
      chance: ports.chance,
      concurrency: ports.concurrency,
      backoff: ownBackoff,
      handle: (key, signal) => this.#handle(key as TargetKey, signal),
      onFault: (key, fault) => this.#failed(key as TargetKey, fault),
    });
  }

  /** A state was accepted: every target is looked at. */
  want(wanted: Wanted): void {
    const before = this.#wanted;
    this.#wanted = wanted;
    const keys = [before.targets, wanted.targets, wanted.tombstones].flatMap((one) => [...one.keys()]);
    for (const key of new Set(keys)) {
      if (!this.#live.has(key) && wanted.targets.has(key)) this.#unseen.add(key);
      this.#loop.add(key);
    }
    this.#ports.sink.complete(this.#unseen.size === 0);
  }

  /** The watch suspects that these objects differ from their bundle. */
  suspect(target: TargetKey, objects: ReadonlySet<string>): void {
    const live = this.#of(target);
    for (const key of objects) live.suspects.add(key);
    this.#loop.add(target);
  }

  /** The target's health changed. */
  health(target: TargetKey, health: TargetHealth): void {
    const live = this.#live.get(target);
    if (live === undefined) return;
    const settling = live.status.phase === "Settling";
    this.#show(live, withHealth(live.status, health, this.#ports.clock.now()));
    if (live.waits || (settling && health.status === "Healthy")) this.#loop.add(target);
  }

  /** Runs until the signal aborts. What is owned already is followed from the start. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    for (const target of await this.#ports.applier.owners(signal)) {
      this.#ports.following.track(await this.#ports.applier.inventory(target, signal));
      this.#loop.add(target);
    }
    await this.#loop.run(signal);
  }

  async #handle(key: TargetKey, signal: AbortSignal): Promise<Outcome> {
    try {
      return await this.#once(key, signal);
    } finally {
      if (this.#unseen.delete(key) && this.#unseen.size === 0) this.#ports.sink.complete(true);
    }
  }

  async #once(key: TargetKey, signal: AbortSignal): Promise<Outcome> {
    const target = this.#wanted.targets.get(key);
    if (target !== undefined) return this.#keep(key, target, signal);
    const tombstone = this.#wanted.tombstones.get(key);
    if (tombstone !== undefined) return this.#remove(key, tombstone, signal);
    return this.#orphan(key, signal);
  }

  async #keep(key: TargetKey, target: DesiredTarget, signal: AbortSignal): Promise<Outcome> {
    const { clock } = this.#ports;
    const live = this.#of(key);
    suspectDue(live, clock.now());
    const outcome = await this.#work(key, target, signal);
    if (live.recheck === undefined) return outcome;
    const rest = Math.max(0, live.recheck.at - clock.now());
    return outcome.kind === "again" && outcome.afterMs <= rest ? outcome : again(rest);
  }

  async #work(key: TargetKey, target: DesiredTarget, signal: AbortSignal): Promise<Outcome> {
    const { applier, memories, clock } = this.#ports;
    const live = this.#of(key);
    const memory = memories.get(key);
    live.status = described(live.status, target, { memory, mode: modeOf(target.mode, this.#wanted.clusterMode) });
    const inventory = await applier.inventory(key, signal);
    const digest = memory.rolledBack === undefined ? target.bundle?.digest : memory.previous;
    const looked = live.looked === `${target.generation}@${digest}` && memory.rolledBack?.done !== false;
    const work = decide({ target, inventory, memory, suspects: live.suspects, looked, now: clock.now() });
    switch (work.kind) {
      case "rest":
        return this.#settled(key, target);
      case "hold":
        this.#show(live, { ...live.status, phase: "Waiting", problem: work.fault });
        return work.until === undefined ? done : again(Math.max(1_000, work.until - clock.now()));
      case "apply":
        return this.#applyInTime(key, target, work, signal);
      case "check":
        return this.#check(key, target, work, signal);
      case "act": {
        const asked = { ...work, key, target, clusterMode: this.#wanted.clusterMode };
        const acted = await carryOut(this.#ports, asked, signal);
        this.#show(live, { ...live.status, ...acted });
        return again(0);
      }
    }
  }

  async #applyInTime(
    key: TargetKey,
    target: DesiredTarget,
    work: Work & { kind: "apply" },
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { clock, chance } = this.#ports;
    const live = this.#of(key);
    const attempt = attemptOf(target, work.operation);
    const policy = target.policy?.retry;
    const until = waitsUntil(live.failure, { attempt, policy, now: clock.now() });
    if (until !== undefined) return until === "never" ? done : again(until - clock.now());
    const result = await this.#apply(key, target, work, signal);
    if (result.phase === "Pending") return this.#after(key, target, result);
    if (result.phase !== "Failed") {
      live.failure = undefined;
      live.wentWell = attempt;
      return this.#after(key, target, result);
    }
    for (const fault of result.errors.slice(0, 1)) this.#ports.fault(key, fault);
    const wentWell = live.wentWell === attempt;
    live.failure = afterFailure(live.failure, { attempt, policy, wentWell, now: clock.now(), chance });
    if (live.failure.again !== undefined) return again(live.failure.again - clock.now());
    this.#show(live, { ...live.status, problem: givenUp(target, live.failure) });
    return done;
  }

  async #apply(
    key: TargetKey,
    target: DesiredTarget,
    work: Work & { kind: "apply" },
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    const { memories, clock, bundles } = this.#ports;
    const live = this.#of(key);
    const digest = parseDigest(target.bundle?.digest ?? "");
    const gzip = await bundles.get(target, signal);
    await permitted(this.#ports, target, gzip, signal);
    let memory = memories.get(key);
    const asked = work.operation !== undefined && memory.rolledBack !== undefined;
    if (asked || BigInt(memory.began?.generation ?? 0) !== target.generation) {
      const { rolledBack: _, ...rest } = memory;
      const previous = memory.good === undefined || memory.good === digest ? {} : { previous: memory.good };
      memory = { ...rest, ...previous, began: { generation: Number(target.generation), at: clock.now() } };
      memories.note(key, memory);
    }
    this.#show(live, { ...live.status, phase: "Applying", problem: undefined, rolledBackFrom: "" });
    const plain = this.#input(key, target, gzip);
    const approved = new Set(work.operation === undefined ? [] : target.operation?.approvedPrune);
    // Hooks run once a generation, and once for each operation; not for some objects alone, as in Argo CD.
    const run = { run: `${target.generation}${work.operation === undefined ? "" : `.${work.operation}`}` };
    const force = work.operation !== undefined && target.operation?.force === true;
    const recreate = plain.policy.recreate === true || force;
    const input = { ...plain, policy: { ...plain.policy, approved, recreate }, digest, again: work.again, ...run };
    const result = await this.#pass(live, work.only === undefined ? input : { ...input, only: work.only }, signal);
    if (work.operation !== undefined && result.phase !== "Failed" && result.phase !== "Pending") {
      await memories.set(key, { ...memories.get(key), operation: work.operation });
      this.#show(live, { ...live.status, operation: work.operation });
    }
    return result;
  }

  async #check(
    key: TargetKey,
    target: DesiredTarget,
    work: Work & { kind: "check" },
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { bundles, memories } = this.#ports;
    const live = this.#of(key);
    const { previous, rolledBack } = memories.get(key);
    const back = work.back && previous !== undefined;
    const gzip = back ? await bundles.held(previous, signal) : await bundles.get(target, signal);
    if (gzip === undefined) throw new Fault("not-found", { message: `the cache does not hold ${previous} any more.` });
    const digest = back ? previous : parseDigest(target.bundle?.digest ?? "");
    const again = back && rolledBack?.done === false;
    const plain = this.#input(key, target, gzip);
    const policy = checkPolicy(plain.policy, { closed: work.closed !== undefined, back: back && !again });
    const only = work.only === undefined ? {} : { only: work.only };
    await this.#ports.following.judgeBy(key, rulesOf(target));
    const result = await this.#pass(live, { ...plain, policy, digest, again, ...only }, signal, back);
    if (work.closed !== undefined && plain.policy.selfHeal)
      lookAgain(live, outcomesOf(result, "different"), work.closed);
    if (!back && work.only === undefined && result.phase !== "Failed") live.wentWell = attemptOf(target);
    for (const event of again ? [] : healEvents(key, result)) this.#ports.sink.event(event);
    if (again && result.phase !== "Failed") {
      await memories.set(key, { ...memories.get(key), rolledBack: { ...rolledBack, done: true } });
    }
    return this.#after(key, target, result);
  }

  #input(key: TargetKey, target: DesiredTarget, gzip: Uint8Array): Omit<ApplyInput, "digest"> {
    return {
      target: key,
      namespace: target.destinationNamespace,
      generation: Number(target.generation),
      policy: policyOf(target, this.#wanted.clusterMode),
      objects: objectsOf(this.#ports.bundles, gzip),
    };
  }

  /** One pass of the engine, and what the target's status is after it. */
  async #pass(live: Live, input: ApplyInput, signal: AbortSignal, back = false): Promise<ApplyResult> {
    const { applier, following, clock } = this.#ports;
    const taken = [...(input.only ?? live.suspects)];
    const result = await applier.apply(input, signal);
    // What could not be put right is still suspected, and a look that failed was none.
    for (const key of taken) if (!outcomesOf(result, "failed").has(key)) live.suspects.delete(key);
    if (input.only === undefined && result.phase !== "Failed") live.looked = `${input.generation}@${input.digest}`;
    following.track(result.inventory);
    const { recheck } = result;
    if (recheck !== undefined) lookAgain(live, recheck.objects, clock.now() + recheck.afterMs);
    const wasDone = live.status.phase === "Done" && live.status.generation === BigInt(input.generation);
    const observing = input.policy.mode === "Observe";
    const phase = phaseAfter(result, { observing, back });
    const seen = withResult(live.status, result, input.only);
    live.waits = result.phase === "Pending" && result.waits !== undefined;
    for (const event of hookEvents(input.target, result.hooks)) this.#ports.sink.event(event);
    const settled = wasDone && phase === "Settling" ? "Done" : phase;
    const wrote = result.phase !== "Failed" && input.only === undefined;
    const next = {
      ...seen,
      phase: settled,
      digest: String(input.digest),
      ...(wrote ? { appliedAt: clock.now() } : {}),
    };
    this.#show(live, withHealth(next, following.health(input.target), clock.now()));
    return result;
  }

  #after(key: TargetKey, target: DesiredTarget, result: ApplyResult): Outcome | Promise<Outcome> {
    const live = this.#of(key);
    if (result.phase === "Failed" || result.phase === "Pending") {
      for (const fault of result.errors.slice(0, 1)) this.#ports.fault(key, fault);
      const backoff = result.phase === "Failed" ? ownBackoff : pendingBackoff;
      return again(Math.max(200, backoffDelay(backoff, live.attempts++, this.#ports.chance)));
    }
    live.attempts = 0;
    if (live.status.phase === "Observed") return again(observeAgainMs);
    return this.#settled(key, target);
  }

  /** All is applied: remembers a healthy bundle, and goes back by itself where it may and the health deadline is past. */
  async #settled(key: TargetKey, target: DesiredTarget): Promise<Outcome> {
    const { memories, clock } = this.#ports;
    const live = this.#of(key);
    const memory = memories.get(key);
    if (live.status.phase === "Waiting" || live.status.phase === "Fetching") {
      this.#show(
        live,
        withHealth(
          { ...live.status, phase: "Settling", problem: undefined },
          this.#ports.following.health(key),
          clock.now(),
        ),
      );
    }
    if (memory.rolledBack !== undefined || live.status.phase === "RolledBack") return done;
    if (live.status.health?.status === "Healthy") {
      const good = parseDigest(target.bundle?.digest ?? "");
      if (memory.good !== good) memories.note(key, { ...memory, good });
      return done;
    }
    const at = rollBackAt(target, memory, live.status);
    if (at === undefined) return done;
    const rest = at - clock.now();
    return rest > 0 ? again(rest) : this.#rollBack(key, target);
  }

  async #rollBack(key: TargetKey, target: DesiredTarget): Promise<Outcome> {
    const { memories, clock, bundles, sink } = this.#ports;
    const live = this.#of(key);
    const left = target.bundle?.digest ?? "";
    if (await runsHooks(bundles, left, this.#signal)) {
      this.#show(live, { ...live.status, problem: hooksHaveRun() });
      return done;
    }
    const rolledBack = { generation: Number(target.generation), at: clock.now(), done: false };
    await memories.set(key, { ...memories.get(key), rolledBack });
    const message = `generation ${target.generation} was not healthy in time; back to ${memories.get(key).previous}`;
    sink.event({ reason: "RolledBack", message, target: key });
    live.looked = "";
    return again(0);
  }

  async #remove(key: TargetKey, tombstone: Tombstone, signal: AbortSignal): Promise<Outcome> {
    const { applier, following, memories, sink } = this.#ports;
    const live = this.#of(key);
    const { generation } = await applier.inventory(key, signal);
    if (BigInt(generation) > tombstone.generation) {
      this.#show(live, { ...live.status, phase: "Waiting", problem: olderTombstone(tombstone, generation) });
      return done;
    }
    const { problem } = live.status.phase === "Removing" ? live.status : { problem: undefined };
    this.#show(live, { ...live.status, generation: tombstone.generation, phase: "Removing", problem });
    const result = await applier.remove(removalOf(tombstone), signal);
    for (const event of hookEvents(key, result.hooks)) sink.event(event);
    if (!result.done) {
      this.#show(live, { ...live.status, problem: result.errors[0] ?? heldInRemoval(result) ?? waitsFault(result) });
      return again(Math.max(500, backoffDelay(removalStepMs, live.attempts++, this.#ports.chance)));
    }
    following.untrack(key);
    await memories.set(key, undefined);
    this.#live.delete(key);
    sink.removed({ target: key, generation: tombstone.generation });
    return done;
  }

  /** Not in the desired state, and no tombstone: absence never deletes. */
  async #orphan(key: TargetKey, signal: AbortSignal): Promise<Outcome> {
    const inventory = await this.#ports.applier.inventory(key, signal);
    if (inventory.entries.size === 0) {
      this.#live.delete(key);
      this.#ports.sink.forgotten(key);
      return done;
    }
    if (this.#wanted.revision === 0n) return done;
    const live = this.#of(key);
    live.suspects.clear();
    const { generation, digest } = inventory;
    const kept = { generation: BigInt(generation), digest, phase: "Waiting", problem: notNamed() } as const;
    const status = { ...live.status, ...kept };
    this.#show(live, withHealth(status, this.#ports.following.health(key), this.#ports.clock.now()));
    return done;
  }

  #failed(key: TargetKey, fault: Fault): void {
    this.#ports.fault(key, fault);
    const live = this.#live.get(key);
    if (live === undefined) return;
    const phase = fault.code === "not-found" || fault.code === "hub-unreachable" ? "Fetching" : "Failed";
    this.#show(live, { ...live.status, phase: live.status.phase === "Removing" ? "Removing" : phase, problem: fault });
  }

  #show(live: Live, status: TargetStatus): void {
    live.status = withSince(status, this.#ports.clock.now());
    this.#ports.sink.status(live.status);
  }

  #of(key: TargetKey): Live {
    const known = this.#live.get(key);
    if (known !== undefined) return known;
    const made = newLive(key);
    this.#live.set(key, made);
    return made;
  }
}
