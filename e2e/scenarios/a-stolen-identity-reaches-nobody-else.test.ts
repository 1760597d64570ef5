import assert from "node:assert/strict";
import { test } from "node:test";
import { type Msg, type NatsConnection } from "nats";
import { agentNamespace } from "../world/holdings.ts";
import { HubClient, pemOf } from "../world/hub-client.ts";
import { connectAs, connectHubStore, credentialsText } from "../world/hub-store.ts";
import { Scenario, simulated } from "./scenario.ts";

interface Credential {
  readonly keys: { readonly nats: string };
  readonly ca: readonly string[];
  readonly natsJwt: string;
}

test("whoever steals an agent's identity reads and changes nothing of others", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(2) });
  const { hub } = scenario.world;
  await scenario.settled(2);
  const stolen = await identityOf(scenario, "c-01");
  const ca = stolen.ca.map(pemOf).join("");
  const credentials = credentialsText(stolen.natsJwt, stolen.keys.nats);
  await using parts = new AsyncDisposableStack();
  const thief = await connectAs(hub.links.nats.address, credentials, ca, "_INBOX_c-01");
  parts.defer(() => thief.close());
  const store = await connectHubStore(hub);
  parts.defer(() => store.close());
  const before = await lastOf(store, "c-02");

  // Its own state it may read: so what follows is refused for what it is, and not because nothing works.
  assert.match(await ask(thief, "get.desired.c-01"), /^\d+ bytes$/);
  for (const [subject, body] of [
    ["get.desired.c-02", ""],
    ["$JS.API.DIRECT.GET.KV_state.$KV.state.desired.c-02", ""],
    ["$JS.API.STREAM.MSG.GET.KV_state", '{"last_by_subj":"$KV.state.desired.c-02"}'],
    ["$JS.API.STREAM.NAMES", ""],
    ["$JS.API.CONSUMER.CREATE.KV_state", '{"stream_name":"KV_state","config":{"deliver_subject":"hint.c-02"}}'],
  ] as const) {
    assert.match(await ask(thief, subject, body), /^refused/, subject);
  }
  const replies = ["$KV.state.desired.c-02", "$KV.state.lease.0", "$JS.API.STREAM.PURGE.KV_state", "hint.c-02"];
  for (const subject of replies) {
    thief.publish(subject, "forged");
    thief.publish("get.desired.c-01", undefined, { reply: subject });
  }
  await thief.flush();
  assert.equal(await lastOf(store, "c-02"), before);

  // The certificate opens the agent's service, not the people's.
  using people = new HubClient(hub.endpoint, { ca: stolen.ca[0] ?? "", token: "" });
  await assert.rejects(people.fleet.listClusters({}), /UNAUTHENTICATED/);

  await scenario.release("2");
  await scenario.arrived("2");
  await scenario.settled(2);
});

async function identityOf(scenario: Scenario, cluster: string): Promise<Credential> {
  const path = `/api/v1/namespaces/${agentNamespace}/secrets/capstan-identity`;
  const secret = await scenario.world.cluster(cluster).client.get(path);
  const text = (secret?.["data"] as Readonly<Record<string, string>>)["identity.json"] ?? "";
  const { identity } = JSON.parse(Buffer.from(text, "base64").toString("utf8")) as {
    readonly identity: { readonly credential: Credential };
  };
  return identity.credential;
}

/** The answer's length, or that it was refused; no answer counts as refused. */
async function ask(connection: NatsConnection, subject: string, body = ""): Promise<string> {
  try {
    const answer: Msg = await connection.request(subject, body, { timeout: 1_000 });
    const code = answer.headers?.code ?? 0;
    return code >= 400 ? `refused: ${code}` : `${answer.data.length} bytes`;
  } catch (error) {
    return `refused: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Sequence of the last desired state that the store has of a cluster. */
async function lastOf(store: NatsConnection, cluster: string): Promise<number> {
  const manager = await store.jetstreamManager();
  return (await manager.streams.getMessage("KV_state", { last_by_subj: `$KV.state.desired.${cluster}` })).seq;
}
