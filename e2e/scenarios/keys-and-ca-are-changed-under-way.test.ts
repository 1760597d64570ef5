import assert from "node:assert/strict";
import { test } from "node:test";
import type { KeyView } from "@capstan/proto/system";
import { notYet, until } from "../world/wait.ts";
import { atOnce, Scenario, simulated } from "./scenario.ts";

test("signing key and CA are changed under way: releases go on, and whoever was away comes back", async (context) => {
  const identity = { rootOverlap: "1s" };
  await using scenario = await Scenario.start(context, { clusters: simulated(3), config: { ...atOnce, identity } });
  const { world } = scenario;
  const { hub } = world;
  await scenario.settled(3);
  const add = async (kind: string) => {
    const { code, stdout, stderr } = await hub.cli(["hub", "key", "add", kind, "--data", hub.dataDir]);
    assert.equal(code, 0, stderr);
    return /\b[0-9a-f]{16,}\b/.exec(stdout + stderr)?.[0] ?? "";
  };
  const key = (id: string, fits: (key: KeyView) => boolean) =>
    until(
      `key ${id}`,
      async () => {
        const { keys } = await (await hub.client()).system.listKeys({});
        return keys.some((each) => each.id === id && fits(each)) || notYet(keys.map((each) => ({ ...each })));
      },
      { bound: 30_000, every: 200 },
    );

  await world.cluster("c-03").agent?.kill();
  const signing = await add("signing");
  await key(signing, ({ state, trustedBy, missing }) => {
    return state === "announced" && trustedBy === 2 && missing.join() === "c-03";
  });
  await scenario.release("2");
  await scenario.arrived("2", { clusters: ["c-01", "c-02"] });
  await world.cluster("c-03").agent?.restart();
  await key(signing, ({ state }) => state === "active");
  await scenario.release("3");
  await scenario.arrived("3", { bound: 20_000 });

  await world.cluster("c-03").agent?.kill();
  const { keys } = await (await hub.client()).system.listKeys({});
  const old = keys.find(({ kind }) => kind === "ca")?.id ?? "";
  const ca = await add("ca");
  await key(ca, ({ state, trustedBy }) => state === "active" && trustedBy === 2);
  await key(old, ({ state }) => state === "trusted");
  await world.cluster("c-03").agent?.restart();
  await key(old, ({ state }) => state === "retired");
  await scenario.release("4");
  await scenario.arrived("4", { bound: 20_000 });
  await hub.kill();
  await hub.restart();
  await scenario.settled(3, 30_000);
  await scenario.release("5");
  await scenario.arrived("5", { bound: 20_000 });
  const shown = await hub.cli(["hub", "key", "list"]);
  assert.match(shown.stdout, /ca +[0-9a-f]{16} +active .* 3 of 3/);
  assert.match(shown.stdout, /ca +[0-9a-f]{16} +retired/);
});
