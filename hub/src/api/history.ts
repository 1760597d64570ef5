import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type HistoryEntry, HistoryEntrySchema } from "@capstan/proto/application";
import { ReleaseSchema } from "@capstan/proto/desired";
import type { ClusterStatus, LaneKey, RunState } from "../rollout/model.ts";
import { knownRelease } from "./releases.ts";
import type { Row } from "./rows.ts";
import type { Seen } from "./seen.ts";

/** What the lane's targets held, by the records of its runs, and what they hold by none of them. In no order. */
export function historyOf(key: LaneKey, rows: readonly Row[] | undefined, seen: Seen): HistoryEntry[] {
  const places = rows === undefined ? undefined : new Set(rows.map((row) => `${row.key} ${row.cluster}`));
  const standing = seen.lane(key);
  const runs = standing === undefined ? [] : [standing.run, ...standing.past].filter((run) => run !== undefined);
  const entries = runs.flatMap((run) => entriesOf(run, key, { places, seen }));
  const told = new Set(entries.map(({ target, cluster }) => `${target} ${cluster}`));
  for (const row of rows ?? seen.rowsOf(key)) {
    if (row.desired !== undefined && !told.has(`${row.key} ${row.cluster}`)) entries.push(heldEntry(row, seen));
  }
  return entries;
}

function entriesOf(
  run: RunState,
  key: LaneKey,
  { places, seen }: { readonly places: ReadonlySet<string> | undefined; readonly seen: Seen },
): HistoryEntry[] {
  const standing = seen.lane(key);
  const { plan } = run;
  const release =
    standing === undefined ? create(ReleaseSchema, { id: plan.release }) : knownRelease(plan.release, standing);
  return run.members.flatMap(({ cluster, moves }, index) => {
    const member = run.clusters[index];
    if (member === undefined || member.attempt === 0) return [];
    return moves
      .filter(({ target }) => places === undefined || places.has(`${target} ${cluster}`))
      .map(({ target, to }) =>
        create(HistoryEntrySchema, {
          at: timestampFromMs(member.dispatchedAt ?? member.since),
          target,
          cluster,
          release,
          digest: to === null ? "" : (seen.world.rollouts.contentOf(key, to)?.bundle.digest ?? ""),
          generation: BigInt("generation" in member.status ? member.status.generation : 0),
          rollout: plan.run,
          actor: plan.actor,
          outcome: outcomeOf(member.status, to === null),
        }),
      );
  });
}

function outcomeOf(status: ClusterStatus, removes: boolean): string {
  if (status.is === "Done") return removes ? "Removed" : "Healthy";
  if (status.is === "Failed") return `Failed: ${status.message}`;
  return status.is;
}

/** What is held by no record that is remembered: the time is known where the state was written for this very change. */
function heldEntry({ key, cluster, desired }: Row, { world }: Seen): HistoryEntry {
  const state = world.desired.held(cluster)?.state;
  const decided = state?.revision === desired?.generation ? state?.decidedAt : undefined;
  return create(HistoryEntrySchema, {
    ...(decided === undefined ? {} : { at: decided }),
    target: key,
    cluster,
    ...(desired?.release === undefined ? {} : { release: desired.release }),
    digest: desired?.bundle?.digest ?? "",
    generation: desired?.generation ?? 0n,
    outcome: "Held",
  });
}
