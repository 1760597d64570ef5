import { connect, type NatsConnection } from "nats";
import { realCluster, skipReason } from "../toolchain/skip.ts";
import { ApiServer } from "../world/api-server.ts";
import { KubeClient } from "../world/kube-client.ts";
import { NatsServer } from "../world/nats.ts";
import { type Bar, type Bench, type BenchContext, figure, quantile, rate } from "./bench.ts";

const inFlight = 16;
const objects = 2_000;
const agents = 1_000;
const collection = "/api/v1/namespaces/default/configmaps";

/** What the parts below Capstan can do at best on this machine; other benches are read beside it. */
export const bench: Bench = {
  summary: "what a bare client gets from a real API server, and bare NATS from hint and direct get (no bars)",
  async run(context) {
    return [...(await kubernetesFloor(context)), ...(await natsFloor(context))];
  },
};

async function kubernetesFloor({ tools, say }: BenchContext): Promise<Bar[]> {
  const skip = skipReason(tools, realCluster);
  if (skip !== false) {
    say(`floor: the API server is left out: ${skip}`);
    return [];
  }
  await using server = await ApiServer.start({ tools, name: "floor" });
  using client = new KubeClient(server.admin, inFlight);
  const send = (index: number, query: string) =>
    client
      .send("PATCH", `${collection}/floor-${index}?fieldManager=floor&force=true${query}`, {
        body: configMap(index),
        contentType: "application/apply-patch+yaml",
      })
      .then(({ status }) => {
        if (status >= 300) throw new Error(`floor: the API server answered ${status}`);
      });
  await rate(100, inFlight, (index) => send(objects + index, "&dryRun=All"));
  say("floor: creating, re-applying and dry-running on a real API server");
  const per = (name: string, value: number) => figure({ name, value, unit: "/s" });
  return [
    per("creates by server-side apply", await rate(objects, inFlight, (index) => send(index, ""))),
    per("unchanged re-applies", await rate(objects, inFlight, (index) => send(index, ""))),
    per("server-side dry-runs", await rate(objects, inFlight, (index) => send(index, "&dryRun=All"))),
  ];
}

function configMap(index: number): unknown {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `floor-${index}`, namespace: "default", labels: { app: "floor" } },
    data: { value: "x".repeat(200) },
  };
}

async function natsFloor({ tools, say }: BenchContext): Promise<Bar[]> {
  await using server = await NatsServer.start({ tools });
  await using stack = new AsyncDisposableStack();
  const open = async () => stack.adopt(await connect({ servers: server.url }), (connection) => connection.close());
  const hub = await open();
  const bucket = await hub.jetstream().views.kv("state");
  const state = new Uint8Array(300);
  say(`floor: ${agents} NATS connections, one key each`);
  const puts = await rate(agents, 256, (index) => bucket.put(`desired.${index}`, state));
  const connections: NatsConnection[] = [];
  await rate(agents, 50, async () => connections.push(await open()));
  const rounds: number[][] = [];
  for (let round = 0; round < 3; round += 1) rounds.push(await hintAll(hub, connections));
  const last = rounds.at(-1) ?? [];
  return [
    figure({ name: "KV puts of 300 B, fsync always", value: puts, unit: "/s" }),
    figure({ name: `hint and direct get, ${agents} agents, p50`, value: quantile(last, 0.5), unit: "ms" }),
    figure({ name: `hint and direct get, ${agents} agents, last`, value: quantile(last, 1), unit: "ms" }),
  ];
}

/** Hints every agent once; each reads its key at once. Returns the milliseconds from the first hint to each answer. */
async function hintAll(hub: NatsConnection, connections: readonly NatsConnection[]): Promise<number[]> {
  let started = 0;
  const answers = connections.map(
    (connection, index) =>
      new Promise<number>((resolve, reject) => {
        connection.subscribe(`hint.${index}`, {
          max: 1,
          callback: () => {
            connection.request(`$JS.API.DIRECT.GET.KV_state.$KV.state.desired.${index}`).then((answer) => {
              if (answer.data.length === 300) resolve(performance.now() - started);
              else reject(new Error(`floor: the direct get gave ${answer.data.length} bytes`));
            }, reject);
          },
        });
      }),
  );
  await Promise.all(connections.map((connection) => connection.flush()));
  started = performance.now();
  for (const index of connections.keys()) hub.publish(`hint.${index}`, "1");
  return Promise.all(answers);
}
