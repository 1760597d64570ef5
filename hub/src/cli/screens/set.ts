import type { LaneView, RepositoryView, RootView, SetView } from "@capstan/proto/application";
import type { Condition } from "@capstan/proto/common";
import { ageCell, sinceText } from "../age.ts";
import { counted, type Look, toned, wrapped } from "../look.ts";
import { laneText, plainName, qualified, releaseCell, releaseText, shortCommit } from "../names.ts";
import { type Column, table } from "../table.ts";
import { faultLines } from "./fault.ts";

const short = (set: SetView) => plainName(qualified(set));

/** Columns of a list of sets. */
export const setColumns: readonly Column<SetView>[] = [
  { head: "SET", cell: short },
  { head: "KIND", cell: ({ kind }) => kind },
  { head: "LANES", cell: ({ lanes }) => String(lanes.length) },
  { head: "TARGETS", cell: ({ targets }) => String(targets?.total ?? 0) },
  { head: "HEALTHY", cell: ({ targets }) => String(targets?.healthy ?? 0) },
  { head: "SYNCED", cell: ({ targets }) => String(targets?.synced ?? 0) },
  { head: "CLUSTERS", cell: ({ targets }) => String(targets?.clusters ?? 0) },
  { head: "TROUBLE", cell: troubleText, tone: (set) => (troubleText(set) === "-" ? undefined : "bad"), gives: true },
  { head: "FROM", cell: ({ origin }) => origin || "-", wide: true },
];

/** A lane with the set that it belongs to; `set` is empty for a standalone Application. */
export interface LaneRow {
  readonly set: string;
  readonly lane: LaneView;
}

/** All lanes of the sets. */
export function laneRows(sets: readonly SetView[]): LaneRow[] {
  return sets.flatMap(({ kind, name, lanes }) =>
    lanes.map((lane) => ({ set: kind === "Application" ? "" : name, lane })),
  );
}

/** Columns of a list of lanes. */
export const laneColumns: readonly Column<LaneRow>[] = [
  { head: "LANE", cell: ({ set, lane }) => laneText(set, lane.name) },
  { head: "TARGETS", cell: ({ lane }) => String(lane.targets?.total ?? 0) },
  { head: "HEALTHY", cell: ({ lane }) => String(lane.targets?.healthy ?? 0) },
  { head: "SYNCED", cell: ({ lane }) => String(lane.targets?.synced ?? 0) },
  { head: "CLUSTERS", cell: ({ lane }) => String(lane.targets?.clusters ?? 0) },
  {
    head: "PINNED",
    cell: ({ lane }) => (lane.pin === undefined ? "-" : `by ${lane.pin.actor}`),
    tone: ({ lane }) => (lane.pin === undefined ? undefined : "busy"),
  },
  { head: "GIT ASKS", cell: ({ lane }) => releaseCell(lane.wanted), gives: true },
  { head: "ROLLOUT", cell: ({ lane }) => lane.rollout || "-", gives: true },
];

/** A set with its lanes, conditions and faults. */
export function setScreen(set: SetView, look: Look): string[] {
  const rows = laneRows([set]);
  const { targets } = set;
  return [
    toned(look, "strong", `${set.kind} ${qualified(set)}`),
    `  from       ${set.origin || "-"}`,
    `  targets    ${targets?.total ?? 0} on ${counted(targets?.clusters ?? 0, "cluster")}: ${targets?.healthy ?? 0} healthy, ${targets?.synced ?? 0} synced`,
    "",
    ...(rows.length === 0
      ? ["  no lanes"]
      : table(laneColumns, rows, { ...look, width: look.width - 2 }).map((line) => `  ${line}`)),
    ...rows.flatMap((row) => pinLines(row, look)),
    ...(set.conditions.length === 0 ? [] : ["", ...set.conditions.flatMap((each) => conditionLines(each, look))]),
    ...set.faults.flatMap((fault) => faultLines(fault, look, "  ")),
  ];
}

function pinLines({ set, lane: { name, pin } }: LaneRow, look: Look): string[] {
  if (pin === undefined) return [];
  const why = pin.reason === "" ? "" : `: ${pin.reason}`;
  const lane = laneText(set, name);
  const text = `${lane} stays at ${releaseText(pin.release)}, pinned by ${pin.actor}${sinceText(pin.since, look.now)}${why}. Let Git lead again: capstan rollout unpin ${lane}`;
  return wrapped(text, look.width - 2).map((line) => `  ${line}`);
}

function conditionLines({ type, status, message, since }: Condition, look: Look): string[] {
  return wrapped(
    `${type} ${status}${sinceText(since, look.now)}${message === "" ? "" : `: ${message}`}`,
    look.width - 2,
  ).map((line) => `  ${line}`);
}

function troubleText({ faults, conditions }: SetView): string {
  const bad = conditions.find(({ type, status }) => type === "ErrorOccurred" && status === "True");
  return faults[0]?.message ?? bad?.message ?? "-";
}

/** Columns of a list of repositories. */
export function repositoryColumns({ now }: Look): readonly Column<RepositoryView>[] {
  return [
    { head: "REPOSITORY", cell: ({ url }) => url, gives: true },
    {
      head: "FETCHED",
      cell: ({ fetchedAt }) => (fetchedAt === undefined ? "never" : `${ageCell(fetchedAt, now)} ago`),
    },
    {
      head: "REFS",
      cell: ({ refs }) =>
        Object.entries(refs)
          .map(([ref, commit]) => `${ref}@${shortCommit(commit)}`)
          .join(",") || "-",
      gives: true,
    },
    {
      head: "TROUBLE",
      cell: ({ fault }) => (fault === undefined ? "-" : `${fault.message} (${fault.code})`),
      tone: ({ fault }) => (fault === undefined ? undefined : "bad"),
      gives: true,
    },
  ];
}

/** Columns of a list of roots. */
export const rootColumns: readonly Column<RootView>[] = [
  { head: "ROOT", cell: ({ name }) => name },
  { head: "REPOSITORY", cell: ({ repository }) => repository, gives: true },
  { head: "REVISION", cell: ({ revision }) => revision },
  { head: "PATH", cell: ({ path }) => path },
  { head: "COMMIT", cell: ({ commit }) => shortCommit(commit) || "-" },
  { head: "DOCUMENTS", cell: ({ documents }) => String(documents) },
  {
    head: "FAULTS",
    cell: ({ faults }) => (faults.length === 0 ? "-" : String(faults.length)),
    tone: ({ faults }) => (faults.length > 0 ? "bad" : undefined),
  },
];
