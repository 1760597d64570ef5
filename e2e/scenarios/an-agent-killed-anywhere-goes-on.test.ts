import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestInfo } from "../world/simulated-api-server/faults.ts";
import { notYet, until } from "../world/wait.ts";
import { appFile, configApp } from "./plain-fleet.ts";
import { Scenario, simulated } from "./scenario.ts";

const configs = "/api/v1/namespaces/shop/configmaps";
/** Deaths in one run; the full suite dies once before each request of a release. */
const sampled = 5;
/** As from a hash of its content: what such a one replaces does not count for the deletion guard. */
const stepName = (value: string) => `step-${value.padStart(5, "0")}`;

test("an agent killed between any two of its requests goes on where it was, and leaves nothing half done", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(1) });
  const { history } = scenario.world;
  const cluster = scenario.world.cluster("c-01");
  const { agent } = cluster;
  assert.ok(agent !== undefined);
  await scenario.settled(1);
  /** Each release changes one object, adds one and takes one away. */
  const release = (value: string) =>
    scenario.publish(
      { [appFile("shop")]: `${configApp(value)}---\n${configApp(value).replace("settings", stepName(value))}` },
      `Release ${value}`,
    );
  const complete = (value: string) =>
    until(
      `all of release ${value} and nothing else`,
      async () => {
        const found = (await cluster.client.list(configs)).map(({ metadata }) => metadata.name).sort();
        const done = found.join(" ") === `settings ${stepName(value)}` && (await scenario.valueOf(cluster)) === value;
        return done || notYet(found);
      },
      20_000,
    );

  // How many requests a release takes, to spread the deaths over them.
  await release("2");
  await complete("2");
  await scenario.settled(1);
  let requests = 0;
  const lift = cluster.simulated.faults.add({
    fault: { kind: "delay", ms: 0 },
    when: (request) => isAgents(request) && ++requests < 0,
  });
  await release("3");
  await complete("3");
  lift();
  assert.ok(requests > sampled, `${requests} requests`);
  const samples = process.env["CAPSTAN_FULL"] === "1" ? requests : sampled;

  for (let sample = 0; sample < samples; sample += 1) {
    const value = String(sample + 4);
    const fatal = 1 + Math.floor((sample * (requests - 1)) / samples);
    let left = fatal;
    // Every second time the request has still been carried out.
    const kind = sample % 2 === 0 ? "reset" : "lost";
    cluster.simulated.faults.add({
      fault: { kind },
      times: 1,
      when(request) {
        if (!isAgents(request) || --left > 0) return false;
        agent.child?.signal("SIGKILL");
        return true;
      },
    });
    await history.fault(`agent killed at request ${fatal} of ${requests} (${kind})`, async () => {
      await release(value);
      await until("the agent's end", () => agent.child?.running === false || notYet(`${left} to go`), 10_000);
      await agent.restart();
      await complete(value);
    });
  }
  await release("999");
  await complete("999");
  await scenario.settled(1);
  history.assertHolds();
});

/** Its requests and those that it makes as the account that applies; watches are no step of its work. */
function isAgents({ verb, user }: RequestInfo): boolean {
  return verb !== "watch" && user.startsWith("system:serviceaccount:capstan-system:");
}
