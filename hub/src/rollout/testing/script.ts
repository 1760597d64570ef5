import { type ClusterId, Fault, parseClusterId, targetKey } from "@capstan/proto";
import { parseDocuments } from "../../documents/parse.ts";
import { asRolloutStrategy } from "../../documents/views.ts";
import { checkPlan, checkState } from "../check.ts";
import type { Answer } from "../gate-verbs.ts";
import { approve, promote, reject, skipGate } from "../gate-verbs.ts";
import type {
  ClusterAtPlan,
  Intent,
  PlanInput,
  Release,
  ReleaseTarget,
  RollbackScope,
  Strategy,
  Transition,
} from "../model.ts";
import { laneKey, parseRunId } from "../model.ts";
import { plan, releaseId } from "../plan.ts";
import { followUp, returned, rollback } from "../rollback.ts";
import { allAtOnce, careful, parseStrategy, stagedStrategy } from "../strategy.ts";
import { supersede } from "../supersede.ts";
import { abort, join, pause, resume, retry, skip, start, unlock } from "../verbs.ts";
import { why, whyCluster } from "../why.ts";
import { type Fate, SimFleet, testHash } from "./fleet.ts";
import { changeText, clock, durationOf, epoch, planText } from "./telling.ts";
import { type Recorded, World } from "./world.ts";

const lane = laneKey("apps", "web");

/** Runs the commands of a scenario script and gives what happened, one text for each command. */
export class Script {
  readonly #fleet = new SimFleet(epoch);
  readonly #world: World;
  readonly #labels = new Map<string, Record<string, string>>();
  readonly #releases = new Map<string, Release>();
  #strategy: Strategy = careful();
  #current: Recorded | undefined;
  #count = 0;
  #dieNext = false;
  #out: string[] = [];

  constructor() {
    this.#world = new World(this.#fleet, {
      transitions: (run, lines) => this.#tell(run, lines),
      dies: (dispatch) => {
        if (!this.#dieNext || dispatch.length === 0) return false;
        this.#dieNext = false;
        this.#out.push(`${this.#at()} the hub dies after recording ${dispatch.length} dispatches, and starts again`);
        return true;
      },
    });
  }

  run(line: string): string {
    this.#out = [];
    const [verb = "", ...args] = line.trim().split(/\s+/);
    try {
      this.#do(verb, args);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      this.#out.push(
        `refused (${thrown.code}): ${thrown.message}${thrown.next === undefined ? "" : ` ${thrown.next}`}`,
      );
    }
    const wrong = this.#current === undefined ? [] : checkState(this.#current.state);
    return [...this.#out, ...wrong.map((text) => `WRONG: ${text}`)].join("\n") || "ok";
  }

  #do(verb: string, args: string[]): void {
    const [first = "", ...rest] = args;
    switch (verb) {
      case "fleet":
        for (const id of args) this.#fleet.add(parseClusterId(id));
        return;
      case "label":
        this.#labels.set(first, Object.fromEntries(rest.map((pair) => pair.split("=") as [string, string])));
        return;
      case "strategy":
        this.#strategy = strategyOf(args.join(" "));
        return;
      case "release":
        this.#releases.set(first, this.#release(first, rest));
        return;
      case "holds":
        for (const { cluster, target, content } of this.#named(first).targets)
          this.#fleet.seed(cluster, target, content);
        return;
      case "break":
        for (const id of rest.slice(1)) this.#fates(id as ClusterId, first, rest[0] as Fate);
        return;
      case "offline":
      case "online":
        for (const id of args) this.#fleet.connect(id as ClusterId, verb === "online");
        return;
      case "deaf":
      case "hears":
        for (const id of args) this.#fleet.deafen(id as ClusterId, verb === "deaf");
        return;
      case "leave":
        this.#fleet.clusters.delete(first as ClusterId);
        return;
      case "guard":
        for (const place of rest)
          this.#fleet.heldRemovals.set(
            place.split("@").reverse().map(keyIfTarget).join(" "),
            `the deletion guard holds ${first}`,
          );
        return;
      case "approve-removals":
        this.#fleet.heldRemovals.clear();
        return;
      case "document":
        this.#strategy = documented(first, args.slice(1).join(" "));
        return;
      case "answer":
        this.#world.answers.set(first, { verdict: rest[0] as Answer["verdict"], text: rest.slice(1).join(" ") });
        return;
      case "close":
        this.#fleet.closed.set(first as ClusterId, {
          text: `freeze ${rest[0]} is active`,
          until: this.#fleet.now + durationOf(rest[1] ?? "1h"),
        });
        return;
      case "wait":
        this.#world.until(this.#fleet.now + durationOf(first));
        return;
      case "crash":
        this.#dieNext = true;
        return;
      case "restart":
        this.#world.restart();
        return;
      default:
        this.#rollout(verb, args);
    }
  }

  #rollout(verb: string, args: string[]): void {
    const [first = "", ...rest] = args;
    switch (verb) {
      case "plan":
        this.#plan(this.#input(this.#named(first)));
        return;
      case "newer":
        this.#newer(first);
        return;
      case "rollback":
        this.#rollback(first as RollbackScope, rest[0]);
        return;
      case "catch-up":
        this.#catchUp(first);
        return;
      case "retry-run":
        this.#plan(
          followUp(this.#run.state, this.#intent(), {
            ...this.#onward(),
            kind: "retry",
            release: this.#named(first),
            only: rest as ClusterId[],
          }),
        );
        return;
      case "why":
        this.#why(first);
        return;
      case "show":
        this.#show();
        return;
      default:
        this.#world.take(this.#run, this.#verb(verb, args));
    }
  }

  #verb(verb: string, args: string[]) {
    const { state } = this.#run;
    const intent = this.#intent();
    switch (verb) {
      case "start":
        return start(state, intent);
      case "pause":
        return pause(state, { ...intent, reason: args.join(" ") });
      case "resume":
        return resume(state, intent);
      case "abort":
        return abort(state, { ...intent, reason: args.join(" ") });
      case "approve":
        return approve(
          state,
          { ...intent, actor: args[0] ?? "mira" },
          { groups: args.slice(1), plan: "", stage: "", gate: "" },
        );
      case "approve-plan":
        return approve(state, intent, { groups: [], plan: args[0] ?? "", stage: "", gate: "" });
      case "reject":
        return reject(state, { ...intent, reason: args.join(" ") }, { groups: [], plan: "", stage: "", gate: "" });
      case "skip-gate":
        return skipGate(state, { ...intent, reason: args.slice(1).join(" ") }, { stage: "", gate: args[0] ?? "" });
      case "promote":
        return promote(state, intent);
      case "unlock":
        return unlock(state, intent, args.join(" "));
      case "retry":
        return retry(state, intent, args[0] === "deferred" ? "deferred" : "failed");
      case "skip":
        return skip(state, intent, args as ClusterId[]);
      case "join":
        return join(state, intent, this.#newcomers(args));
      default:
        throw new Error(`no such command: ${verb}`);
    }
  }

  #newcomers([release = "", ...ids]: string[]) {
    return ids.map((id) => {
      const targets = this.#named(release).targets.filter(({ cluster }) => cluster === id);
      const moves = targets.map(({ target, content }) => ({ target, from: null, to: content }));
      return { cluster: parseClusterId(id), moves, deadlineMs: this.#strategy.progressDeadlineMs };
    });
  }

  #plan(input: PlanInput): void {
    const made = plan(input, testHash);
    for (const text of checkPlan(made, testHash)) this.#out.push(`WRONG: ${text}`);
    this.#out.push(...planText(made));
    this.#current = this.#world.add(made);
  }

  #newer(release: string): void {
    const input = this.#input(this.#named(release));
    const { decision, ...verb } = supersede(this.#run.state, input.run, { ...this.#intent(), reason: "" });
    this.#world.take(this.#run, verb);
    this.#out.push(`decision: ${decision}`);
    if (decision === "superseded") this.#plan({ ...input, current: this.#fleet.current() });
  }

  #rollback(scope: RollbackScope, to: string | undefined): void {
    const named = to === undefined ? {} : { to: this.#named(to) };
    const { plan: made } = this.#run;
    const same = [...this.#world.runs.values()].filter((run) => run.plan.release === made.release && run !== this.#run);
    const earlier = same.map(({ state }) => state);
    const request = { ...this.#onward(), scope, earlier, ...named, hash: testHash };
    const { old, input, pin } = rollback(this.#run.state, this.#intent(), request);
    this.#world.take(this.#run, old);
    this.#out.push(`pinned to ${this.#releaseName(pin.release)} by ${pin.by}`);
    this.#plan(input);
  }

  #catchUp(release: string): void {
    const { ready, stale } = returned(this.#run.state, this.#fleet.facts());
    this.#out.push(`ready: ${ready.join(" ") || "none"}; stale: ${stale.join(" ") || "none"}`);
    if (ready.length === 0) return;
    const named = release === "" ? {} : { release: this.#named(release) };
    const request = { ...this.#onward(), kind: "catch-up", ...named, only: ready } as const;
    this.#plan(followUp(this.#run.state, this.#intent(), request));
  }

  #why(cluster: string): void {
    const { state } = this.#run;
    const index = state.members.findIndex((member) => member.cluster === cluster);
    const facts = this.#fleet.facts();
    const reason = cluster === "" ? why(state, facts) : whyCluster(state, index, facts);
    if (reason === null) this.#out.push("nothing waits");
    else
      this.#out.push(`${reason.rule}: ${reason.text}`, `  since ${clock(reason.since)}; to go on: ${reason.unblock}`);
  }

  #show(): void {
    for (const {
      plan: { run },
      state,
    } of this.#world.runs.values()) {
      this.#out.push(`${run} ${state.status.phase}`);
      for (const [at, stage] of state.plan.stages.entries()) {
        const there = state.members.flatMap(({ cluster }, i) => {
          const one = state.clusters[i];
          return one?.stage === at
            ? [`${cluster} ${one.status.is}${one.attempt > 1 ? ` (attempt ${one.attempt})` : ""}`]
            : [];
        });
        this.#out.push(`  ${stage.name} ${state.stages[at]?.status.phase}: ${there.join(", ")}`);
      }
    }
    for (const [id, cluster] of this.#fleet.clusters) {
      const targets = [...cluster.desired].map(
        ([target, { content }]) => `${target.split("/")[1]}=${this.#contentName(content)}`,
      );
      this.#out.push(`${id} should hold ${targets.join(" ") || "nothing"}`);
    }
  }

  get #run(): Recorded {
    if (this.#current === undefined) throw new Error("plan first");
    return this.#current;
  }

  #intent(): Intent {
    return { now: this.#fleet.now, actor: "mira", reason: "asked for" };
  }

  #onward() {
    this.#count += 1;
    return { run: parseRunId(`web-${this.#count}`), current: this.#fleet.current(), clusters: this.#clusters() };
  }

  #clusters(): ClusterAtPlan[] {
    return [...this.#fleet.clusters].map(([id, { connected }]) => ({
      id,
      connected,
      canary: this.#labels.get(id)?.["canary"] === "true",
      labels: this.#labels.get(id) ?? {},
    }));
  }

  #input(release: Release): PlanInput {
    const origin = { kind: "release" } as const;
    const head = { now: this.#fleet.now, actor: "capstan", reason: release.cause.subject, previous: this.#previous() };
    return { ...head, ...this.#onward(), origin, release, strategy: this.#strategy };
  }

  #previous() {
    const current = this.#fleet.current();
    const same = (release: Release) =>
      release.targets.length === current.length &&
      release.targets.every((one) => current.some((is) => is.target === one.target && is.content === one.content));
    return [...this.#releases.values()].find(same)?.id ?? null;
  }

  /** `*`: one target on every cluster; else `target@cluster` each. */
  #release(name: string, places: string[]): Release {
    const all = places.includes("*") ? [...this.#fleet.clusters.keys()].map((id) => `web-${id}@${id}`) : [];
    const targets = [...all, ...places.filter((place) => place !== "*")].map((place): ReleaseTarget => {
      const [target = "", cluster = ""] = place.split("@");
      const labels = this.#labels.get(cluster) ?? {};
      return {
        target: targetKey("argocd", target),
        cluster: parseClusterId(cluster),
        content: testHash(`${name} ${target}`),
        labels,
      };
    });
    const cause = { commit: name, author: "ana", subject: `make it ${name}`, repository: "fleet" };
    return { id: releaseId(lane, targets, testHash), lane, cause, targets };
  }

  #named(name: string): Release {
    const release = this.#releases.get(name);
    if (release === undefined) throw new Error(`no release ${name}`);
    return release;
  }

  #fates(id: ClusterId, release: string, fate: Fate): void {
    for (const { cluster, content } of this.#named(release).targets)
      if (cluster === id) this.#fleet.fate(id, content, fate);
  }

  #releaseName(id: string): string {
    return [...this.#releases].find(([, release]) => release.id === id)?.[0] ?? id.slice(7, 14);
  }

  #contentName(content: string): string {
    return [...this.#releases].find(([, { targets }]) => targets.some((one) => one.content === content))?.[0] ?? "?";
  }

  #tell(run: string, lines: readonly Transition[]): void {
    for (const line of lines)
      this.#out.push(
        `${this.#at()} ${run} ${changeText(line.change, this.#world.runs.get(parseRunId(run))?.plan)} (${line.actor}: ${line.reason})`,
      );
  }

  #at(): string {
    return clock(this.#fleet.now);
  }
}

function keyIfTarget(text: string, at: number): string {
  return at === 1 ? targetKey("argocd", text) : text;
}

/** `spec` of a RolloutStrategy, in one line of YAML. */
function documented(name: string, text: string): Strategy {
  const yaml = `apiVersion: capstan.dev/v1\nkind: RolloutStrategy\nmetadata: {name: ${name}}\nspec: ${text}\n`;
  const { documents, faults } = parseDocuments(yaml, { owner: "cli:test", file: "strategy.yaml", revision: "" });
  const [fault] = faults;
  if (fault !== undefined) throw fault;
  const [document] = documents;
  if (document === undefined) throw new Error("no document");
  return stagedStrategy(name, asRolloutStrategy(document).spec, careful());
}

function strategyOf(text: string): Strategy {
  if (text === "careful") return careful();
  if (text === "AllAtOnce") return allAtOnce();
  const { strategy, warnings } = parseStrategy(JSON.parse(text));
  if (warnings.length > 0) throw new Error(warnings.join("; "));
  return strategy;
}
