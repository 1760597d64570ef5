import { create } from "@bufbuild/protobuf";
import { faultText } from "@capstan/proto";
import { type LaneView, LaneViewSchema, type SetView, SetViewSchema } from "@capstan/proto/application";
import { type Condition, ConditionSchema } from "@capstan/proto/common";
import { setGuardOf } from "../guard/set-guard.ts";
import { splitLane } from "../rollout/facts.ts";
import { isOver } from "../rollout/fold.ts";
import type { LaneKey } from "../rollout/model.ts";
import { sourceReasons } from "./explain-reasons.ts";
import { pinView } from "./rollout-views.ts";
import { wantedRelease } from "./rows.ts";
import type { Seen } from "./seen.ts";
import { totalsOf } from "./target-views.ts";
import { faultDetail } from "./views.ts";

/** A set, or a standalone Application, with its lanes. */
export function setView(owner: string, seen: Seen): SetView {
  const [namespace = "", name = ""] = owner.split("/");
  const { registry } = seen.world.documents;
  const document = registry.get(`ApplicationSet/${owner}`) ?? registry.get(`Application/${owner}`);
  const state = seen.world.releases.state(owner);
  const lanes = seen.lanes.filter((key) => splitLane(key).owner === owner);
  const guard = document?.kind === "ApplicationSet" ? setGuardOf(document.metadata.annotations).fault : undefined;
  const faults = [guard ?? [], state?.faults ?? [], [...(state?.targetFaults.values() ?? [])]].flat();
  const place = document?.origin;
  const revision = place === undefined || place.revision === "" ? "" : ` at ${place.revision.slice(0, 7)}`;
  return create(SetViewSchema, {
    namespace,
    name,
    kind: document?.kind ?? state?.kind ?? (seen.standalone.has(owner) ? "Application" : "ApplicationSet"),
    conditions: conditions(owner, lanes, seen),
    lanes: lanes.map((key) => laneView(key, seen)),
    targets: totalsOf(
      lanes.flatMap((key) => seen.rowsOf(key)),
      seen,
    ),
    faults: faults.map((fault) => faultDetail(fault)),
    origin: place === undefined ? "" : `${place.owner} ${place.file}:${place.line}${revision}`,
  });
}

/** Sets and Applications that clusters hold targets of and that no document names: after a loss, those applied by hand. */
export function missingDocuments(seen: Seen): string[] {
  const { registry } = seen.world.documents;
  const missing = new Set<string>();
  for (const { desired, owner, set } of seen.rows) {
    const kind = set === "" ? "Application" : "ApplicationSet";
    if (desired !== undefined && registry.get(`${kind}/${owner}`) === undefined) missing.add(`${kind} ${owner}`);
  }
  return [...missing].sort();
}

/** A lane as people see it. */
export function laneView(key: LaneKey, seen: Seen): LaneView {
  const standing = seen.lane(key);
  const { owner, name } = splitLane(key);
  const wanted = seen.world.releases.state(owner)?.lanes.find((lane) => lane.key === key);
  const release = wanted === undefined ? undefined : wantedRelease(wanted);
  const run = standing?.run;
  return create(LaneViewSchema, {
    name,
    ...(release === undefined ? {} : { wanted: release }),
    rollout: run === undefined || isOver(run.status) ? "" : run.plan.run,
    ...(standing?.pin === undefined ? {} : { pin: pinView(standing.pin, standing) }),
    targets: totalsOf(seen.rowsOf(key), seen),
  });
}

/** Argo CD's conditions: those of generation, and what came of them. */
function conditions(owner: string, lanes: readonly LaneKey[], seen: Seen): Condition[] {
  const state = seen.world.releases.state(owner);
  if (state === undefined) {
    const known = seen.world.documents.registry.get(`ApplicationSet/${owner}`) !== undefined;
    const message = known ? "being worked out: waiting for the first fetch of a repository" : "deleted";
    return [condition("ParametersGenerated", ["Unknown", "Pending", message])];
  }
  if (state.kind === "Application") return sourceConditions(owner, seen);
  const given = state.conditions.map(({ type, status, reason, message }) => condition(type, [status, reason, message]));
  if (!state.conditions.some(({ type }) => type === "ResourcesUpToDate")) {
    const [first] = state.targetFaults.values();
    const more = state.targetFaults.size > 1 ? ` (and ${state.targetFaults.size - 1} more)` : "";
    given.push(
      first === undefined
        ? condition("ResourcesUpToDate", [
            "True",
            "ApplicationSetUpToDate",
            "All applications have been generated successfully",
          ])
        : condition("ResourcesUpToDate", ["False", "UpdateApplicationError", `${faultText(first)}${more}`]),
    );
  }
  if (state.lanes.some(({ strategy }) => strategy.shape.kind === "rolling")) given.push(progressing(lanes, seen));
  return [...given, ...sourceConditions(owner, seen)];
}

/** Ours: a repository cannot be read now, and what was read last is used. */
function sourceConditions(owner: string, seen: Seen): Condition[] {
  return sourceReasons(owner, seen).map(({ rule, message, since }) => {
    const told = condition("SourcesUpToDate", ["False", rule, message]);
    if (since !== undefined) told.since = since;
    return told;
  });
}

/** Argo CD's condition of a RollingSync. */
function progressing(lanes: readonly LaneKey[], seen: Seen): Condition {
  const going = lanes.filter((key) => {
    const run = seen.lane(key)?.run;
    return run !== undefined && !isOver(run.status);
  });
  return going.length === 0
    ? condition("RolloutProgressing", [
        "False",
        "ApplicationSetRolloutComplete",
        "ApplicationSet Rollout has completed",
      ])
    : condition("RolloutProgressing", [
        "True",
        "ApplicationSetModified",
        `rollouts go on: ${going.map((key) => seen.text(key)).join(", ")}`,
      ]);
}

function condition(type: string, [status, reason, message]: readonly [string, string, string]): Condition {
  return create(ConditionSchema, { type, status, reason, message });
}
