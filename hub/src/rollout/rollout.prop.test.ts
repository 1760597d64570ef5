import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClusterId, Fault, type TargetKey, targetKey } from "@capstan/proto";
import fc from "fast-check";
import { recentOf, unavailable } from "./budget.ts";
import { checkPlan, checkState } from "./check.ts";
import { fold, isInFlight, isOver } from "./fold.ts";
import { approve, promote, reject, skipGate } from "./gate-verbs.ts";
import { failedGate, gatesOf, isThrough } from "./gates.ts";
import {
  type Intent,
  laneKey,
  type PlanInput,
  parseRunId,
  type ReleaseTarget,
  type RunState,
  type StepResult,
  type VerbResult,
} from "./model.ts";
import { plan, releaseId } from "./plan.ts";
import { rollback } from "./rollback.ts";
import { soakUntil } from "./soak.ts";
import { atMost } from "./strategy.ts";
import { supersede } from "./supersede.ts";
import { breachOf, denominator, isConcluded, stageLimit, tally } from "./tally.ts";
import { SimFleet, testHash } from "./testing/fleet.ts";
import { afterMs, type Event, type Story, story } from "./testing/story.ts";
import { type Recorded, World } from "./testing/world.ts";
import { abort, join, pause, resume, retry, skip, start } from "./verbs.ts";
import { why, whyCluster, whyStage } from "./why.ts";

// Random fleets, strategies, failures, people and kill points, against the numbered rules of the rollout specification.
const numRuns = process.env["CAPSTAN_FULL"] === "1" ? 10_000 : 500;
const epoch = Date.UTC(2026, 0, 1);
const lane = laneKey("apps", "web");

type PersonsVerb = Exclude<Event["is"], "crash" | "guard" | "approve" | "restart" | "rollback" | "newer"> &
  ("pause" | "resume" | "retry" | "retry-deferred" | "abort" | "join" | "sign" | "reject" | "pass-gate" | "promote");

/** A story under way, and what must hold at each of its steps. */
class Play {
  readonly fleet = new SimFleet(epoch);
  readonly world: World;
  readonly story: Story;
  readonly ids: ClusterId[];
  main: Recorded;
  latest: Recorded;
  #die = false;
  #runs = 1;
  readonly #ended = new Map<string, string>();

  constructor(told: Story) {
    this.story = told;
    this.ids = told.clusters.map((_, n) => `c${`${n}`.padStart(2, "0")}` as ClusterId);
    this.world = new World(this.fleet, {
      transitions: () => undefined,
      dies: (dispatch) => this.#die && dispatch.length > 0 && !(this.#die = false),
      stepped: (run, before, result) => this.#stepped(run, before, result),
    });
    for (const [n, id] of this.ids.entries()) {
      const one = told.clusters[n];
      this.fleet.add(id, one?.connected === true);
      if (one?.has === true) this.fleet.seed(id, this.#target(n), this.content("r1", n));
      this.fleet.fate(id, this.content("r2", n), one?.fate ?? "healthy");
    }
    const from = this.ids[told.moves[0]];
    if (from !== undefined) this.fleet.seed(from, this.#mover, this.content("r1", 99));
    if (told.clusters.length % 3 > 0) this.world.answers.set("errors", { verdict: "good", text: "0" });
    this.main = this.world.add(this.#plan());
    this.latest = this.main;
    this.world.take(this.main, start(this.main.state, this.intent));
  }

  get intent(): Intent {
    return { now: this.fleet.now, actor: "mira", reason: "" };
  }

  get #mover(): TargetKey {
    return targetKey("argocd", "mover");
  }

  #target(n: number): TargetKey {
    return targetKey("argocd", `web-${n}`);
  }

  content(release: string, n: number) {
    return testHash(`${release} ${n}`);
  }

  #plan(release = "r2") {
    const made = plan(this.#input(release), testHash);
    assert.deepEqual(checkPlan(made, testHash), []);
    assert.equal(plan(this.#input(release), testHash).hash, made.hash, "rule 1: the same input has the same hash");
    return made;
  }

  #input(release: string): PlanInput {
    const targets: ReleaseTarget[] = this.ids.flatMap((cluster, n) => {
      const one = this.story.clusters[n];
      if (one?.wanted !== true) return [];
      return [{ target: this.#target(n), cluster, content: this.content(release, n), labels: { env: one.env } }];
    });
    const to = this.ids[this.story.moves[1]];
    if (to !== undefined)
      targets.push({ target: this.#mover, cluster: to, content: this.content("r1", 99), labels: { env: "dev" } });
    const cause = { commit: release, author: "ana", subject: release, repository: "fleet" };
    return {
      ...this.#onward(),
      origin: { kind: "release" },
      now: this.fleet.now,
      actor: "capstan",
      reason: "",
      release: { id: releaseId(lane, targets, testHash), lane, cause, targets },
      previous: null,
      strategy: this.story.strategy,
    };
  }

  #onward() {
    const clusters = [...this.fleet.clusters].map(([id, { connected }]) => {
      const env = this.story.clusters[this.ids.indexOf(id)]?.env;
      return { id, connected, labels: env === undefined ? {} : { env } };
    });
    return { run: parseRunId(`web-${this.#runs}`), current: this.fleet.current(), clusters };
  }

  play(): void {
    for (const { afterMs: after, event: what } of this.story.events) {
      this.world.until(this.fleet.now + after);
      try {
        this.#happen(what);
      } catch (thrown) {
        // People ask for what cannot be; they are told so.
        if (!(thrown instanceof Fault)) throw thrown;
      }
    }
    this.world.until(this.fleet.now + 3_600_000);
    for (const run of this.world.runs.values()) this.#atRest(run);
  }

  #happen(what: Event): void {
    if ("who" in what) {
      const id = this.ids[what.who];
      if (id !== undefined && this.fleet.clusters.has(id)) this.#toCluster(what.is, id, what.who);
      return;
    }
    if (what.is === "crash") this.#die = true;
    else if (what.is === "guard") this.#guard();
    else if (what.is === "approve") this.fleet.heldRemovals.clear();
    else if (what.is === "restart") this.world.restart();
    else if (what.is === "rollback") this.#rollback();
    else if (what.is === "newer") this.#newer();
    else this.world.take(this.latest, this.#verb(what.is));
  }

  #toCluster(is: string, id: ClusterId, n: number): void {
    if (is === "offline" || is === "online") this.fleet.connect(id, is === "online");
    else if (is === "leave") this.fleet.clusters.delete(id);
    else if (is === "deaf" || is === "hears") this.fleet.deafen(id, is === "deaf");
    else if (is === "close") this.fleet.closed.set(id, { text: "a freeze", until: this.fleet.now + 300_000 });
    else if (is === "skip") this.world.take(this.latest, skip(this.latest.state, this.intent, [id]));
    else this.fleet.fate(id, this.content("r2", n), is === "mend" ? "healthy" : "degraded");
  }

  #guard(): void {
    for (const { cluster, target } of this.fleet.current()) this.fleet.heldRemovals.set(`${cluster} ${target}`, "held");
  }

  #verb(is: PersonsVerb): VerbResult {
    const { state } = this.latest;
    const word = { groups: [], plan: "", stage: "", gate: "" };
    switch (is) {
      case "sign":
        return approve(state, this.intent, word);
      case "reject":
        return reject(state, this.intent, word);
      case "pass-gate":
        return skipGate(state, { ...this.intent, reason: "in a hurry" }, word);
      case "promote":
        return promote(state, this.intent);
      case "pause":
        return pause(state, this.intent);
      case "resume":
        return resume(state, this.intent);
      case "retry":
        return retry(state, this.intent, "failed");
      case "retry-deferred":
        return retry(state, this.intent, "deferred");
      case "abort":
        return abort(state, this.intent);
      case "join": {
        const cluster = `new-${state.members.length}` as ClusterId;
        this.fleet.add(cluster);
        const move = { target: targetKey("argocd", cluster), from: null, to: testHash(cluster) };
        return join(state, this.intent, [{ cluster, moves: [move], deadlineMs: 600_000 }]);
      }
    }
  }

  #rollback(): void {
    if (this.latest !== this.main) return;
    this.#runs += 1;
    const { old, input } = rollback(this.main.state, this.intent, {
      ...this.#onward(),
      scope: "touched",
      hash: testHash,
    });
    this.world.take(this.main, old);
    this.latest = this.world.add(plan(input, testHash));
    assert.deepEqual(checkPlan(this.latest.plan, testHash), []);
    this.world.take(this.latest, start(this.latest.state, this.intent));
  }

  #newer(): void {
    this.#runs += 1;
    const { decision, ...verb } = supersede(this.latest.state, parseRunId(`web-${this.#runs}`), this.intent);
    this.world.take(this.latest, verb);
    if (decision === "queue") return;
    this.latest = this.world.add(this.#plan("r3"));
    this.world.take(this.latest, start(this.latest.state, this.intent));
  }

  #stepped(run: Recorded, before: RunState, result: StepResult): void {
    const { state, transitions } = result;
    assert.deepEqual(checkState(state), []);
    this.#gated(state, transitions);
    const changes = transitions.map(({ change }) => change).filter((change) => change.of === "cluster");
    const starts = changes.filter(({ to }) => to.is === "Dispatched" && to.recall !== true);
    const counts = tally(state);
    if (starts.length > 0) {
      assert.equal(state.status.phase, "Running", `rule 4 and 6: ${state.status.phase} starts nothing`);
      assert.ok(!this.#breached(before), "rule 4: after a breach nothing new starts");
      assert.equal(failedGate(before), undefined, "after a failed gate nothing new starts");
    }
    for (const { index } of starts) this.#started(state, before, index, counts);
    for (const { change } of transitions) {
      if (change.of === "restage")
        assert.equal(before.clusters[change.index]?.attempt, 0, "rule 11: started ones stay");
      if (change.of !== "cluster") continue;
      const was = before.clusters[change.index]?.status.is;
      const soaked = change.to.is === "Failed" && this.#soaks(before, change.index);
      assert.ok(was !== "Done" || change.to.is === "RolledBack" || soaked, "rule 11: finished ones stay finished");
      if (change.to.is === "Done") this.#done(state, change.index);
    }
    this.#explained(state);
    const ended = this.#ended.get(run.plan.run);
    assert.ok(ended === undefined, "terminal states never change");
    if (isOver(state.status)) this.#ended.set(run.plan.run, state.status.phase);
  }

  #breached(state: RunState): boolean {
    return state.plan.strategy.onFailure !== "continue" && breachOf(state.plan, tally(state)) !== undefined;
  }

  /** Whether the cluster's stage, or the gate after it, still watches it. */
  #soaks(state: RunState, index: number): boolean {
    const mine = state.clusters[index]?.stage ?? -1;
    return state.plan.stages.some((stage, at) => {
      const { phase } = state.stages[at]?.status ?? { phase: "Pending" };
      return (phase === "Soaking" || phase === "AfterTasks") && (stage.covers ?? [at]).includes(mine);
    });
  }

  /** No stage passes its gates or its soak: what starts has every gate before it behind it. */
  #gated(state: RunState, transitions: StepResult["transitions"]): void {
    for (const { change, at: when } of transitions) {
      if (change.of === "cluster" && change.to.is === "Dispatched" && change.to.recall !== true) {
        const at = state.clusters[change.index]?.stage ?? 0;
        const stage = state.plan.stages[at];
        const run = state.stages[at];
        assert.ok(
          stage && run && gatesOf(stage, run, "before").every((gate) => isThrough(gate.run.is)),
          "no gate is forgotten",
        );
        const fact = this.fleet.facts().closed?.(state.members[change.index]?.cluster as ClusterId, []);
        assert.ok(fact === undefined || state.plan.origin.kind === "rollback", "no window is passed");
      }
      if (change.of !== "stage" || change.to.phase !== "Succeeded") continue;
      const stage = state.plan.stages[change.stage];
      const run = state.stages[change.stage];
      assert.ok(
        stage && run && gatesOf(stage, run, "after").every((gate) => isThrough(gate.run.is)),
        "no gate is forgotten",
      );
      const until = soakUntil(state, change.stage);
      assert.ok(until === null || until <= when, "no soak is cut short");
    }
  }

  #started(state: RunState, before: RunState, index: number, counts: ReturnType<typeof tally>): void {
    const run = state.clusters[index];
    const member = state.members[index];
    assert.ok(run !== undefined && member !== undefined);
    const stage = state.plan.stages[run.stage];
    const stageRun = state.stages[run.stage];
    const count = counts[run.stage];
    assert.ok(stage !== undefined && stageRun !== undefined && count !== undefined);
    const limit = stageLimit(stage, stageRun, count);
    assert.ok(
      limit === null || count.inFlight <= Math.max(limit, 1),
      `rule 3: ${count.inFlight} in flight, limit ${limit}`,
    );
    this.#paced(state, run.stage);
    assert.equal(run.attempt, (before.clusters[index]?.attempt ?? 0) + 1, "rule 2: one dispatch an attempt");
    assert.ok(!isInFlight(before.clusters[index]?.status ?? { is: "Pending" }), "rule 2: one dispatch at a time");
    for (const move of member.moves) {
      if (move.to !== null) continue;
      assert.ok(!this.fleet.heldRemovals.has(`${member.cluster} ${move.target}`), "what the guard holds does not go");
      const earlier = state.stages.slice(0, run.stage);
      assert.ok(earlier.every(isConcluded), "rule 18: removals come last");
      if (move.successor === undefined) continue;
      const { desired, reported } = this.fleet.facts().of(move.successor)?.target(move.target) ?? {};
      assert.ok(desired && reported && reported.generation >= desired.generation, "rule 18: the successor is there");
      assert.equal(reported.health, "Healthy", "rule 18: and healthy");
    }
  }

  /** Rates and unavailability stay within what was allowed, counted right after a start. */
  #paced(state: RunState, at: number): void {
    const { rateLimit } = state.plan.strategy;
    const recent = recentOf(state, this.fleet.now);
    if (rateLimit?.perMinute) assert.ok(recent.all.length <= rateLimit.perMinute, "the rate is kept");
    for (const times of recent.byKey.values())
      assert.ok(times.length <= (rateLimit?.per?.perMinute ?? times.length), "by key");
    const count = tally(state)[at];
    const most = atMost(state.plan.stages[at]?.maxUnavailable ?? null, count === undefined ? 0 : denominator(count));
    if (most !== null)
      assert.ok(unavailable(state, at) <= Math.max(1, most), "rule 4: unavailable stays within its budget");
  }

  /** Rule 8: healthy for as long as was asked, at the generation that was dispatched. */
  #done(state: RunState, index: number): void {
    const member = state.members[index];
    for (const move of member?.moves ?? []) {
      const fact = this.fleet
        .facts()
        .of(member?.cluster as ClusterId)
        ?.target(move.target);
      assert.equal(fact?.desired?.content ?? null, move.to, "rule 8: at the dispatched content");
      if (move.to === null) continue;
      assert.ok(
        fact?.reported && fact.desired && fact.reported.generation >= fact.desired.generation,
        "rule 8: not an older report",
      );
      assert.equal(fact.reported.health, "Healthy");
      assert.ok(this.fleet.now - fact.reported.healthSince >= state.plan.strategy.stableForMs, "rule 8: stable");
    }
  }

  /** Rule 16. */
  #explained(state: RunState): void {
    const facts = this.fleet.facts();
    if (!isOver(state.status)) assert.ok(why(state, facts), `rule 16: ${state.status.phase}`);
    for (const [at, stage] of state.stages.entries()) {
      if (!isOver(state.status) && !isConcluded(stage)) assert.ok(whyStage(state, at, facts), `rule 16: stage ${at}`);
    }
    const final = ["Done", "RolledBack", "Skipped", "Removed", "Superseded"];
    for (const [index, { status }] of state.clusters.entries()) {
      const reason = whyCluster(state, index, facts);
      assert.equal(reason === null, final.includes(status.is), `rule 16: ${status.is}`);
      if (reason !== null) assert.ok(reason.text !== "" && reason.unblock !== "" && reason.since <= facts.now);
    }
  }

  #atRest(run: Recorded): void {
    const again = fold(run.plan, run.record);
    assert.deepEqual(
      JSON.parse(JSON.stringify(again)),
      JSON.parse(JSON.stringify(run.state)),
      "rule 19: the record tells it all",
    );
    for (const [at, line] of run.record.entries())
      assert.ok(line.seq === at + 1 && line.actor !== "" && line.at >= epoch);
    const { phase } = run.state.status;
    const resting = ["Paused", "Held", "RollingBack"].includes(phase) || isOver(run.state.status);
    assert.ok(resting || this.#waitsForAgents(run.state), `after an hour the run is ${phase}`);
    if (phase === "RolledBack") this.#bytesAreBack(run.state);
  }

  /** An agent that never takes its state while its deadline stands still, or a call-back that cannot be written. */
  #waitsForAgents(state: RunState): boolean {
    return why(state, this.fleet.facts())?.rule === "offline";
  }

  /** Rule 14: where the rollback went through, the digests are those of before. */
  #bytesAreBack(state: RunState): void {
    if (this.latest.plan.origin.kind !== "rollback") return;
    for (const [index, { cluster, moves }] of state.members.entries()) {
      if (state.clusters[index]?.status.is !== "RolledBack" || !this.fleet.clusters.has(cluster)) continue;
      const back = this.latest.state.clusters.filter((_, at) => this.latest.state.members[at]?.cluster === cluster);
      if (back.length === 0 || back.some((one) => one.status.is !== "Done")) continue;
      for (const move of moves) {
        const { desired } = this.fleet.facts().of(cluster)?.target(move.target) ?? {};
        // What was nowhere before stays, unless it came from another cluster.
        if (move.from !== null) assert.equal(desired?.content ?? null, move.from, "rule 14");
      }
    }
  }
}

test("rules hold over random fleets, failures, people and kill points", () => {
  fc.assert(
    fc.property(story, (told) => new Play(told).play()),
    { numRuns },
  );
});

/** Kill points only: everything else happens as it would have. */
test("rule 12: a hub that dies anywhere comes to the same end, with the same writes", () => {
  const calm = story.map((told) => ({
    ...told,
    clusters: told.clusters.map((one) => ({ ...one, connected: true })),
    events: [],
  }));
  const kills = fc.array(fc.record({ afterMs, is: fc.constantFrom("crash" as const, "restart" as const) }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(calm, kills, (told, when) => {
      const undisturbed = new Play(told);
      undisturbed.play();
      const events = when.map(({ afterMs: after, is }) => ({ afterMs: after, event: { is } }));
      const killed = new Play({ ...told, events });
      killed.play();
      assert.equal(killed.main.state.status.phase, undisturbed.main.state.status.phase);
      const ends = (run: Recorded) => run.state.clusters.map(({ status, attempt }) => [status.is, attempt]);
      assert.deepEqual(ends(killed.main), ends(undisturbed.main));
      assert.equal(killed.fleet.writes, undisturbed.fleet.writes, "nobody is dispatched twice");
    }),
    { numRuns },
  );
});
