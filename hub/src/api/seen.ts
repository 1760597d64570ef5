import type { ClusterId } from "@capstan/proto";
import { splitLane } from "../rollout/facts.ts";
import { isOver } from "../rollout/fold.ts";
import type { Facts, LaneKey } from "../rollout/model.ts";
import { laneText, type NameIndex, plainText } from "./names.ts";
import type { LaneStanding, World } from "./port.ts";
import { type Row, rowsOf } from "./rows.ts";

/** The fleet as one call sees it: rows once, each lane's standing once. Made by `Sight.now`. */
export class Seen implements NameIndex {
  readonly world: World;
  readonly rows: readonly Row[];
  /** Rows that no cluster's desired state holds: refused, or not yet released to their cluster. */
  readonly undelivered: number;
  readonly standalone: ReadonlySet<string>;
  readonly lanes: readonly LaneKey[];
  readonly past: readonly LaneKey[];
  readonly #standings = new Map<LaneKey, LaneStanding | undefined>();
  readonly #facts = new Map<LaneKey, Facts>();
  readonly #members = new Map<LaneKey, ReadonlyMap<ClusterId, readonly number[]>>();
  #byLane: Map<LaneKey, Row[]> | undefined;
  #crowded: Set<string> | undefined;

  constructor(world: World) {
    this.world = world;
    this.rows = rowsOf(world.releases.states(), world.desired.all());
    this.undelivered = this.rows.filter(({ desired }) => desired === undefined).length;
    const standalone = new Set(
      world.documents.registry.all("Application").map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    );
    for (const { set, owner } of this.rows) if (set === "") standalone.add(owner);
    this.standalone = standalone;
    const lanes = new Set(this.rows.map(({ laneKey }) => laneKey));
    const past: LaneKey[] = [];
    for (const standing of world.rollouts.lanes()) {
      const { lane, wanted, run, pin } = standing;
      this.#standings.set(lane, standing);
      const goes = run !== undefined && !isOver(run.status);
      if ((wanted?.release.targets.length ?? 0) > 0 || goes || pin !== undefined) lanes.add(lane);
      else if (run !== undefined && !lanes.has(lane)) past.push(lane);
    }
    this.lanes = [...lanes].sort();
    this.past = past.sort();
  }

  lane(key: LaneKey): LaneStanding | undefined {
    if (!this.#standings.has(key)) this.#standings.set(key, this.world.rollouts.lane(key));
    return this.#standings.get(key);
  }

  facts(key: LaneKey): Facts {
    const known = this.#facts.get(key) ?? this.world.rollouts.facts(key);
    this.#facts.set(key, known);
    return known;
  }

  /** Indices of a cluster in the lane's newest run. */
  membersOn(key: LaneKey, cluster: ClusterId): readonly number[] {
    const known = this.#members.get(key) ?? membersOf(this.lane(key));
    this.#members.set(key, known);
    return known.get(cluster) ?? [];
  }

  rowsOf(key: LaneKey): readonly Row[] {
    if (this.#byLane === undefined) {
      this.#byLane = new Map();
      for (const row of this.rows) {
        const mine = this.#byLane.get(row.laneKey);
        if (mine === undefined) this.#byLane.set(row.laneKey, [row]);
        else mine.push(row);
      }
    }
    return this.#byLane.get(key) ?? [];
  }

  /** Whether the lane has this target alone on its cluster, so that the lane's name tells it. */
  aloneOn({ laneKey, cluster }: Pick<Row, "laneKey" | "cluster">): boolean {
    if (this.#crowded === undefined) {
      const places = new Set<string>();
      this.#crowded = new Set();
      for (const row of this.rows) {
        const place = `${row.laneKey} ${row.cluster}`;
        if (places.has(place)) this.#crowded.add(place);
        places.add(place);
      }
    }
    return !this.#crowded.has(`${laneKey} ${cluster}`);
  }

  /** The lane as people name it. */
  text(key: LaneKey): string {
    return laneText(key, this.standalone);
  }

  /** A sentence with the lane as people name it. */
  plain(text: string, key: LaneKey): string {
    return plainText(text, key, this.standalone);
  }

  /** `namespace/name` of every set and standalone Application that is known. */
  owners(): ReadonlySet<string> {
    const owners = new Set(this.lanes.map((key) => splitLane(key).owner));
    for (const { owner } of this.world.releases.states()) owners.add(owner);
    for (const kind of ["ApplicationSet", "Application"] as const) {
      for (const { metadata } of this.world.documents.registry.all(kind)) {
        owners.add(`${metadata.namespace}/${metadata.name}`);
      }
    }
    return owners;
  }
}

function membersOf(standing: LaneStanding | undefined): ReadonlyMap<ClusterId, readonly number[]> {
  const members = new Map<ClusterId, number[]>();
  for (const [index, { cluster }] of (standing?.run?.members ?? []).entries()) {
    const known = members.get(cluster);
    if (known === undefined) members.set(cluster, [index]);
    else known.push(index);
  }
  return members;
}

/** Keeps what was seen until something changes: several calls between two changes look once. */
export class Sight {
  readonly #world: World;
  #seen: { readonly at: string; readonly seen: Seen } | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  now(): Seen {
    const { changes, clock } = this.#world;
    // Reasons tell times that pass without any change: so nothing is kept for more than a second.
    const at = `${changes.term()} ${changes.sequence()} ${Math.floor(clock.monotonic() / 1000)}`;
    if (this.#seen?.at !== at) this.#seen = { at, seen: new Seen(this.#world) };
    return this.#seen.seen;
  }
}
