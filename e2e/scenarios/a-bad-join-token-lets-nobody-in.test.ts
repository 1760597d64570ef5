import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterState } from "@capstan/proto/fleet";
import { AgentProcess } from "../world/agent-process.ts";
import type { WorldCluster } from "../world/cluster.ts";
import { within } from "../world/wait.ts";
import { Scenario, simulated } from "./scenario.ts";

const home = "/api/v1/namespaces/capstan-system";

test("a join token that is wrong, used, or another's lets nobody in, and the agent says so and ends", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(3), join: ["c-01"] });
  const { world } = scenario;
  const { fleet } = await world.hub.client();
  const agentOn = async (where: WorldCluster, cluster: string, token: string) => {
    const kubeconfig = await where.kubeconfigOf("capstan-system", "capstan-agent");
    return AgentProcess.start({ cluster, kubeconfig, hubs: [world.hub.links.grpc.address], token });
  };
  const stranger = await furnished(world.cluster("c-03"));
  /** What the stranger's agent prints when it calls itself `id`. */
  const refused = async (id: string, token: string): Promise<string> => {
    await using agent = await agentOn(stranger, id, token);
    const { child } = agent;
    assert.ok(child !== undefined);
    const { code } = await within("the end of the agent", 15_000, child.exited);
    assert.equal(code, 77, child.tail);
    const secret = token.split(".")[3] ?? token;
    assert.ok(!child.tail.includes(secret), "the token's secret is not shown");
    return child.tail;
  };

  const { token } = await fleet.addCluster({ id: "c-02" });
  const [kind, named, id, secret = "", pin = ""] = token.split(".");
  const reversed = (text: string) => [...text].reverse().join("");
  assert.match(await refused("c-02", "hunter2"), /expected a join token, found 7 characters/);
  assert.match(await refused("c-03", token), /for cluster c-03, found one for c-02/);
  const guessed = [kind, named, id, reversed(secret), pin].join(".");
  assert.match(await refused("c-02", guessed), /that this hub did not make.*token-refused/);
  // The hub is not who the token says: the token is not given to it.
  const otherHub = [kind, named, id, secret, reversed(pin)].join(".");
  assert.match(await refused("c-02", otherHub), /certificate-refused/);

  // None of that has used up the good one. Once it is used, it is so for everybody else.
  const joining = await furnished(world.cluster("c-02"));
  joining.agent = await agentOn(joining, "c-02", token);
  const clusters = ["c-01", "c-02"];
  await scenario.arrived("1", { clusters });
  assert.match(await refused("c-02", token), /used.*token-refused/);
  await scenario.release("2");
  await scenario.arrived("2", { clusters });
  const { clusters: all } = await fleet.listClusters({});
  const connected = all.filter(({ state }) => state === ClusterState.CONNECTED);
  assert.deepEqual(connected.map((cluster) => cluster.id).sort(), clusters);
});

/** Makes what `capstan cluster manifest` would: the agent's namespace and accounts. */
async function furnished(cluster: WorldCluster): Promise<WorldCluster> {
  await cluster.client.apply(home, { apiVersion: "v1", kind: "Namespace", metadata: { name: "capstan-system" } });
  for (const name of ["capstan-agent", "capstan-applier"]) {
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name } };
    await cluster.client.apply(`${home}/serviceaccounts/${name}`, account);
  }
  return cluster;
}
