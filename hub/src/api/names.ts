import { type ClusterId, Fault, parseTargetKey } from "@capstan/proto";
import { splitLane } from "../rollout/facts.ts";
import type { LaneKey } from "../rollout/model.ts";
import type { Row } from "./rows.ts";

/** What names are looked up in. */
export interface NameIndex {
  readonly rows: readonly Row[];
  /** Lanes that have targets, a wanted release, a run that goes, or a pin. */
  readonly lanes: readonly LaneKey[];
  /** Lanes of which only ended runs are left: meant where no other has the name. */
  readonly past: readonly LaneKey[];
  /** Owners that are standalone Applications, as `namespace/name`. */
  readonly standalone: ReadonlySet<string>;
}

/** A lane as people name it: `SET:LANE`, or the Application's own name. */
export function laneText(key: LaneKey, standalone: ReadonlySet<string>): string {
  const { owner, name } = splitLane(key);
  const own = parseTargetKey(owner).name;
  return standalone.has(owner) ? own : `${own}:${name}`;
}

/** A sentence with lanes as people name them. */
export function plainText(text: string, key: LaneKey, standalone: ReadonlySet<string>): string {
  return text.replaceAll(key, laneText(key, standalone));
}

/** Every lane that the text may mean: `LANE`, `SET:LANE`, either with `NAMESPACE/` before it, or a standalone Application. */
export function lanesNamed(text: string, { lanes, past, standalone }: NameIndex): readonly LaneKey[] {
  const called = (key: LaneKey) => {
    const { owner, name } = splitLane(key);
    if (text === key || text === name || text === laneText(key, standalone)) return true;
    return standalone.has(owner) && text === owner;
  };
  const found = lanes.filter(called);
  return found.length > 0 ? found : past.filter(called);
}

/** The one lane that is meant. Throws `not-found`, or `bad-input` with all that it may mean. */
export function oneLane(text: string, index: NameIndex): LaneKey {
  const found = lanesNamed(text, index);
  const [only] = found;
  if (found.length === 1 && only !== undefined) return only;
  if (only === undefined) {
    const byTarget = new Set(rowsNamed(text, index.rows).map((row) => row.laneKey));
    const [lane] = byTarget;
    if (byTarget.size === 1 && lane !== undefined) return lane;
    throw new Fault("not-found", { message: `no lane is called ${text}.`, next: "See: capstan get sets" });
  }
  const names = found.map((key) => (distinct(found, index.standalone) ? laneText(key, index.standalone) : key));
  throw ambiguous(text, "lanes", names);
}

function distinct(keys: readonly LaneKey[], standalone: ReadonlySet<string>): boolean {
  return new Set(keys.map((key) => laneText(key, standalone))).size === keys.length;
}

/** Targets called so: by `NAME` or `NAMESPACE/NAME`. */
export function rowsNamed(text: string, rows: readonly Row[]): readonly Row[] {
  return rows.filter(({ key }) => key === text || keyName(key) === text);
}

function keyName(key: string): string {
  return key.slice(key.indexOf("/") + 1);
}

/**
 * The targets that a person means: `NAME`, `NAMESPACE/NAME`, or a lane with a cluster (then perhaps several).
 * Throws `not-found`, or `bad-input` with all that it may mean.
 */
export function targetsMeant(text: string, cluster: string, index: NameIndex): readonly Row[] {
  const on = (row: Row) => cluster === "" || row.cluster === cluster;
  const named = rowsNamed(text, index.rows).filter(on);
  const keys = new Set(named.map(({ key }) => key));
  if (keys.size === 1) return named;
  if (keys.size > 1) throw ambiguous(text, "targets", [...keys]);
  const lanes = new Set(lanesNamed(text, index));
  const inLane = index.rows.filter((row) => lanes.has(row.laneKey) && on(row));
  if (inLane.length === 0) {
    const place = cluster === "" ? "" : ` on cluster ${cluster}`;
    throw new Fault("not-found", {
      message: `no target and no lane is called ${text}${place}.`,
      where: { target: text, ...(cluster === "" ? {} : { cluster: cluster as ClusterId }) },
      next: "See: capstan get targets",
    });
  }
  const owners = new Set(inLane.map((row) => row.laneKey));
  if (owners.size > 1)
    throw ambiguous(
      text,
      "lanes",
      [...owners].map((key) => laneText(key, index.standalone)),
    );
  if (cluster === "" && new Set(inLane.map((row) => row.cluster)).size > 1) {
    throw ambiguous(
      text,
      "targets of that lane",
      inLane.map((row) => `${text} -c ${row.cluster}`),
    );
  }
  return inLane;
}

/** Owners called so, as `namespace/name`. */
export function ownersNamed(namespace: string, name: string, owners: Iterable<string>): readonly string[] {
  return [...owners].filter((owner) => {
    const at = parseTargetKey(owner);
    return at.name === name && (namespace === "" || at.namespace === namespace);
  });
}

/** `bad-input` that lists what a name may mean, the first twenty of it. */
export function ambiguous(text: string, what: string, names: readonly string[]): Fault {
  const shown = [...names].sort().slice(0, 20);
  const more = names.length > shown.length ? ` and ${names.length - shown.length} more` : "";
  return new Fault("bad-input", {
    message: `${text} may mean ${names.length} ${what}: ${shown.join(", ")}${more}.`,
    next: "Name one of them.",
  });
}
