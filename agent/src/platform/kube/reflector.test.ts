import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { Fault, systemChance, systemClock } from "@capstan/proto";
import { type Answer, json, startScripted } from "../../testing/scripted-server.ts";
import { until } from "../../testing/until.ts";
import { KubeClient } from "./client.ts";
import { Kinds } from "./kinds.ts";
import { Reflector } from "./reflector.ts";

const discovery = {
  kind: "APIGroupDiscoveryList",
  items: [
    {
      metadata: { name: "" },
      versions: [
        {
          version: "v1",
          resources: [
            {
              resource: "configmaps",
              scope: "Namespaced",
              verbs: ["list", "watch"],
              responseKind: { kind: "ConfigMap" },
            },
          ],
        },
      ],
    },
  ],
};

const configMaps = { group: "", version: "v1", kind: "ConfigMap" };

/** Follows ConfigMaps of a scripted server and notes what the sink is told, until the stop. */
async function following(
  list: (query: URLSearchParams, response: ServerResponse, count: number) => void,
  kindsOf = (client: KubeClient) => new Kinds(client),
) {
  let count = 0;
  const answer: Answer = (request, response) => {
    const url = new URL(request.url ?? "", "http://x");
    if (url.pathname === "/api") return json(response, 200, discovery);
    if (url.pathname === "/apis") return json(response, 200, { kind: "APIGroupDiscoveryList", items: [] });
    list(url.searchParams, response, ++count);
  };
  const server = await startScripted(answer);
  const client = new KubeClient({
    access: server.access,
    clock: systemClock,
    chance: () => 0,
    inFlight: 4,
    timeoutMs: 5000,
  });
  const reflector = new Reflector({
    client,
    kinds: kindsOf(client),
    clock: systemClock,
    chance: systemChance,
    selector: "ours",
  });
  const told: string[] = [];
  const stop = new AbortController();
  const sink = {
    begin: () => told.push("begin"),
    set: (object: { metadata: { name: string } }) => told.push(`set ${object.metadata.name}`),
    gone: (object: { metadata: { name: string } }) => told.push(`gone ${object.metadata.name}`),
    synced: () => told.push("synced"),
    steady: () => undefined,
    trouble: (fault: { code: string }) => told.push(`trouble ${fault.code}`),
  };
  const done = reflector.follow(configMaps, { body: false }, sink, stop.signal);
  return {
    told,
    asked: server.asked,
    async stop() {
      stop.abort();
      await done;
      client.close();
      await server.stop();
    },
  };
}

function page(names: readonly string[], resourceVersion: string, token = "") {
  const items = names.map((name) => ({ metadata: { name, namespace: "d", resourceVersion } }));
  return { items, metadata: { resourceVersion, ...(token === "" ? {} : { continue: token }) } };
}

function line(response: ServerResponse, type: string, name: string, resourceVersion: string): void {
  response.write(`${JSON.stringify({ type, object: { metadata: { name, namespace: "d", resourceVersion } } })}\n`);
}

test("lists in pages, watches from there, and goes on where a torn connection left off", async () => {
  const run = await following((query, response, count) => {
    if (query.get("continue") === "more") return json(response, 200, page(["b"], "10"));
    if (!query.has("watch")) return json(response, 200, page(["a"], "9", "more"));
    response.writeHead(200);
    if (count === 3) {
      line(response, "MODIFIED", "a", "11");
      line(response, "BOOKMARK", "", "20");
      setImmediate(() => response.destroy());
    } else line(response, "DELETED", "b", "21");
  });
  await until(() => run.told.includes("gone b"));
  await run.stop();
  assert.deepEqual(
    run.told.filter((one) => !one.startsWith("trouble")),
    ["begin", "set a", "set b", "synced", "set a", "gone b"],
  );
  const places = run.asked
    .filter((one) => one.includes("watch=1"))
    .map((one) => /resourceVersion=(\d*)/.exec(one)?.[1]);
  assert.deepEqual(places, ["10", "20"]);
});

test("takes a last page without items for the end of its list", async () => {
  const run = await following((query, response) => {
    if (query.get("continue") === "more")
      return json(response, 200, { items: null, metadata: { resourceVersion: "10" } });
    if (!query.has("watch")) return json(response, 200, page(["a"], "9", "more"));
    response.writeHead(200);
    line(response, "MODIFIED", "a", "11");
  });
  await until(() => run.told.length >= 4);
  await run.stop();
  assert.deepEqual(run.told.slice(0, 4), ["begin", "set a", "synced", "set a"]);
});

test("lists anew when its place has expired, by status and in the stream", async () => {
  const run = await following((query, response, count) => {
    if (!query.has("watch")) return json(response, 200, page(["a"], String(count)));
    if (count === 2) return json(response, 410, { kind: "Status", reason: "Expired" });
    response.writeHead(200);
    if (count === 4) {
      const expired = { kind: "Status", code: 410, reason: "Expired", metadata: {} };
      response.end(`${JSON.stringify({ type: "ERROR", object: expired })}\n`);
    }
  });
  await until(() => run.told.filter((one) => one === "synced").length === 3);
  await run.stop();
  assert.ok(!run.told.some((one) => one.startsWith("trouble")));
});

test("goes on when a kind seems gone and discovery does not answer", async () => {
  class Doubtful extends Kinds {
    #finds = 0;
    override async find(...asked: Parameters<Kinds["find"]>) {
      this.#finds += 1;
      if (this.#finds === 2) throw new Fault("cluster-unreachable", { message: "discovery does not answer." });
      return super.find(...asked);
    }
    // It stays known, so that the third find gives it without a new look.
    override distrust() {}
  }
  const run = await following(
    (query, response, count) => {
      if (count === 1) return json(response, 404, { message: "the server could not find the requested resource" });
      if (!query.has("watch")) return json(response, 200, page(["a"], "5"));
      response.writeHead(200);
    },
    (client) => new Doubtful(client),
  );
  await until(() => run.told.includes("synced"));
  await run.stop();
  assert.deepEqual(run.told, ["begin", "trouble kind-not-served", "begin", "set a", "synced"]);
});

test("tells its trouble and tries again", async () => {
  const run = await following((query, response, count) => {
    if (count === 1) return json(response, 403, { reason: "Forbidden", message: "configmaps is forbidden: User x" });
    if (!query.has("watch")) return json(response, 200, page(["a"], "5"));
    response.writeHead(200);
  });
  await until(() => run.told.includes("synced"));
  await run.stop();
  assert.deepEqual(run.told, ["trouble not-allowed", "begin", "set a", "synced"].toSpliced(0, 0, "begin"));
});
