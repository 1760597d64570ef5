import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { Fault } from "@capstan/proto";
import { defaultIdentityTimes } from "../../identity/model.ts";
import type { ApiRequest } from "../../listings/port.ts";
import { loadAuthority } from "../crypto/authority.ts";
import { isInnerAddress } from "../http/addresses.ts";
import { HttpExchange } from "../http/exchange.ts";
import { HttpApiClient } from "./client.ts";
import { ApiServer } from "./testing.ts";

const apiClient = new HttpApiClient(new HttpExchange({ environment: {}, servers: [] }));
const never = new AbortController().signal;

function request(url: string, more: Partial<ApiRequest> = {}): ApiRequest {
  const headers = { authorization: "Bearer secret" };
  return { method: "GET", url, headers, trust: { insecure: false }, timeoutMs: 30_000, ...more };
}

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const thrown = await work.then(
    () => assert.fail("a fault was expected"),
    (reason: unknown) => reason,
  );
  assert.ok(thrown instanceof Fault, String(thrown));
  return thrown;
}

describe("the client of APIs", () => {
  it("gives status, headers and body as they are", async () => {
    await using server = await ApiServer.start(() => ({ status: 418, headers: { "x-a": "b" }, text: "tea" }));
    const reply = await apiClient.send(request(`${server.url}/pot`), never);
    assert.deepEqual([reply.status, reply.headers["x-a"], reply.body], [418, "b", "tea"]);
    assert.equal(server.heard[0]?.headers.authorization, "Bearer secret");
  });

  it("follows a redirect of the same server with its credential", async () => {
    await using server = await ApiServer.start(({ path }) =>
      path === "/old" ? { status: 301, headers: { location: "/new" } } : { json: "here" },
    );
    assert.equal((await apiClient.send(request(`${server.url}/old`), never)).body, '"here"');
    assert.equal(server.heard[1]?.headers.authorization, "Bearer secret");
  });

  it("follows no redirect to a private address of another server, by address or by name", async () => {
    await using inner = await ApiServer.start(() => ({ json: "treasure" }));
    for (const host of ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"]) {
      const to = inner.url.replace("127.0.0.1", host);
      await using server = await ApiServer.start(() => ({ status: 302, headers: { location: to } }));
      const fault = await faultOf(apiClient.send(request(server.url), never));
      assert.equal(fault.code, "api-answer", host);
      assert.match(fault.message, /private address/);
    }
    assert.equal(inner.heard.length, 0);
  });

  it("gives up on redirects without end, and on a redirected POST", async () => {
    await using server = await ApiServer.start(() => ({ status: 302, headers: { location: "/again" } }));
    assert.match((await faultOf(apiClient.send(request(server.url), never))).message, /without end/);
    const post = request(server.url, { method: "POST", body: "{}" });
    assert.match((await faultOf(apiClient.send(post, never))).message, /redirects a POST/);
  });

  it("cuts off a body that is too large", async () => {
    await using server = await ApiServer.start(() => ({ text: "x".repeat(9 * 1024 * 1024) }));
    assert.equal((await faultOf(apiClient.send(request(server.url), never))).code, "too-large");
  });

  it("tells a silent server, a refused connection and a broken answer apart", async () => {
    await using silent = await ApiServer.start(() => ({ silent: true }));
    const slow = await faultOf(apiClient.send(request(silent.url, { timeoutMs: 200 }), never));
    assert.equal(slow.code, "timeout");
    const gone = await ApiServer.start(() => ({}));
    await gone[Symbol.asyncDispose]();
    const refused = await faultOf(apiClient.send(request(gone.url), never));
    assert.equal(refused.code, "api-unreachable");
    assert.match(refused.message, /ECONNREFUSED/);
    await using short = await ApiServer.start(() => ({ headers: { "content-length": "100" }, text: "{}" }));
    assert.match(
      (await faultOf(apiClient.send(request(short.url, { timeoutMs: 3000 }), never))).code,
      /timeout|api-unr/,
    );
  });

  it("refuses what is no http URL, and a user in one", async () => {
    for (const url of ["ftp://x.example.com", "nonsense", "https://user:pass@x.example.com"]) {
      const fault = await faultOf(apiClient.send(request(url), never));
      assert.equal(fault.code, "bad-input");
      assert.doesNotMatch(fault.message, /pass/);
    }
  });
});

it("goes through the proxy of the environment, or of the server's own rule, but for what needs none", async () => {
  await using proxy = await ApiServer.start(({ path }) => ({ json: path }));
  const url = "http://api.invalid/x";
  const env = { http_proxy: proxy.url };
  const rule = { prefix: "http://api.invalid", proxy: proxy.url };
  for (const options of [
    { environment: env, servers: [] },
    { environment: {}, servers: [rule] },
  ]) {
    assert.equal((await new HttpApiClient(new HttpExchange(options)).send(request(url), never)).body, '"/x"');
  }
  const none = new HttpApiClient(new HttpExchange({ environment: { ...env, no_proxy: "api.invalid" }, servers: [] }));
  assert.equal((await faultOf(none.send(request(url), never))).code, "api-unreachable");
});

describe("trust in a server", () => {
  const folder = mkdtempSync(join(tmpdir(), "capstan-api-"));
  after(() => rmSync(folder, { recursive: true }));
  it("needs a certificate that is known, the set's CA, or insecure", async () => {
    const authority = await loadAuthority(folder, defaultIdentityTimes, Date.now());
    const files = await authority.server(["127.0.0.1"], Date.now());
    const pem = { key: readFileSync(files.keyFile), cert: readFileSync(files.certFile) };
    await using server = await ApiServer.start(() => ({ json: "well" }), pem);
    const fault = await faultOf(apiClient.send(request(server.url), never));
    assert.equal(fault.code, "api-unreachable");
    assert.match(fault.message, /certificate/);
    const rule = { prefix: server.url, ca: files.caFile };
    const byRule = new HttpApiClient(new HttpExchange({ environment: {}, servers: [rule] }));
    assert.equal((await byRule.send(request(server.url), never)).body, '"well"');
    for (const trust of [{ insecure: true }, { insecure: false, ca: readFileSync(files.caFile, "utf8") }]) {
      assert.equal((await apiClient.send(request(server.url, { trust }), never)).body, '"well"');
    }
  });
});

it("knows inner addresses", () => {
  const inner = ["10.1.2.3", "127.0.0.1", "169.254.169.254", "172.31.0.1", "192.168.1.1", "::1", "fd00::1", "fe80::1"];
  for (const address of [...inner, "::ffff:10.0.0.1", "0.0.0.0", "100.64.0.1", "nonsense"])
    assert.equal(isInnerAddress(address), true, address);
  for (const address of ["140.82.112.5", "172.32.0.1", "2606:4700::1"]) assert.equal(isInnerAddress(address), false);
});
