import type { ClusterId } from "@capstan/proto";
import { GuardKeeper } from "../guard/keeper.ts";
import { Losses } from "../guard/losses.ts";
import { defaultLimits, type SetGuard } from "../guard/model.ts";
import { setGuardOf } from "../guard/set-guard.ts";
import { splitLane } from "../rollout/facts.ts";
import type { LaneKey, RunState, Transition } from "../rollout/model.ts";
import { RolloutReconciler } from "../rollout/reconciler.ts";
import { strategyNamed } from "./releases.ts";
import type { Wiring } from "./rooms.ts";

/** The deletion guard over what stands. */
export function makeGuard(at: Wiring): GuardKeeper {
  const losses = new Losses({
    clock: at.ports.clock,
    bundleOf: (cluster, target) => {
      const content = at.rooms.distribution.standing.content(cluster, target);
      return content?.target.policy?.keepObjectsOnRemoval === false ? content.bundle.digest : undefined;
    },
    confirms: (cluster, target) => {
      const content = at.rooms.distribution.standing.content(cluster, target);
      return content?.target.policy?.syncOptions.includes("Delete=confirm") === true;
    },
    read: (bundle) => at.ports.vault.read(bundle, new AbortController().signal),
    onRead: () => at.rooms.guard.reconsider(),
  });
  return new GuardKeeper({
    isOf: (lane, target) => {
      const now = at.rooms.distribution.standing.laneOf(target);
      return now === undefined || now === lane;
    },
    protects: ({ cluster, target }) => losses.reason(cluster, target),
    clock: at.ports.clock,
    store: at.ports.stores.guard,
    limits: defaultLimits,
    hash: (text) => at.hash(text),
    onApproved: () => at.rooms.rollouts.wakeAll(),
    holdings: () =>
      at.rooms.distribution.standing
        .all()
        .map(({ key, cluster, owner, ofSet }) => ({ target: key, cluster, set: ofSet ? owner : null })),
    sets: () => setGuards(at),
    setOf: (lane) => {
      const { owner } = splitLane(lane as LaneKey);
      const isSet = at.rooms.documents.registry.get(`ApplicationSet/${owner}`) !== undefined;
      return isSet || at.rooms.distribution.standing.of(owner).some(({ ofSet }) => ofSet) ? owner : null;
    },
  });
}

function setGuards(at: Wiring): ReadonlyMap<string, SetGuard> {
  const guards = new Map<string, SetGuard>();
  for (const { metadata } of at.rooms.documents.registry.all("ApplicationSet")) {
    const { guard } = setGuardOf(metadata.annotations);
    if (guard !== undefined) guards.set(`${metadata.namespace}/${metadata.name}`, guard);
  }
  return guards;
}

/** Rollouts over desired states and reports. */
export function makeRollouts(at: Wiring): RolloutReconciler {
  const { clock, chance, stores, crypto } = at.ports;
  return new RolloutReconciler({
    clock,
    chance,
    store: stores.rollouts,
    packer: crypto,
    assignments: {
      ofLane: (lane) => {
        const { owner, name } = splitLane(lane);
        const standing = at.rooms.distribution.standing.ofLane(owner, name);
        return standing.map(({ key, cluster, content }) => ({ target: key, cluster, content }));
      },
      held: (cluster, target) => {
        const held = at.rooms.distribution.held(cluster)?.targets.get(target);
        return held === undefined ? undefined : { generation: Number(held.generation), content: held.content };
      },
      revision: (cluster) => Number(at.rooms.distribution.held(cluster)?.state.revision ?? 0n),
      content: (cluster, target) => at.rooms.distribution.standing.content(cluster, target),
      laneOf: (target) => at.rooms.distribution.standing.laneOf(target) as LaneKey | undefined,
      assign: (cluster, target, change) => at.rooms.distribution.assign(cluster, target, change),
    },
    clusters: clusterView(at),
    guard: at.rooms.guard,
    gates: at.ports.gates,
    strategyNamed: (reference, namespace) => strategyNamed(at, reference, namespace),
    hash: (text) => at.hash(text),
    isHeld: () => at.rebuilding() !== undefined,
    isSurveying: () => at.rooms.releases.surveying,
    onTransitions: (run, transitions) => logTransitions(at, run, transitions),
    onFault: (lane, fault) => at.logFault(`rollout ${lane}`, fault),
  });
}

function clusterView(at: Wiring) {
  const since = () => at.listeningSince();
  return {
    all: () =>
      at.rooms.clusters.all().map(({ id, labels, cordoned }) => ({
        id,
        connected: at.rooms.sessions.isConnected(id) && !cordoned,
        canary: labels["capstan.dev/canary"] === "true",
        labels,
      })),
    status: (cluster: ClusterId) => {
      const named = at.rooms.clusters.get(cluster);
      if (named === undefined) return undefined;
      const { cordoned } = named;
      return { connected: at.rooms.sessions.isConnected(cluster), cordoned, status: at.rooms.status.of(cluster) };
    },
    get listeningSince() {
      return since();
    },
  };
}

function logTransitions(at: Wiring, { plan }: RunState, transitions: readonly Transition[]): void {
  at.touch();
  for (const { change, reason } of transitions) {
    if (change.of !== "run") continue;
    at.ports.log("info", `rollout ${plan.run}: ${change.to.phase}`, { lane: plan.lane, reason });
  }
}
