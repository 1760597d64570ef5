import type { ClusterId, Digest, Instant, TargetKey } from "@capstan/proto";
import type { Assigned, Closed, ClusterFact, Dispatch, Facts, Health, Phase, RunPhase, TargetFact } from "../model.ts";

/** How a content turns out on a cluster. `stuck`: it stays Progressing. */
export type Fate = "healthy" | "degraded" | "apply" | "stuck";

/** A hash for tests: spread well enough, pure, and of the right shape. */
export function testHash(text: string): Digest {
  let a = 0x811c9dc5;
  let b = 0x1234567;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    a = Math.imul(a ^ code, 0x01000193) >>> 0;
    b = (Math.imul(b, 31) + code) >>> 0;
  }
  const hex = a.toString(16).padStart(8, "0") + b.toString(16).padStart(8, "0");
  return `sha256:${hex.repeat(4)}` as Digest;
}

interface SimTarget {
  readonly generation: number;
  readonly content: Digest;
  /** When the agent took it. */
  readonly at: Instant;
}

interface SimCluster {
  connected: boolean;
  /** Connected, but it does not take what it is told. */
  deaf: boolean;
  lastSeen: Instant;
  revision: number;
  readonly desired: Map<TargetKey, { generation: number; content: Digest }>;
  readonly held: Map<TargetKey, SimTarget>;
  readonly healthSince: Map<TargetKey, { health: Health; at: Instant }>;
  readonly fates: Map<Digest, Fate>;
}

const applyMs = 1_000;
const progressMs = 4_000;

/** A fleet of clusters whose agents apply what the desired states say: 1 s to take it, 3 s more to its fate. */
export class SimFleet {
  readonly clusters = new Map<ClusterId, SimCluster>();
  readonly heldRemovals = new Map<string, string>();
  /** Windows in the way, by cluster. */
  readonly closed = new Map<ClusterId, Closed>();
  now: Instant;
  listeningSince: Instant;
  /** Every write of a desired state that changed something. */
  writes = 0;

  constructor(now: Instant) {
    this.now = now;
    this.listeningSince = now;
  }

  add(id: ClusterId, connected = true): void {
    const maps = { desired: new Map(), held: new Map(), healthSince: new Map(), fates: new Map() };
    this.clusters.set(id, { connected, deaf: false, lastSeen: this.now, revision: 0, ...maps });
  }

  /** Gives a cluster a target that it holds, healthy, since long ago. */
  seed(id: ClusterId, target: TargetKey, content: Digest): void {
    const cluster = this.#of(id);
    cluster.revision += 1;
    cluster.desired.set(target, { generation: cluster.revision, content });
    cluster.held.set(target, { generation: cluster.revision, content, at: this.now - 86_400_000 });
    cluster.healthSince.set(target, { health: "Healthy", at: this.now - 86_400_000 });
  }

  connect(id: ClusterId, connected: boolean): void {
    const cluster = this.#of(id);
    cluster.lastSeen = this.now;
    cluster.connected = connected;
  }

  deafen(id: ClusterId, deaf: boolean): void {
    this.#of(id).deaf = deaf;
  }

  fate(id: ClusterId, content: Digest, fate: Fate): void {
    this.#of(id).fates.set(content, fate);
  }

  /** What distribution does: the same dispatch again changes nothing. */
  dispatch({ cluster: id, moves, again, id: operation }: Dispatch): void {
    const cluster = this.clusters.get(id);
    if (cluster === undefined) return;
    const fresh = again && !this.#operations.has(operation);
    this.#operations.add(operation);
    const changed = moves.filter(({ target, to }) => fresh || (cluster.desired.get(target)?.content ?? null) !== to);
    if (changed.length === 0) return;
    cluster.revision += 1;
    this.writes += 1;
    for (const { target, to } of changed) {
      if (to === null) cluster.desired.delete(target);
      else cluster.desired.set(target, { generation: cluster.revision, content: to });
    }
  }

  readonly #operations = new Set<string>();

  /** Agents look at their desired states. */
  tick(now: Instant): void {
    this.now = now;
    for (const cluster of this.clusters.values()) {
      if (!cluster.connected) continue;
      cluster.lastSeen = now;
      if (cluster.deaf) continue;
      for (const target of cluster.held.keys()) if (!cluster.desired.has(target)) cluster.held.delete(target);
      for (const [target, { generation, content }] of cluster.desired) {
        if ((cluster.held.get(target)?.generation ?? 0) < generation)
          cluster.held.set(target, { generation, content, at: now });
        this.#remember(cluster, target);
      }
    }
  }

  /** When an agent has something new to say. */
  nextChange(): Instant | null {
    let next: Instant | null = null;
    for (const cluster of this.clusters.values()) {
      if (!cluster.connected) continue;
      for (const { at } of cluster.held.values()) {
        for (const due of [at + applyMs, at + progressMs])
          if (due > this.now && (next === null || due < next)) next = due;
      }
    }
    return next;
  }

  current(): Assigned[] {
    return [...this.clusters].flatMap(([cluster, sim]) =>
      [...sim.desired].map(([target, { content }]) => ({ cluster, target, content })),
    );
  }

  facts(rollback?: RunPhase): Facts {
    return {
      now: this.now,
      listeningSince: this.listeningSince,
      of: (id) => this.#fact(id),
      closed: (id) => {
        const closed = this.closed.get(id);
        return closed !== undefined && closed.until > this.now ? closed : undefined;
      },
      heldRemoval: (id, target) => this.heldRemovals.get(`${id} ${target}`),
      ...(rollback === undefined ? {} : { rollback }),
    };
  }

  #fact(id: ClusterId): ClusterFact | undefined {
    const cluster = this.clusters.get(id);
    if (cluster === undefined) return undefined;
    const { connected, lastSeen, revision } = cluster;
    return { connected, lastSeen, revision, target: (target) => this.#target(cluster, target) };
  }

  #target(cluster: SimCluster, target: TargetKey): TargetFact {
    const desired = cluster.desired.get(target) ?? null;
    const held = cluster.held.get(target);
    if (held === undefined) return { desired, reported: null };
    const { phase, health, error } = this.#condition(cluster, held);
    const healthSince = cluster.healthSince.get(target)?.at ?? held.at;
    return { desired, reported: { generation: held.generation, phase, health, healthSince, error } };
  }

  #condition(cluster: SimCluster, held: SimTarget): { phase: Phase; health: Health; error: string } {
    const age = this.now - held.at;
    const fate = cluster.fates.get(held.content) ?? "healthy";
    if (age < applyMs) return { phase: "Applying", health: "Progressing", error: "" };
    if (fate === "apply") return { phase: "Failed", health: "Missing", error: "Deployment web: field is immutable" };
    if (age < progressMs || fate === "stuck") return { phase: "Applied", health: "Progressing", error: "" };
    if (fate === "degraded")
      return { phase: "Applied", health: "Degraded", error: "Deployment web: 0/3 ready, CrashLoopBackOff" };
    return { phase: "Applied", health: "Healthy", error: "" };
  }

  #remember(cluster: SimCluster, target: TargetKey): void {
    const held = cluster.held.get(target);
    if (held === undefined) return;
    const { health } = this.#condition(cluster, held);
    if (cluster.healthSince.get(target)?.health !== health) cluster.healthSince.set(target, { health, at: this.now });
  }

  #of(id: ClusterId): SimCluster {
    const cluster = this.clusters.get(id);
    if (cluster === undefined) throw new Error(`no cluster ${id}`);
    return cluster;
  }
}
