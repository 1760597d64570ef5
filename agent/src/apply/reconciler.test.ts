import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type ApiServer, findServers, noServers, startApiServer } from "../testing/api-server.ts";
import { configMap, deployment, KubeWorld, plainPolicy } from "../testing/kube-world.ts";
import type { ApplyResult } from "./model.ts";

const binaries = findServers();

describe("apply on a real API server", { skip: binaries === undefined ? noServers : false }, () => {
  let server: ApiServer;
  let world: KubeWorld;

  before(async () => {
    server = await startApiServer(binaries ?? "");
    world = new KubeWorld(server);
    await world.prepare();
  });

  after(async () => {
    world?.stop();
    await server?.stop();
  });

  it("creates, then writes nothing for an unchanged bundle", async () => {
    const bundle = [configMap("a-config"), deployment("a-web"), service("a-web"), secret("a-secret")];
    const first = await world.apply("a", bundle);
    assert.equal(first.phase, "Applied", show(first));
    assert.equal(first.counts.created, 4);
    const versions = await versionsOf(bundle);
    world.forgetRequests();
    const second = await world.apply("a", bundle, { generation: 2 });
    assert.equal(second.counts.unchanged, 4, show(second));
    const managed = world.writes.filter((request) => !request.path.includes("capstan-inventory"));
    assert.deepEqual(managed, []);
    assert.deepEqual(await versionsOf(bundle), versions);
    world.forgetRequests();
    const third = await world.apply("a", bundle, { generation: 2 });
    assert.equal(third.counts.unchanged, 4);
    assert.deepEqual(world.writes, []);
  });

  async function versionsOf(bundle: readonly unknown[]): Promise<readonly unknown[]> {
    const paths: Record<string, string> = {
      ConfigMap: "/api/v1/namespaces/default/configmaps/",
      Secret: "/api/v1/namespaces/default/secrets/",
      Service: "/api/v1/namespaces/default/services/",
      Deployment: "/apis/apps/v1/namespaces/default/deployments/",
    };
    const objects = bundle as readonly { kind: string; metadata: { name: string } }[];
    return Promise.all(
      objects.map(async (object) => {
        const live = await world.get(`${paths[object.kind]}${object.metadata.name}`);
        return live?.metadata.resourceVersion;
      }),
    );
  }

  it("prunes what a newer bundle lacks, and nothing else", async () => {
    await world.apply("b", [configMap("b-1"), configMap("b-2")]);
    const kept = await world.apply("b", [configMap("b-1")], { digest: "other" });
    assert.equal(kept.counts.held, 1, show(kept));
    assert.ok(await world.get("/api/v1/namespaces/default/configmaps/b-2"));
    const off = await world.apply("b", [configMap("b-1")], { generation: 2, policy: { ...plainPolicy, prune: false } });
    assert.equal(off.counts.prunable, 1, show(off));
    const on = await world.apply("b", [configMap("b-1")], { generation: 3 });
    assert.equal(on.counts.pruned, 1, show(on));
    assert.equal(await world.get("/api/v1/namespaces/default/configmaps/b-2"), undefined);
    assert.equal(on.inventory.entries.size, 1);
    await assert.rejects(world.apply("b", [], { generation: 2 }), { code: "older-revision" });
    const empty = await world.apply("b", [], { generation: 4 });
    assert.equal(empty.counts.held, 1, show(empty));
    void plainPolicy;
  });
});

function service(name: string): unknown {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port: 80 }] },
  };
}

function secret(name: string): unknown {
  return { apiVersion: "v1", kind: "Secret", metadata: { name }, stringData: { password: "hunter2" } };
}

function show(result: ApplyResult): string {
  return result.outcomes
    .map((one) => `${one.action} ${one.ref.kind} ${one.ref.name} ${one.reason ?? ""} ${one.fault?.message ?? ""}`)
    .join("\n");
}
