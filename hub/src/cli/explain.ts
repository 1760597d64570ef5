import { Fault } from "@capstan/proto";
import { ExplainResponseSchema, type HistoryEntry, ListHistoryResponseSchema } from "@capstan/proto/application";
import { dateText, msOf } from "./age.ts";
import { asOf, dataOf } from "./answer.ts";
import type { Call } from "./call.ts";
import { type Look } from "./look.ts";
import { releaseCell } from "./names.ts";
import { whyScreen } from "./screens/why.ts";
import { type Column, table } from "./table.ts";
import { flag, type Verb } from "./verb.ts";
import { stateTone } from "./words.ts";

/** `why`: the first unmet rule of whatever goes by that name. */
export async function explain(call: Call, subject: string): Promise<number> {
  const found = await (await call.hub()).applications.explain({ subject, cluster: call.cluster }, call.signal);
  return call.show({
    text: (look) => whyScreen(found, look),
    data: dataOf(ExplainResponseSchema, found),
    names: found.reasons.map(({ rule, subject: of }) => `${rule}/${of}`),
  });
}

const historyColumns = ({ utcOffset }: Look): readonly Column<HistoryEntry>[] => [
  { head: "WHEN", cell: ({ at }) => dateText(msOf(at) ?? 0, utcOffset) },
  { head: "TARGET", cell: ({ target }) => target.replace(/^argocd\//, "") },
  { head: "CLUSTER", cell: ({ cluster }) => cluster },
  { head: "BY", cell: ({ actor, release }) => actor || release?.author || "-", gives: true },
  { head: "RELEASE", cell: ({ release }) => releaseCell(release), gives: true },
  { head: "OUTCOME", cell: ({ outcome }) => outcome || "-", tone: ({ outcome }) => stateTone(outcome), gives: true },
  { head: "GENERATION", cell: ({ generation }) => String(generation), wide: true },
  { head: "DIGEST", cell: ({ digest }) => digest, wide: true },
  { head: "ROLLOUT", cell: ({ rollout }) => rollout || "-", wide: true },
];

/** `why` and `history`. */
export const explainVerbs: readonly Verb[] = [
  {
    words: "why",
    args: "<name>",
    help: "why a set, lane, target, cluster or rollout waits, since when, and what would go on",
    flags: [flag.oneCluster, flag.output],
    examples: ["why shop-web", "why billing -c prod-eu-1", "why prod-us-2"],
    run: (call) => explain(call, call.word(0)),
  },
  {
    words: "history",
    args: "<name>",
    help: "what a target or lane held, and when, newest first",
    flags: [flag.oneCluster, { flags: "--limit <n>", help: "at most so many (default: 50)" }, flag.output],
    examples: ["history shop-web -c prod-eu-1", "history team-apps:shop-web -o json"],
    run: async (call) => {
      const pageSize = Number(call.text("limit") ?? "50");
      if (!Number.isInteger(pageSize) || pageSize < 1) {
        throw new Fault("bad-input", { message: `expected --limit as a whole number, found ${call.text("limit")}.` });
      }
      const request = { subject: call.word(0), cluster: call.cluster, options: { pageSize } };
      const found = await (await call.hub()).applications.listHistory(request, call.signal);
      const more = (found.result?.total ?? 0) - found.entries.length;
      return call.show({
        text: (look) =>
          found.entries.length === 0
            ? ["nothing is remembered of it"]
            : [
                ...table(historyColumns(look), found.entries, look),
                ...(more > 0 ? [`and ${more} older (--limit)`] : []),
              ],
        data: dataOf(ListHistoryResponseSchema, found),
        names: found.entries.map(({ rollout }) => `rollout/${rollout}`),
        asOf: asOf(found.result),
      });
    },
  },
];
