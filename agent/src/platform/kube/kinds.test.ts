import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@capstan/proto";
import { type Answer, json, startScripted } from "../../testing/scripted-server.ts";
import { KubeClient } from "./client.ts";
import { Kinds } from "./kinds.ts";

const signal = new AbortController().signal;

async function withKinds(answer: Answer, use: (kinds: Kinds, asked: readonly string[]) => Promise<void>) {
  const server = await startScripted(answer);
  const client = new KubeClient({
    access: server.access,
    clock: systemClock,
    chance: () => 0,
    inFlight: 2,
    timeoutMs: 5000,
  });
  try {
    await use(new Kinds(client), server.asked);
  } finally {
    client.close();
    await server.stop();
  }
}

function version(name: string, kind: string, freshness = "Current") {
  const resource = { resource: `${kind.toLowerCase()}s`, scope: "Namespaced", verbs: ["get"], responseKind: { kind } };
  return { version: name, freshness, resources: freshness === "Stale" ? [] : [resource] };
}

const aggregated: Answer = (request, response) => {
  const items =
    request.url === "/api"
      ? [{ metadata: { name: "" }, versions: [version("v1", "Pod")] }]
      : [
          { metadata: { name: "apps" }, versions: [version("v1", "Deployment"), version("v1beta1", "Deployment")] },
          { metadata: { name: "metrics.example" }, versions: [version("v1", "Metric", "Stale")] },
        ];
  json(response, 200, { kind: "APIGroupDiscoveryList", items });
};

test("learns all kinds in two requests, and asks again for unknown ones, but seldom", async () => {
  await withKinds(aggregated, async (kinds, asked) => {
    const found = await kinds.find({ group: "apps", version: "v1beta1", kind: "Deployment" }, signal);
    assert.equal(found?.plural, "deployments");
    assert.equal((await kinds.findAny({ group: "apps", kind: "Deployment" }, signal))?.version, "v1");
    assert.equal(asked.length, 2);
    for (let round = 0; round < 5; round++) {
      assert.equal(await kinds.find({ group: "apps", version: "v9", kind: "Deployment" }, signal), undefined);
    }
    assert.ok(asked.length <= 4, "what is not served is asked for once more, and then not again at once");
    const before = asked.length;
    await Promise.all([kinds.refresh(signal), kinds.refresh(signal)]);
    assert.equal(asked.length, before + 2);
  });
});

test("does not read from an old look that a kind is gone", async () => {
  let served = true;
  const answer: Answer = (request, response, count) => {
    if (served || request.url === "/api") return aggregated(request, response, count);
    json(response, 200, { kind: "APIGroupDiscoveryList", items: [{ metadata: { name: "apps" }, versions: [] }] });
  };
  const kind = { group: "apps", version: "v1", kind: "Deployment" };
  await withKinds(answer, async (kinds, asked) => {
    served = false;
    assert.equal(await kinds.findAny(kind, signal), undefined);
    served = true;
    await kinds.refresh(signal);
    assert.ok(await kinds.findAny(kind, signal), "what is served by now is seen, though it was denied a moment ago");
    const before = asked.length;
    kinds.distrust(kind);
    assert.ok(await kinds.findAny(kind, signal), "one 404 within two seconds of the last look is no proof");
    assert.ok(asked.length > before);
    kinds.distrust(kind);
    served = false;
    assert.equal(await kinds.findAny(kind, signal), undefined);
    assert.equal(await kinds.find(kind, signal), undefined);
  });
});

test("does not take a kind for gone whose own server is silent", async () => {
  await withKinds(aggregated, async (kinds) => {
    await assert.rejects(kinds.findAny({ group: "metrics.example", kind: "Metric" }, signal), {
      code: "cluster-unreachable",
    });
    assert.equal(await kinds.findAny({ group: "nobody.example", kind: "Metric" }, signal), undefined);
  });
});

test("asks an old server group by group", async () => {
  const answers: Record<string, unknown> = {
    "/api": { kind: "APIVersions", versions: ["v1"] },
    "/api/v1": {
      resources: [
        { name: "pods", kind: "Pod", namespaced: true, verbs: [] },
        { name: "pods/log", kind: "Pod" },
      ],
    },
    "/apis": {
      kind: "APIGroupList",
      groups: [
        { name: "apps", versions: [{ groupVersion: "apps/v1" }] },
        { name: "down", versions: [{ groupVersion: "down/v1" }] },
      ],
    },
    "/apis/apps/v1": { resources: [{ name: "deployments", kind: "Deployment", namespaced: true, verbs: ["get"] }] },
  };
  const answer: Answer = (request, response) => {
    const body = answers[request.url ?? ""];
    json(response, body === undefined ? 503 : 200, body ?? {});
  };
  await withKinds(answer, async (kinds) => {
    assert.equal(
      (await kinds.find({ group: "apps", version: "v1", kind: "Deployment" }, signal))?.plural,
      "deployments",
    );
    assert.equal((await kinds.find({ group: "", version: "v1", kind: "Pod" }, signal))?.plural, "pods");
    await assert.rejects(kinds.findAny({ group: "down", kind: "X" }, signal), { code: "cluster-unreachable" });
  });
});
