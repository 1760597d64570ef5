import { Fault } from "@capstan/proto";
import { type KeyView, ListKeysResponseSchema } from "@capstan/proto/system";
import { ageCell, msOf, span } from "./age.ts";
import { dataOf } from "./answer.ts";
import { exit } from "./exit.ts";
import { type Column, table } from "./table.ts";
import { flag, type Verb } from "./verb.ts";

/** `hub key add`, offline on a hub's data folder, and `hub key list`. */
export const keyVerbs: readonly Verb[] = [
  {
    words: "hub key add",
    args: "<kind>",
    help: "make the next signing key or CA in a hub's data folder; the hub offers it to agents, then uses it",
    flags: [{ flags: "--data <folder>", help: "the hub's data folder" }],
    examples: ["hub key add signing --data /var/lib/capstan", "hub key add ca --data /var/lib/capstan"],
    run: async (call) => {
      const kind = call.word(0);
      if (kind !== "signing" && kind !== "ca") {
        throw new Fault("bad-input", { message: `expected signing or ca, found ${JSON.stringify(kind)}.` });
      }
      const data = call.needed("data", "--data FOLDER");
      const id = await call.ports.keys.add(kind, data);
      call.say(
        `${kind} ${id}`,
        "A hub that runs on this folder takes it up within seconds. See how far it is: capstan hub key list",
        "Copy keys/ to every standby, and into your backup.",
      );
      return exit.done;
    },
  },
  {
    words: "hub key list",
    help: "the hub's signing keys and CAs, and how many clusters trust each",
    flags: [flag.output],
    examples: ["hub key list"],
    run: async (call) => {
      const answer = await (await call.hub()).system.listKeys({}, call.signal);
      return call.show({
        text: (look) => table(columns(look.now), answer.keys, look),
        data: dataOf(ListKeysResponseSchema, answer),
        names: answer.keys.map(({ kind, id }) => `${kind}/${id}`),
      });
    },
  },
];

function columns(now: number): readonly Column<KeyView>[] {
  return [
    { head: "KIND", cell: ({ kind }) => kind },
    { head: "ID", cell: ({ id }) => id.slice(0, 16) },
    { head: "STATE", cell: ({ state }) => state },
    { head: "SINCE", cell: ({ announcedAt }) => ageCell(announcedAt, now) },
    { head: "TRUSTED BY", cell: ({ trustedBy, clusters }) => `${trustedBy} of ${clusters}` },
    { head: "NEXT", cell: (key) => nextOf(key, now) },
    { head: "NOT YET", cell: ({ missing }) => missing.join(",") || "-" },
  ];
}

function nextOf({ state, dueAt }: KeyView, now: number): string {
  const due = msOf(dueAt);
  if (due === undefined) return "-";
  return `${state === "announced" ? "signs" : "retired"} in ${span(Math.max(0, due - now))} at the latest`;
}
