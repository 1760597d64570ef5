import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Fault, parseDigest } from "@capstan/proto";
import { type ApplicationService, type HistoryEntry, HistoryEntrySchema } from "@capstan/proto/application";
import { ListResultSchema } from "@capstan/proto/common";
import { OperationSchema } from "@capstan/proto/desired";
import { isOver } from "../rollout/fold.ts";
import type { LaneKey } from "../rollout/model.ts";
import type { TargetContent } from "../targets/content.ts";
import { historyOf } from "./history.ts";
import { lanesNamed, oneLane, rowsNamed, targetsMeant } from "./names.ts";
import { page } from "./page.ts";
import type { PeopleCalls } from "./people-calls.ts";
import { masked } from "./read-mask.ts";
import type { Row } from "./rows.ts";
import type { Seen, Sight } from "./seen.ts";
import type { Implementation } from "./service.ts";
import { placeText } from "./target-views.ts";
import { within } from "./within.ts";

type Methods = Pick<Implementation<typeof ApplicationService>, "syncLane" | "listHistory">;

/** How long a released lane's rollout is waited for, in milliseconds, so that the answer can name it. */
const startTime = 5000;

/** The calls that move a lane, and that tell how it moved. */
export function laneCalls({ calls, world, sight }: PeopleCalls): Methods {
  return {
    async syncLane({ lane, clusters, force, change }, context) {
      const { key, rows } = meant(lane, clusters, sight.now());
      const mutation = { action: "lane.sync", resource: `lane/${key}`, change };
      return calls.change(context, mutation, async ({ name }, signal) => {
        const seen = sight.now();
        const dryRun = change?.dryRun === true;
        const behind = rows.filter((row) => row.wanted !== undefined && row.wanted.content !== row.held);
        const standing = seen.lane(key);
        const pinned = standing?.pin !== undefined;
        if (behind.length > 0 && !pinned) {
          const run = standing?.run;
          const going = run !== undefined && !isOver(run.status) && run.plan.release === standing?.wanted?.release.id;
          if (going) return { rollout: run.plan.run };
          expectWhole(clusters, seen.text(key));
          if (world.rebuildingSince() !== undefined) throw rebuilding();
          if (dryRun) return { targets: behind.map(placeText) };
          await world.rollouts.release(key, name, signal);
          return { rollout: await started(key, sight, signal), targets: behind.map(placeText) };
        }
        const held = rows.filter(
          (row) => row.desired !== undefined && world.desired.waiting(row.cluster, row.key) === undefined,
        );
        if (held.length === 0) {
          throw new Fault("not-now", {
            message: `${seen.text(key)} holds nothing that could be applied again.`,
            next: `See: capstan why ${seen.text(key)}`,
          });
        }
        if (dryRun) return { targets: held.map(placeText) };
        const operation = create(OperationSchema, { id: world.newId(), actor: name, sync: true, force });
        for (const row of held) {
          const content = contentOf(row);
          if (content !== undefined) world.desired.assign(row.cluster, row.key, { kind: "hold", content, operation });
        }
        return { targets: held.map(placeText) };
      });
    },
    async listHistory({ subject, cluster, options }, context) {
      calls.look(context, "history.list", `history/${subject}`);
      const seen = sight.now();
      const { key, rows } = meant(subject, cluster === "" ? [] : [cluster], seen);
      const whole = cluster === "" && lanesNamed(subject, seen).includes(key);
      const entries = historyOf(key, whole ? undefined : rows, seen);
      const { items, nextPageToken, total } = page(entries, listable, options, {
        orders: { at: (entry) => atMs(entry) },
        fallback: "-at",
      });
      const result = create(ListResultSchema, { nextPageToken, total, asOf: timestampFromMs(world.clock.now()) });
      return { entries: masked(HistoryEntrySchema, items, options), result };
    },
  };
}

function listable({ rollout, target, cluster, generation }: HistoryEntry) {
  return { id: `${rollout} ${generation} ${target} ${cluster}`, cluster };
}

function atMs({ at }: HistoryEntry): number {
  return at === undefined ? 0 : Number(at.seconds) * 1000 + at.nanos / 1e6;
}

/** A lane, or the lane of a target on that target's cluster, narrowed to clusters. */
function meant(
  text: string,
  clusters: readonly string[],
  seen: Seen,
): { readonly key: LaneKey; readonly rows: readonly Row[] } {
  const chosen = new Set(clusters);
  const on = (row: Row) => chosen.size === 0 || chosen.has(row.cluster);
  if (lanesNamed(text, seen).length === 0 && rowsNamed(text, seen.rows).length > 0) {
    const rows = targetsMeant(text, clusters.length === 1 ? (clusters[0] ?? "") : "", seen);
    const [row] = rows;
    if (row !== undefined) return { key: row.laneKey, rows: rows.filter(on) };
  }
  const key = oneLane(text, seen);
  const rows = seen.rowsOf(key).filter(on);
  if (rows.length > 0 || chosen.size === 0) return { key, rows };
  throw new Fault("not-found", {
    message: `${seen.text(key)} has no target on ${[...chosen].join(", ")}.`,
    next: `See: capstan get targets`,
  });
}

function expectWhole(clusters: readonly string[], lane: string): void {
  if (clusters.length === 0) return;
  throw new Fault("unsupported", {
    message: `a new release of ${lane} goes to the whole lane, stage by stage; found ${clusters.join(", ")} alone.`,
    next: `Release the lane: capstan sync ${lane}`,
  });
}

function rebuilding(): Fault {
  return new Fault("held", {
    message: "the store was lost, and what Git asks beyond what clusters hold waits for a person.",
    next: "Look at what would change (capstan diff), then: capstan hub rebuild end",
  });
}

/** The content that the cluster holds, as it is. */
function contentOf({ desired, held }: Row): TargetContent | undefined {
  const bundle = desired?.bundle;
  if (desired === undefined || bundle === undefined || held === undefined) return undefined;
  const { size, chunks, keyId } = bundle;
  return {
    digest: held,
    target: desired,
    bundle: { digest: parseDigest(bundle.digest), size: Number(size), chunks, keyId },
  };
}

/** The rollout that a release began; empty where it has not begun within the time. */
async function started(key: LaneKey, sight: Sight, signal: AbortSignal): Promise<string> {
  const { world } = sight.now();
  return within(world.clock, { ms: startTime, signal }, async (stop) => {
    for (;;) {
      const standing = sight.now().lane(key);
      const run = standing?.run;
      const begun = run?.plan.release === standing?.wanted?.release.id;
      if (run !== undefined && begun && !isOver(run.status)) return run.plan.run;
      if (stop.aborted) return "";
      await world.changes.changed(stop);
    }
  });
}
