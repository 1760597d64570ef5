import assert from "node:assert/strict";
import { test } from "node:test";
import { realCluster, skipReason } from "../toolchain/skip.ts";
import { ensureTools } from "../toolchain/tools.ts";
import { AgentProcess } from "../world/agent-process.ts";
import { within } from "../world/wait.ts";
import { Scenario } from "./scenario.ts";

const tools = await ensureTools(["helm", "kubectl", "natsServer"], { ifPresent: ["kubeApiserver", "etcd"] });
const settings = "/api/v1/namespaces/billing/configmaps/settings";

test("I join a cluster by the lines that are shown, and what another tool manages there is observed, not touched", {
  skip: skipReason(tools, realCluster),
}, async (context) => {
  await using scenario = await Scenario.start(context, {
    clusters: [{ id: "prod-eu-1", kind: "real" }],
    apps: ["shop", "billing"],
    join: [],
    // It is made known by hand: Git says nothing of it.
    files: () => ({ "argocd/clusters.yaml": "# none yet\n" }),
  });
  const { world } = scenario;
  const { hub } = world;
  const cluster = world.cluster("prod-eu-1");
  await cluster.client.apply("/api/v1/namespaces/billing", {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "billing" },
  });
  const theirs = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: "settings",
      namespace: "billing",
      annotations: { "argocd.argoproj.io/tracking-id": "billing:/ConfigMap:billing/settings" },
    },
    data: { value: "as Argo CD has it" },
  };
  await cluster.client.apply(settings, theirs, "argocd-controller");

  const wish = ["--label", "env=prod", "--label", "region=eu", "--wait"];
  await using adding = await hub.begin(["cluster", "add", "prod-eu-1", ...wish]);
  await adding.ready(
    "it shows what to run",
    (output) => /cluster manifest .* \| kubectl apply -f -\n/.test(output),
    15_000,
  );
  assert.match(adding.tail, /prod-eu-1 may join once, until \d\d:\d\d \(10 min/);
  const token = /^capstan-join\S*|^\S+\.prod-eu-1\.\S+/m.exec(adding.tail)?.[0] ?? "";
  assert.notEqual(token, "", adding.tail);
  const shown = /capstan (cluster manifest .*) \| kubectl (apply -f -)/.exec(adding.tail);
  assert.ok(shown !== null, adding.tail);
  const manifest = await hub.cli((shown[1] ?? "").split(" "), { input: token });
  assert.equal(manifest.code, 0, manifest.stderr);
  const applied = await cluster.kubectl((shown[2] ?? "").split(" "), manifest.stdout);
  assert.equal(applied.code, 0, applied.stderr);
  // The Deployment's pod, as nothing runs pods here: with the manifest's account, hub and token.
  const kubeconfig = await cluster.kubeconfigOf("capstan-system", "capstan-agent");
  const hubs = [/--hub (\S+)/.exec(shown[1] ?? "")?.[1] ?? ""];
  cluster.agent = await AgentProcess.start({ cluster: "prod-eu-1", kubeconfig, hubs, token });

  const { code } = await within("the end of cluster add", 30_000, adding.exited);
  const said = adding.tail.slice(adding.tail.indexOf("Waiting for")).replace(/\s+/g, " ");
  assert.equal(code, 0, said);
  assert.match(said, /Waiting for its first report .* joined after \d+ s: Kubernetes v1\.\d+/);
  assert.match(said, /0 nodes, agent \S+, may write: all namespaces/);
  assert.match(said, /1 application set matches it: 2 targets\. 1 of them meets objects that others manage here/);
  assert.match(said, /they are observed, not touched/);
  const [, look = ""] = /\(capstan (get targets -c prod-eu-1)\)/.exec(said) ?? [];
  const listed = await hub.cli(look.split(" "));
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(listed.stdout, /shop-prod-eu-1 .*Healthy +Synced/);
  assert.match(listed.stdout, /billing-prod-eu-1/);
  assert.equal(await scenario.valueOf(cluster, "shop"), "1");
  assert.equal(await scenario.valueOf(cluster, "billing"), "as Argo CD has it");

  // It is a cluster as any other: what is pushed reaches it, but for what is not ours.
  await scenario.release("2");
  await scenario.arrived("2", { apps: ["shop"] });
  assert.equal(await scenario.valueOf(cluster, "billing"), "as Argo CD has it");
  const clusters = await hub.cli(["cluster", "show", "prod-eu-1"]);
  assert.match(clusters.stdout, /region=eu/);
  // Taken over once a person says so.
  const mode = await hub.cli(["cluster", "mode", "prod-eu-1", "enforce", "--yes"]);
  assert.equal(mode.code, 0, mode.stderr);
  await scenario.arrived("2", { apps: ["billing"] });
  await scenario.settled(2);
  world.history.assertHolds();
});
