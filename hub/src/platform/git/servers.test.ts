import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { Fault, systemClock } from "@capstan/proto";
import { parseRepository } from "../../sources/repository.ts";
import type { ServerRule } from "../../sources/servers.ts";
import { HttpClient } from "../http/client.ts";
import { HttpExchange } from "../http/exchange.ts";
import { makeCertificate, TestProxy } from "../http/testing.ts";
import { Spawner } from "../render/spawner.ts";
import type { DiskMirror } from "./mirror.ts";
import { openMirror } from "./open.ts";
import { GitHttpServer, scratch, TestRepository } from "./testing.ts";

const never = new AbortController().signal;

async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  try {
    await promise;
  } catch (thrown) {
    return Fault.from(thrown);
  }
  throw new Error("expected a fault, found none");
}

/** A Git server over HTTPS that lets in only who shows its client certificate. */
async function world() {
  const directory = await scratch();
  const repository = await new TestRepository(join(directory.path, "served", "fleet.git")).init();
  const [own, client, other] = await Promise.all(
    ["server", "client", "other"].map((name) => makeCertificate(directory.path, name)),
  );
  if (own === undefined || client === undefined || other === undefined) throw new Error("three were asked for");
  const read = (file: string) => readFile(file, "utf8");
  const tls = { cert: await read(own.certificate), key: await read(own.key), ca: await read(client.certificate) };
  const server = await new GitHttpServer(join(directory.path, "served"), tls).listen();
  const opened: DiskMirror[] = [];
  const mirrors = async (rule: Omit<ServerRule, "prefix">, proxies: Record<string, string> = {}) => {
    const servers = [{ prefix: server.url, ...rule }];
    const http = new HttpClient(new HttpExchange({ environment: proxies, servers }));
    const reach = { http, servers, proxies, plainRegistries: [], runner: new Spawner(), clock: systemClock };
    const path = process.env["PATH"] ?? "";
    const folder = join(directory.path, `mirrors-${Object.keys(rule).join("-")}-${Object.keys(proxies).length}`);
    const { mirror } = await openMirror({ ...reach, path, directory: folder });
    opened.push(mirror);
    return mirror;
  };
  const remote = parseRepository(`${server.url}/fleet.git`);
  const chart = parseRepository(`${server.url}/charts#chart=web`);
  return {
    ...{ repository, server, mirrors, remote, chart, own, client, other },
    async [Symbol.asyncDispose]() {
      for (const mirror of opened) await mirror.close();
      await server[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

suite("servers with an authority of their own", () => {
  test("are trusted by the configured CA only, and see the client's certificate", async () => {
    await using at = await world();
    const first = await at.repository.commit({ a: "1" });
    const right = { ca: at.own.certificate, ...at.client };
    const mirror = await at.mirrors(right);
    await mirror.fetch(at.remote, undefined, never);
    assert.equal((await mirror.resolve(at.remote, { kind: "head" })).commit, first);
    // The chart repository is the same server: it answers, and has none.
    assert.equal((await faultOf(mirror.fetch(at.chart, undefined, never))).code, "repository-not-found");

    const unknown = await at.mirrors({ ...at.client });
    for (const repository of [at.remote, at.chart]) {
      const fault = await faultOf(unknown.fetch(repository, undefined, never));
      assert.equal(fault.code, "repository-unreachable");
      assert.match(fault.message, /certificate/);
    }
    const stranger = await at.mirrors({ ca: at.own.certificate, ...at.other });
    for (const repository of [at.remote, at.chart]) await faultOf(stranger.fetch(repository, undefined, never));
  });

  test("are reached through a proxy, by the rule or by the environment", async () => {
    await using at = await world();
    await using proxy = await new TestProxy().listen();
    await at.repository.commit({ a: "1" });
    const right = { ca: at.own.certificate, ...at.client };
    const host = new URL(at.server.url).host;
    for (const mirror of [
      await at.mirrors({ ...right, proxy: proxy.url }),
      await at.mirrors(right, { HTTPS_PROXY: proxy.url, https_proxy: proxy.url }),
    ]) {
      await mirror.fetch(at.remote, undefined, never);
      await faultOf(mirror.fetch(at.chart, undefined, never));
      const tunnels = proxy.tunnels.splice(0);
      assert.ok(tunnels.length >= 2, `${tunnels.length} tunnels`);
      assert.deepEqual([...new Set(tunnels)], [host]);
    }
    const around = await at.mirrors(right, {
      HTTPS_PROXY: proxy.url,
      https_proxy: proxy.url,
      NO_PROXY: "127.0.0.1",
      no_proxy: "127.0.0.1",
    });
    await around.fetch(at.remote, undefined, never);
    await faultOf(around.fetch(at.chart, undefined, never));
    assert.deepEqual(proxy.tunnels, []);
  });
});
