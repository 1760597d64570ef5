import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type ClusterId, systemClock } from "@capstan/proto";
import { VersionsSchema } from "@capstan/proto/agent";
import { seededChance } from "@capstan/proto/testing";
import type { StoredIdentity } from "../../identity/model.ts";
import { IdentityKeeper } from "../../identity/reconciler.ts";
import { parseJoinToken } from "../../identity/token.ts";
import { agentCrypto } from "../crypto/keys.ts";
import { grpcIdentityCalls } from "./calls.ts";
import { adoptProxySettings, proxyOf } from "./proxy.ts";
import { FakeHub } from "./testing/fake-hub.ts";

const signal = new AbortController().signal;
const names = ["grpc_proxy", "https_proxy", "http_proxy", "HTTPS_PROXY", "NO_PROXY", "no_proxy", "no_grpc_proxy"];

describe("a proxy", () => {
  const hub = new FakeHub();
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const kept = Object.fromEntries(names.map((name) => [name, process.env[name]]));
  /** Counts who comes, and lets them out to one host. */
  const proxy = createServer().on("connect", (call, socket: Socket) => {
    asked.push(`${call.url} ${call.headers["proxy-authorization"]}`);
    if (call.url?.startsWith("localhost:") !== true) return void socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    const up = connect(Number(hub.endpoint.split(":")[1]), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      up.pipe(socket).pipe(up);
    });
    for (const each of [up, socket]) sockets.add(each.on("error", () => undefined));
  });
  before(async () => {
    await hub.start();
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    for (const name of names) delete process.env[name];
  });
  after(() => {
    hub.stop();
    for (const socket of sockets) socket.destroy();
    proxy.close();
    for (const [name, value] of Object.entries(kept)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  function keeperOf(endpoint: string): IdentityKeeper {
    let stored: StoredIdentity = {};
    return new IdentityKeeper({
      crypto: agentCrypto,
      calls: grpcIdentityCalls,
      store: {
        load: async () => stored,
        save: async (next) => {
          stored = next;
        },
      },
      clock: systemClock,
      chance: seededChance(1),
      who: { cluster: "a" as ClusterId, incarnation: "uid-1" },
      versions: create(VersionsSchema, { program: "test" }),
      endpoints: [endpoint],
      joinToken: async () => parseJoinToken(hub.token),
    });
  }

  it("is the way of a first join too: pin, enrolment and renewal", async () => {
    const address = proxy.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    process.env["HTTPS_PROXY"] = `http://ann:s%20t@127.0.0.1:${port}`;
    process.env["NO_PROXY"] = "10.0.0.1, ,.svc,";
    adoptProxySettings(process.env);
    const endpoint = `localhost:${hub.endpoint.split(":")[1]}`;
    const keeper = keeperOf(endpoint);
    await keeper.enroll(signal);
    await keeper.renew(signal);
    const credentials = `Basic ${Buffer.from("ann:s t").toString("base64")}`;
    assert.deepEqual(
      asked,
      Array.from({ length: 3 }, () => `${endpoint} ${credentials}`),
    );
    assert.equal(hub.renewed.length, 1);
    await assert.rejects(keeperOf("other.invalid:1").enroll(signal), { code: "hub-unreachable", message: /403/ });
  });
});

describe("which proxy", () => {
  const of = (host: string, env: Record<string, string | undefined>) => {
    adoptProxySettings(env);
    return proxyOf(host, env)?.host;
  };

  it("is named in either case, gRPC's own first", () => {
    assert.equal(of("hub", {}), undefined);
    assert.equal(of("hub", { HTTPS_PROXY: "http://one:1" }), "one");
    assert.equal(of("hub", { https_proxy: "http://two:1", HTTP_PROXY: "http://one:1" }), "two");
    assert.equal(of("hub", { grpc_proxy: "http://three", https_proxy: "http://two:1" }), "three");
    assert.throws(() => of("hub", { https_proxy: "socks5://two:1" }), { code: "bad-config" });
  });

  it("is none for hosts that are excepted", () => {
    const env = { HTTPS_PROXY: "http://one:1", NO_PROXY: "*.example.com, 10.0.0.1,," };
    assert.equal(of("hub.example.com", { ...env }), undefined);
    assert.equal(of("10.0.0.1", { ...env }), undefined);
    assert.equal(of("hub.example.org", { ...env }), "one");
    assert.equal(of("hub", { HTTPS_PROXY: "http://one:1", NO_PROXY: "*" }), undefined);
  });
});
