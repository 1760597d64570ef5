import { ListRolloutsResponseSchema } from "@capstan/proto/rollout";
import { asOf, dataOf } from "./answer.ts";
import { allPages, type Call } from "./call.ts";
import { rolloutColumns } from "./screens/rollout.ts";
import { table } from "./table.ts";

/** `rollout list`, also as `get rollouts`. */
export async function listRollouts(
  call: Call,
  asked: { readonly lane: string; readonly all: boolean } = { lane: call.text("lane") ?? "", all: call.flag("all") },
): Promise<number> {
  const hub = await call.hub();
  const pages = await allPages((pageToken) =>
    hub.rollouts.listRollouts({ ...asked, options: call.options({ pageToken }) }, call.signal),
  );
  const all = { ...pages[0], rollouts: pages.flatMap(({ rollouts }) => rollouts) };
  const none = asked.all ? "none yet" : "nothing moves (--all shows those that have ended)";
  return call.show({
    text: (look) => (all.rollouts.length === 0 ? [none] : table(rolloutColumns(look), all.rollouts, look)),
    data: dataOf(ListRolloutsResponseSchema, all),
    names: all.rollouts.map(({ id }) => `rollout/${id}`),
    asOf: asOf(all.result),
  });
}
