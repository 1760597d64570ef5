import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import type { MetricTask, WebhookTask } from "../../documents/strategy-model.ts";
import type { Errand, RunId } from "../../rollout/model.ts";
import { gateWorld } from "./gates.ts";

const stop = new AbortController();
const quiet = { timeoutMs: null, onTimeout: "fail" } as const;

describe("gates over HTTP", () => {
  /** What the server says next: status and body; undefined: nothing at all. */
  let next: { status: number; body: string } | undefined;
  const heard: { url: string; headers: IncomingMessage["headers"]; body: string }[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += String(part);
    heard.push({ url: request.url ?? "", headers: request.headers, body });
    if (next !== undefined) response.writeHead(next.status).end(next.body);
  });
  let base = "";
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    stop.abort();
    server.closeAllConnections();
    server.close();
  });

  const world = () =>
    gateWorld({
      secrets: { read: async () => "s3cret" },
      references: { prometheus: { env: "TOKEN" } },
      callbackURL: "https://hub.example.com/",
      patienceMs: 300,
    });
  const metric = (more: Partial<MetricTask> = {}): Errand => ({
    id: "web-1/2/0/1/0",
    run: "web-1" as RunId,
    stage: 2,
    task: 0,
    work: {
      ...quiet,
      name: "errors",
      kind: "metric",
      url: `${base}/prometheus/`,
      query: 'sum(rate(errors{job="web"}[5m]))',
      windowMs: 60_000,
      everyMs: 15_000,
      compare: { operator: "<", value: 0.01 },
      failures: 0,
      onInconclusive: "wait",
      secret: "prometheus",
      ...more,
    },
  });
  const vector = (...values: string[]) =>
    JSON.stringify({
      status: "success",
      data: { resultType: "vector", result: values.map((value) => ({ metric: {}, value: [1, value] })) },
    });
  const read = async (status: number, body: string, more: Partial<MetricTask> = {}) => {
    next = { status, body };
    return world().ask(metric(more), "apps:web", stop.signal);
  };

  it("asks Prometheus with the query and the secret, and compares", async () => {
    assert.deepEqual(await read(200, vector("0.001")), { verdict: "good", text: "0.001 is < 0.01" });
    const { url, headers } = heard.at(-1) ?? { url: "", headers: {} };
    assert.equal(
      url,
      `/prometheus/api/v1/query?${new URLSearchParams({ query: 'sum(rate(errors{job="web"}[5m]))' }).toString()}`,
    );
    assert.equal(headers["authorization"], "Bearer s3cret");
    assert.deepEqual(await read(200, vector("0.001", "0.019")), { verdict: "bad", text: "0.019 is not < 0.01" });
    const scalar = JSON.stringify({ data: { resultType: "scalar", result: [1, "0"] } });
    assert.deepEqual(await read(200, scalar), { verdict: "good", text: "0 is < 0.01" });
  });

  it("tells what says nothing: no data, NaN, an error, no JSON", async () => {
    assert.deepEqual(await read(200, vector()), { verdict: "unclear", text: "the query found no data" });
    assert.deepEqual(await read(200, vector("NaN")), { verdict: "unclear", text: "the query found NaN" });
    const refused = await read(400, JSON.stringify({ status: "error", error: "parse error at char 3" }));
    assert.equal(refused.verdict, "unclear");
    assert.match(refused.text, /answered 400: parse error at char 3/);
    assert.equal((await read(200, "<html>")).verdict, "unclear");
    assert.equal((await read(302, "")).verdict, "unclear");
  });

  it("gives up on a server that is slow or down", async () => {
    next = undefined;
    await assert.rejects(world().ask(metric(), "apps:web", stop.signal), /did not answer within 0.3 s/);
    const down = metric({ url: "http://127.0.0.1:9" });
    await assert.rejects(world().ask(down, "apps:web", stop.signal), /127.0.0.1:9 cannot be reached/);
  });

  it("never names a secret, only that it is missing", async () => {
    next = { status: 200, body: vector("0") };
    await assert.rejects(
      world().ask(metric({ secret: "other" }), "apps:web", stop.signal),
      /expected a secret other .* found prometheus/,
    );
  });

  it("calls a webhook with what it is about and where to call back", async () => {
    next = { status: 202, body: "" };
    const work: WebhookTask = {
      ...quiet,
      name: "ticket",
      kind: "webhook",
      url: `${base}/hook`,
      callback: true,
      secret: "prometheus",
    };
    const errand = { ...metric(), work };
    assert.equal((await world().ask(errand, "apps:web", stop.signal)).verdict, "sent");
    const { headers, body } = heard.at(-1) ?? { headers: {} as IncomingMessage["headers"], body: "{}" };
    assert.equal(headers["idempotency-key"], "web-1/2/0/1");
    assert.deepEqual(JSON.parse(body), {
      kind: "webhook",
      gate: "ticket",
      lane: "apps:web",
      rollout: "web-1",
      callback: "https://hub.example.com/gates/web-1/2/0",
    });
    next = { status: 500, body: "" };
    assert.equal((await world().ask(errand, "apps:web", stop.signal)).verdict, "unclear");
  });
});
