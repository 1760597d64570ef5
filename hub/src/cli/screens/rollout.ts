import type { RolloutClusterView, RolloutView, StageView } from "@capstan/proto/rollout";
import { ageCell, clockText, msOf, sinceText, span } from "../age.ts";
import { counted, type Look, toned, wrapped } from "../look.ts";
import { beyondState, releaseCell, releaseText } from "../names.ts";
import { type Column, table } from "../table.ts";
import { stateTone } from "../words.ts";

const clustersShown = 12;
const settled = ["Done", "Removed", "Skipped", "RolledBack", "Superseded"];
const overStages = ["Succeeded", "Failed", "Skipped", "Aborted"];
const notStarted = ["Pending", "Waiting"];

/** Clusters of a run or a stage by what matters. */
export interface Progress {
  readonly total: number;
  readonly done: number;
  readonly moving: number;
  readonly failed: number;
  readonly deferred: number;
}

/** Counts clusters. */
export function progressOf(clusters: readonly RolloutClusterView[]): Progress {
  const count = (is: (state: string) => boolean) => clusters.filter(({ state }) => is(state)).length;
  const done = count((state) => settled.includes(state));
  const failed = count((state) => state === "Failed");
  const deferred = count((state) => state === "Deferred");
  const waiting = count((state) => notStarted.includes(state));
  return {
    total: clusters.length,
    done,
    failed,
    deferred,
    moving: clusters.length - done - failed - deferred - waiting,
  };
}

/** Counts over all stages. */
export function wholeProgress({ stages }: RolloutView): Progress {
  return progressOf(stages.flatMap(({ clusters }) => clusters));
}

/** Columns of a list of rollouts. */
export function rolloutColumns({ now }: Look): readonly Column<RolloutView>[] {
  return [
    { head: "LANE", cell: ({ lane }) => lane },
    { head: "STATE", cell: ({ state }) => state, tone: ({ state }) => stateTone(state) },
    { head: "STAGE", cell: stageCell },
    { head: "CLUSTERS", cell: (rollout) => doneText(wholeProgress(rollout)) },
    { head: "AGE", cell: ({ startedAt }) => ageCell(startedAt, now) },
    { head: "BY", cell: ({ actor }) => actor || "-", gives: true },
    { head: "RELEASE", cell: ({ release }) => releaseCell(release), gives: true },
    { head: "ID", cell: ({ id }) => id, wide: true },
    { head: "WHY", cell: ({ reason }) => reason?.message ?? "", wide: true },
  ];
}

/** A rollout with its stages, and the clusters that are not done. */
export function rolloutScreen(rollout: RolloutView, look: Look): string[] {
  const { lane, release, previous, state, reason, stages, startedAt, endedAt } = rollout;
  const ended = msOf(endedAt);
  const expected = msOf(rollout.expectedEnd);
  const times = [
    startedAt === undefined ? "not started" : `started ${ageCell(startedAt, look.now)} ago`,
    ...(expected === undefined || ended !== undefined
      ? []
      : [`done in about ${span(Math.max(0, expected - look.now))}`]),
    ...(ended === undefined ? [] : [`ended ${clockText(ended, look.now, look.utcOffset)}`]),
  ];
  const stageLines = table(stageColumns(state), stages, { ...look, width: look.width - 2 });
  return [
    `${toned(look, "strong", lane)}  ${releaseText(release)}  ${toned(look, stateTone(state), state)}  ${doneText(wholeProgress(rollout))} clusters`,
    `  ${[rollout.id, `by ${rollout.actor || "Git"}`, rollout.strategy, ...times].filter((part) => part !== "").join(", ")}`,
    ...(rollout.emergency === "" ? [] : [`  ${toned(look, "bad", "emergency")} by ${rollout.emergency}`]),
    ...(previous === undefined ? [] : [`  before: ${releaseText(previous)}`]),
    ...(reason === undefined
      ? []
      : wrapped(
          `${state === "Running" ? "waits" : state.toLowerCase()}: ${beyondState(reason.message, state)}${sinceText(reason.since, look.now)}`,
          look.width - 2,
        ).map((line) => `  ${line}`)),
    ...(reason?.details ?? []).map((detail) => `    ${detail}`),
    ...(reason?.unblock ?? []).flatMap((text) =>
      wrapped(`to go on: ${text}`, look.width - 4).map((line) => `    ${line}`),
    ),
    "",
    ...stageLines.map((line) => `  ${line}`),
    ...gateLines(stages, look),
    ...clusterLines(stages, look),
  ];
}

/** What a run would do, stage by stage, before it begins. */
export function planScreen(rollout: RolloutView, look: Look): string[] {
  const { lane, release, strategy, stages, warnings, planHash } = rollout;
  const total = stages.reduce((sum, { clusters }) => sum + clusters.length, 0);
  const end = msOf(rollout.expectedEnd);
  const took =
    end === undefined ? "" : `, about ${span(end - look.now)} if nothing goes wrong and people answer at once`;
  return [
    `${toned(look, "strong", lane)}  ${releaseText(release)}  by ${strategy}: ${counted(total, "cluster")} in ${counted(stages.length, "stage")}${took}`,
    `  plan ${planHash.replace("sha256:", "").slice(0, 12)}`,
    ...warnings.map((text) => `  ${toned(look, "busy", "warning")} ${text}`),
    "",
    ...stages.flatMap((stage, at) => plannedStage(stage, at, look)),
  ];
}

function plannedStage(
  { name, clusters, maxConcurrency, maxFailures, gates }: StageView,
  at: number,
  look: Look,
): string[] {
  const shown = look.wide ? clusters : clusters.slice(0, 8);
  const names = shown.map(({ cluster }) => cluster).join(", ");
  const more = clusters.length > shown.length ? ` and ${clusters.length - shown.length} more (-o wide)` : "";
  const limits = [maxConcurrency === 0 ? "all at once" : `${maxConcurrency} at once`, `${maxFailures} may fail`];
  const before = gates.filter((gate) => !gate.after).map(({ name: gate, kind }) => `    first: ${kind} ${gate}`);
  const after = gates.filter((gate) => gate.after).map(({ name: gate, kind }) => `    then: ${kind} ${gate}`);
  const head = clusters.length === 0 ? "" : `: ${counted(clusters.length, "cluster")}, ${limits.join(", ")}`;
  return [
    `  ${at + 1} ${name}${head}`,
    ...before,
    ...(names === "" ? [] : wrapped(`${names}${more}`, look.width - 4).map((line) => `    ${line}`)),
    ...after,
  ];
}

/** Gates that wait or stopped the run. */
function gateLines(stages: readonly StageView[], look: Look): string[] {
  const open = stages.flatMap((stage) =>
    stage.gates.filter(({ state }) => state === "Waiting" || state === "Failed").map((gate) => ({ stage, gate })),
  );
  return open.map(({ stage, gate }) => {
    const by = gate.approvedBy.length === 0 ? "" : `, approved by ${gate.approvedBy.join(", ")}`;
    return `  gate ${gate.name} (${gate.kind}) of ${stage.name}: ${toned(look, stateTone(gate.state), gate.state)}, ${gate.message}${by}${sinceText(gate.since, look.now)}`;
  });
}

/**
 * What a rollback would do, from the run that it would take back: the hub tells that run for a dry run. Without `to`,
 * each cluster goes to what it held before.
 */
export function rollbackPreview(rollout: RolloutView, scope: string, to: string): string[] {
  const { lane, release, previous, stages } = rollout;
  const open = stages.find(({ state }) => !overStages.includes(state));
  const clusters = (scope === "stage" ? (open?.clusters ?? []) : stages.flatMap((stage) => stage.clusters)).filter(
    ({ state }) => {
      if (scope === "failed") return state === "Failed";
      return scope === "all" || !notStarted.includes(state);
    },
  );
  const before = previous === undefined ? "what each cluster held before" : releaseText(previous);
  const goal = to === "" ? before : `release ${to}`;
  return [
    `${lane} would go back from ${releaseText(release)} to ${goal}, on ${counted(clusters.length, "cluster")} (scope ${scope})`,
    "nothing was changed (--dry-run)",
  ];
}

/** One line on where a run stands, for a log that grows. */
export function progressLine(rollout: RolloutView, look: Look): string {
  const { failed, deferred } = wholeProgress(rollout);
  const more = [
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(deferred > 0 ? [`${deferred} deferred`] : []),
    ...(rollout.reason === undefined ? [] : [beyondState(rollout.reason.message, rollout.state)]),
  ];
  const head = `${clockText(look.now, look.now, look.utcOffset)}  ${rollout.lane}  ${rollout.state}  ${stageCell(rollout)}  ${doneText(wholeProgress(rollout))} clusters`;
  return more.length === 0 ? head : `${head}  ${more.join("; ")}`;
}

const stageColumns = (state: string): readonly Column<StageView>[] => [
  { head: "STAGE", cell: ({ name }) => name },
  { head: "STATE", cell: (stage) => stage.state, tone: (stage) => stateTone(stage.state) },
  { head: "DONE", cell: ({ clusters }) => doneText(progressOf(clusters)) },
  { head: "MOVING", cell: ({ clusters }) => String(progressOf(clusters).moving) },
  { head: "FAILED", cell: (stage) => `${progressOf(stage.clusters).failed} of ${stage.maxFailures} allowed` },
  { head: "DEFERRED", cell: ({ clusters }) => String(progressOf(clusters).deferred) },
  { head: "AT ONCE", cell: ({ maxConcurrency }) => (maxConcurrency === 0 ? "all" : String(maxConcurrency)) },
  { head: "WAITS FOR", cell: ({ reason }) => beyondState(reason?.message ?? "", state), gives: true },
];

/** Clusters that fail, move or are deferred, the worst first; those that wait for their turn are in the counts. */
function clusterLines(stages: readonly StageView[], look: Look): string[] {
  const rank = ({ state }: RolloutClusterView) => (state === "Failed" ? 0 : state === "Deferred" ? 2 : 1);
  const open = stages
    .flatMap(({ clusters }) => clusters)
    .filter(({ state }) => !settled.includes(state) && !notStarted.includes(state))
    .sort((a, b) => rank(a) - rank(b));
  if (open.length === 0) return [];
  const columns: readonly Column<RolloutClusterView>[] = [
    { head: "CLUSTER", cell: ({ cluster }) => cluster },
    { head: "STATE", cell: ({ state }) => state, tone: ({ state }) => stateTone(state) },
    { head: "SINCE", cell: ({ since }) => ageCell(since, look.now) },
    { head: "CAUSE", cell: ({ message }) => message, gives: true },
  ];
  const shown = look.wide ? open : open.slice(0, clustersShown);
  const more = open.length - shown.length;
  return [
    "",
    ...table(columns, shown, { ...look, width: look.width - 2 }).map((line) => `  ${line}`),
    ...(more === 0 ? [] : [`  and ${more} more (-o wide)`]),
  ];
}

function stageCell({ stages, state }: RolloutView): string {
  const at = stages.findIndex((stage) => !overStages.includes(stage.state));
  if (at < 0) return stages.length === 0 || state === "Planned" ? "-" : `${stages.length}/${stages.length}`;
  return `${at + 1}/${stages.length} ${stages[at]?.name ?? ""}`;
}

function doneText({ done, total }: Progress): string {
  return `${done}/${total}`;
}
