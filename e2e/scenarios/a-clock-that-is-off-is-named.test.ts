import { test } from "node:test";
import { clockShift } from "../world/clock-shift.ts";
import { TempDir } from "../world/temp.ts";
import { notYet, until } from "../world/wait.ts";
import { Scenario, simulated } from "./scenario.ts";

const tenMinutes = 600;

test("a clock that is ten minutes off, an agent's or the hub's, is named with its cure, and the fleet goes on", async (context) => {
  await using dir = await TempDir.make("clock");
  const shift = await clockShift(dir);
  if ("lacks" in shift) return context.skip(shift.lacks);
  await using scenario = await Scenario.start(context, { clusters: simulated(3) });
  const { hub, history } = scenario.world;
  const agent = scenario.world.cluster("c-01").agent;
  const neighbours = ["c-02", "c-03"];
  await scenario.settled(3);
  const shows = (pattern: RegExp, ...words: string[]) =>
    until(
      `${words.join(" ")} to show ${pattern}`,
      async () => {
        const { stdout, stderr } = await hub.cli(words);
        return pattern.test(stdout.replace(/\s+/g, " ")) || notYet(stdout + stderr);
      },
      { bound: 20_000, every: 300 },
    );
  const restartedWith = async (seconds: number) => {
    await agent?.kill();
    agent?.setEnv(seconds === 0 ? {} : shift.env(seconds));
    await agent?.restart();
  };

  // Ahead: it works on, and the difference is told.
  await restartedWith(tenMinutes);
  await scenario.release("2");
  await scenario.arrived("2", { bound: 20_000 });
  await shows(/the clock of cluster c-01 is (600|599|601) s ahead of the hub's/, "cluster", "show", "c-01");
  await shows(/Set both clocks by NTP/, "why", "c-01");

  // Behind: the hub's certificate is of the future, so it cannot be trusted; what runs there stays.
  await restartedWith(-tenMinutes);
  await until(
    "the agent to name the clock",
    () => /"code":"clock-skew".*Set both clocks by NTP/.test(agent?.child?.tail ?? "") || notYet(agent?.child?.tail),
    20_000,
  );
  await scenario.release("3");
  await scenario.arrived("3", { clusters: neighbours, bound: 20_000 });
  await shows(/offline: c-01/, "status");
  await until("what ran", async () => (await scenario.valueOf("c-01")) === "2", 5_000);
  await restartedWith(0);
  await scenario.arrived("3", { bound: 60_000 });

  // The hub's own, ahead: the same, told of each cluster, and it still leads.
  await history.fault("the hub's clock", async () => {
    const hubWith = async (seconds: number) => {
      await hub.stop();
      hub.setEnv(seconds === 0 ? {} : shift.env(seconds));
      await hub.restart();
    };
    await hubWith(tenMinutes);
    for (const id of ["c-01", ...neighbours]) {
      await shows(new RegExp(`the clock of cluster ${id} is \\d+ s behind the hub's`), "cluster", "show", id);
    }
    await scenario.release("4");
    await scenario.arrived("4", { bound: 60_000 });
    // Behind: certificates that it gave before are of its future. The agents hold course and say what to look at.
    await hubWith(-tenMinutes);
    await until(
      "the agent to name the clocks",
      () => /set the clocks of hub and cluster by NTP/.test(agent?.child?.tail ?? "") || notYet(agent?.child?.tail),
      30_000,
    );
    await until("what ran", async () => (await scenario.valueOf("c-01")) === "4", 5_000);
    await hubWith(0);
  });
  await scenario.release("5");
  await scenario.arrived("5", { bound: 60_000 });
  await scenario.settled(3, 30_000);
  history.assertHolds();
});
