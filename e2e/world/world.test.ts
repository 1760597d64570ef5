import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { realCluster, skipReason } from "../toolchain/skip.ts";
import { ensureTools } from "../toolchain/tools.ts";
import { HubProcess } from "./hub-process.ts";
import { processesNaming, showLogsOnFailure } from "./process.ts";
import { TempDir } from "./temp.ts";
import { within } from "./wait.ts";
import { World } from "./world.ts";

const tools = await ensureTools(["helm", "kubectl", "natsServer"], { ifPresent: ["kubeApiserver", "etcd"] });

// Answers as a hub does while it starts, and leaves a program behind as a hub leaves its NATS when it is killed.
const standIn = `
const { readFileSync } = require("node:fs");
const { spawn } = require("node:child_process");
if (process.argv.includes("status")) { console.log(process.env.CAPSTAN_HUB); process.exit(3); }
const config = JSON.parse(readFileSync(process.argv.at(-1), "utf8"));
spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)", config.data], { detached: true, stdio: "ignore" }).unref();
require("node:http").createServer((_, response) => response.end(JSON.stringify(config))).listen(config.listen.http, "127.0.0.1");
`;

test("a hub process gets its config, is killed and started again on its ports, and leaves nothing behind", async () => {
  await using dir = await TempDir.make("stand-in");
  const script = dir.at("hub.cjs");
  await writeFile(script, standIn);
  const command = { binary: process.execPath, args: [script] };
  let data = "";
  {
    await using hub = await HubProcess.start({
      tools,
      command,
      config: { lease: { duration: "5s" } },
      webhookSecret: "x",
    });
    data = hub.dataDir;
    const config = async () => (await fetch(`${hub.httpUrl}/config`)).json() as Promise<Record<string, unknown>>;
    const first = await config();
    assert.deepEqual(first["lease"], { duration: "5s" });
    assert.deepEqual((first["listen"] as Record<string, unknown>)["endpoints"], [hub.links.grpc.address]);
    await hub.kill();
    assert.ok(hub.embeddedNats() !== undefined);
    await assert.rejects(config());
    hub.configure({ lease: { duration: "9s" } });
    await hub.restart();
    assert.deepEqual((await config())["lease"], { duration: "9s" });
    assert.deepEqual(await hub.cli(["status"]), { code: 3, stdout: `${hub.endpoint}\n`, stderr: "" });
  }
  assert.deepEqual(processesNaming(data), []);
});

const skip = skipReason(tools, realCluster);
for (const kind of ["simulated", "real"] as const) {
  test(`a ${kind} cluster: one handle for objects, kubectl, an account's token, and the link that is cut`, {
    skip: kind === "real" && skip,
  }, async () => {
    await using world = await World.start({
      clusters: [{ id: "dev-1", labels: { env: "dev" }, kind }],
      hub: "none",
      tools,
    });
    const cluster = world.cluster("dev-1");
    assert.match(await cluster.incarnation(), /^[0-9a-f-]{36}$/);
    assert.match(await world.repository.read("argocd/clusters.yaml"), /name: dev-1/);
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "robot" } };
    await cluster.client.create("/api/v1/namespaces/default/serviceaccounts", account);
    const kubeconfig = await cluster.kubeconfigOf("default", "robot");
    const whoami = () =>
      cluster.kubectl(["--kubeconfig", kubeconfig, "auth", "whoami", "-o", "json", "--request-timeout=5s"]);
    const known = await whoami();
    assert.match(known.stdout, /system:serviceaccount:default:robot/, known.stderr);
    cluster.link.cut();
    assert.notEqual((await within("kubectl over the cut link", 20_000, whoami())).code, 0);
    cluster.link.restore();
    assert.equal((await whoami()).code, 0);
    assert.throws(() => world.hub, /without a hub/);
  });
}

test("the hub of a world takes a push, is killed, and adopts its NATS again", async (context) => {
  await using world = await World.start({
    clusters: [{ id: "dev-1", labels: { env: "dev" }, kind: "simulated" }],
    tools,
  });
  showLogsOnFailure(context, () => world.children);
  const { hub, repository } = world;
  await repository.publish({ note: "1" }, "a push that the webhook tells");
  const nats = hub.embeddedNats();
  assert.ok(nats !== undefined);
  assert.ok(hub.usage().hub.rssBytes > 0 && hub.usage().nats.rssBytes > 0);
  await hub.kill();
  await assert.rejects(hub.isReady());
  await hub.restart();
  assert.equal(hub.embeddedNats(), nats);
  await repository.publish({ note: "2" }, "another push");
});
