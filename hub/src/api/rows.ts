import type { ClusterId, Digest, Fault, TargetKey } from "@capstan/proto";
import { targetKey } from "@capstan/proto";
import type { DesiredTarget, Release as ReleaseMessage } from "@capstan/proto/desired";
import type { Held } from "../distribution/model.ts";
import type { OwnerState, WantedLane } from "../releases/model.ts";
import { type LaneKey, laneKey } from "../rollout/model.ts";
import type { Target } from "../targets/model.ts";

/** One target on one cluster: what is asked of it, and what the cluster's desired state says of it. */
export interface Row {
  readonly key: TargetKey;
  /** Empty: it was refused before its cluster was known. */
  readonly cluster: ClusterId;
  /** `namespace/name` of its set, or of itself. */
  readonly owner: string;
  /** Its set as `namespace/name`; empty: standalone. */
  readonly set: string;
  /** The lane's name in its owner. */
  readonly lane: string;
  readonly laneKey: LaneKey;
  /** As the documents ask for it; undefined: they no longer do, or it could not be made. */
  readonly asked: Target | undefined;
  readonly desired: DesiredTarget | undefined;
  /** Identity of what the desired state holds. */
  readonly held: Digest | undefined;
  /** What the lane's wanted release gives it; undefined: it should leave. */
  readonly wanted: { readonly content: Digest; readonly target: DesiredTarget | undefined } | undefined;
  readonly wantedRelease: ReleaseMessage | undefined;
  readonly fault: Fault | undefined;
}

type Mutable = { -readonly [K in keyof Row]: Row[K] };

/** Every target of the fleet: asked for, held, or refused; by key, then cluster. Pure, linear. */
export function rowsOf(states: Iterable<OwnerState>, held: Iterable<[ClusterId, Held]>): readonly Row[] {
  const rows = new Map<string, Mutable>();
  for (const [cluster, { state, targets }] of held) {
    for (const target of state.targets) {
      const key = targetKey(target.namespace, target.name);
      const owner = target.set === "" ? key : target.set;
      rows.set(`${key} ${cluster}`, {
        ...blank(key, cluster, { owner, set: target.set, lane: target.lane }),
        desired: target,
        held: targets.get(key)?.content,
      });
    }
  }
  for (const state of states) takeState(rows, state);
  return [...rows.values()].sort((a, b) => compare(a.key, b.key) || compare(a.cluster, b.cluster));
}

function takeState(rows: Map<string, Mutable>, state: OwnerState): void {
  const { owner, kind, targets, targetFaults } = state;
  const set = kind === "ApplicationSet" ? owner : "";
  for (const lane of state.lanes) {
    const release = wantedRelease(lane);
    for (const { target: key, cluster, content } of lane.release.targets) {
      const row = rowAt(rows, key, cluster, { owner, set, lane: lane.name });
      const asked = targets.get(key);
      row.asked = asked?.cluster === cluster ? asked : undefined;
      row.wanted = { content, target: lane.contents.get(content)?.target };
      row.wantedRelease = content === row.held ? row.desired?.release : release;
    }
  }
  const byKey = targetFaults.size === 0 ? new Map<TargetKey, Mutable[]>() : grouped(rows, owner);
  for (const [key, fault] of targetFaults) {
    const asked = targets.get(key);
    const mine = byKey.get(key) ?? [];
    const row =
      mine.find(({ cluster }) => cluster === asked?.cluster) ??
      (asked === undefined ? mine[0] : undefined) ??
      rowAt(rows, key, asked?.cluster ?? ("" as ClusterId), { owner, set, lane: nameOf(key) });
    row.asked ??= asked;
    row.fault = fault;
  }
}

function grouped(rows: ReadonlyMap<string, Mutable>, owner: string): Map<TargetKey, Mutable[]> {
  const byKey = new Map<TargetKey, Mutable[]>();
  for (const row of rows.values()) {
    if (row.owner !== owner) continue;
    const known = byKey.get(row.key);
    if (known === undefined) byKey.set(row.key, [row]);
    else known.push(row);
  }
  return byKey;
}

interface Belonging {
  readonly owner: string;
  readonly set: string;
  readonly lane: string;
}

function rowAt(rows: Map<string, Mutable>, key: TargetKey, cluster: ClusterId, belongs: Belonging): Mutable {
  const place = `${key} ${cluster}`;
  const row = rows.get(place) ?? blank(key, cluster, belongs);
  rows.set(place, row);
  return row;
}

function blank(key: TargetKey, cluster: ClusterId, { owner, set, lane }: Belonging): Mutable {
  return {
    key,
    cluster,
    owner,
    set,
    lane,
    laneKey: laneKey(owner, lane),
    asked: undefined,
    desired: undefined,
    held: undefined,
    wanted: undefined,
    wantedRelease: undefined,
    fault: undefined,
  };
}

/** The lane's wanted release as people read it; undefined where all of its targets stay as they are. */
export function wantedRelease({
  release,
  contents,
}: Pick<WantedLane, "release" | "contents">): ReleaseMessage | undefined {
  for (const { target } of contents.values()) if (target.release?.id === release.id) return target.release;
  return undefined;
}

function nameOf(key: TargetKey): string {
  return key.slice(key.indexOf("/") + 1);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
