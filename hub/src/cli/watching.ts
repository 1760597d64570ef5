import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { Fault } from "@capstan/proto";
import { WatchEventType } from "@capstan/proto/common";
import { type RolloutView, RolloutViewSchema } from "@capstan/proto/rollout";
import { dataOf, parseOutput } from "./answer.ts";
import type { Call } from "./call.ts";
import { exit } from "./exit.ts";
import type { Look } from "./look.ts";
import { resumed } from "./resume.ts";
import { progressLine, rolloutScreen } from "./screens/rollout.ts";
import { type Column, table } from "./table.ts";

/** One event of any watch, with the item taken out. */
export interface Event<T> {
  readonly type: WatchEventType;
  readonly item: T | undefined;
}

/** What is watched, and how it is shown. */
export interface Watching<D extends DescMessage> {
  readonly schema: D;
  readonly columns: (look: Look) => readonly Column<MessageShape<D>>[];
  readonly key: (item: MessageShape<D>) => string;
}

/**
 * Shows a list as it changes until Ctrl-C: drawn again on a terminal, else the rows that changed; with `-o json` one
 * line an event.
 */
export async function watchList<D extends DescMessage>(
  call: Call,
  events: AsyncIterable<Event<MessageShape<D>>>,
  { schema, columns, key }: Watching<D>,
): Promise<number> {
  const { screen } = call.ports;
  const output = parseOutput(call.text("output"));
  const rows = new Map<string, MessageShape<D>>();
  let fresh: MessageShape<D>[] = [];
  let first = true;
  for await (const { type, item } of events) {
    if (output === "json" && item !== undefined) {
      screen.out(`${JSON.stringify({ type: words[type], item: dataOf(schema, item) })}\n`);
    }
    if (type === WatchEventType.RESET) rows.clear();
    else if (type === WatchEventType.REMOVED && item !== undefined) rows.delete(key(item));
    else if (type === WatchEventType.CHANGED && item !== undefined) {
      rows.set(key(item), item);
      fresh.push(item);
    } else if (type === WatchEventType.BOOKMARK && output !== "json") {
      const look = { ...call.look, wide: output === "wide" };
      if (output === "name") screen.out(fresh.map((each) => `${key(each)}\n`).join(""));
      else if (screen.outputIsTerminal) redraw(call, table(columns(look), sorted(rows), look));
      else if (fresh.length > 0) screen.out(lines(table(columns(look), fresh, look).slice(first ? 0 : 1)));
      first = false;
      fresh = [];
    }
  }
  return exit.done;
}

/** Words of watch events, as programs read them. */
const words: Readonly<Record<number, string>> = {
  [WatchEventType.RESET]: "reset",
  [WatchEventType.CHANGED]: "changed",
  [WatchEventType.REMOVED]: "removed",
  [WatchEventType.BOOKMARK]: "bookmark",
};

/** How a run that has ended, or waits for a person, ends the program; undefined while it goes on by itself. */
export function endOf(rollout: RolloutView, throughHolds: boolean): number | undefined {
  switch (rollout.state) {
    case "Succeeded":
    case "RolledBack":
      return exit.done;
    case "SucceededWithDeferred":
      return exit.deferredRemain;
    case "SucceededWithFailures":
    case "Failed":
    case "RollbackFailed":
      return exit.failed;
    case "Aborted":
    case "Superseded":
      return exit.aborted;
    case "Paused":
    case "Held":
      return throughHolds ? undefined : exit.held;
    default:
      return undefined;
  }
}

/** Follows a rollout, or a lane's latest, to its end. */
export async function followRollout(
  call: Call,
  id: string,
  { throughHolds }: { throughHolds: boolean },
): Promise<number> {
  const hub = await call.hub();
  const { rollout } = await hub.rollouts.getRollout({ id }, call.signal);
  if (rollout === undefined) throw new Fault("not-found", { message: `no rollout or lane is called ${id}.` });
  let last = "";
  const show = (now: RolloutView) => (last = showStep(call, now, last));
  show(rollout);
  const over = endOf(rollout, throughHolds);
  if (over !== undefined) return over;
  const watch = (token: string) => hub.rollouts.watchRollouts({ id: rollout.id, options: { token } }, call.signal);
  for await (const event of resumed(call, watch)) {
    if (event.type !== WatchEventType.CHANGED || event.rollout?.id !== rollout.id) continue;
    show(event.rollout);
    const end = endOf(event.rollout, throughHolds);
    if (end !== undefined) return end;
  }
  return exit.done;
}

/** Draws the rollout, or adds a line where there is no terminal and something was said. */
function showStep(call: Call, rollout: RolloutView, last: string): string {
  const { screen } = call.ports;
  const { look } = call;
  if (call.forProgram) {
    screen.out(`${JSON.stringify(dataOf(RolloutViewSchema, rollout))}\n`);
    return "";
  }
  if (screen.outputIsTerminal) {
    redraw(call, rolloutScreen(rollout, look));
    return "";
  }
  const line = progressLine(rollout, look);
  // What only counts down is no news.
  const said = line.replace(/^\S+ {2}/, "").replaceAll(/\d+ (s|min)\b/g, "");
  if (said !== last) screen.out(`${line}\n`);
  return said;
}

function redraw(call: Call, text: readonly string[]): void {
  call.ports.screen.clear();
  call.ports.screen.out(lines(text));
}

function sorted<T>(rows: ReadonlyMap<string, T>): T[] {
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}

/** Whether a verb that sets something in motion follows it to its end. */
export function follows(call: Call): boolean {
  return call.flag("wait") || (call.ports.screen.outputIsTerminal && !call.forProgram && !call.refused("wait"));
}
