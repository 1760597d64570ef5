import assert from "node:assert/strict";
import { test } from "node:test";
import { ensureTools } from "../toolchain/tools.ts";
import { until } from "../world/wait.ts";
import { Visitor } from "./visitor.ts";

test("the playground runs, a push with plain git arrives, and Ctrl-C leaves nothing behind", async (context) => {
  await ensureTools(["helm", "kubectl", "natsServer"]);
  await using visitor = await Visitor.start(context, ["--simulated"]);
  assert.match(await visitor.types("capstan status"), /3 clusters +3 connected/);
  const look = visitor.said("look into dev-1").replace("-A", "-n team-shop-web -o yaml");
  assert.doesNotMatch(await visitor.types(look), /cart\.limit=75/);
  await visitor.types(visitor.said("push a change"));
  const arrived = async () => /cart\.limit=75/.test(await visitor.types(look));
  await until("the change", arrived, { bound: 10_000, every: 200 });
  await visitor.leaves();
});
