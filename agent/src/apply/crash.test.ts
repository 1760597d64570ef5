import assert from "node:assert/strict";
import { it } from "node:test";
import { type Kill, killAfter, killUnanswered } from "../testing/kills.ts";
import { describeOnKube, show } from "../testing/kube-suite.ts";
import { configMap, deployment, KubeWorld } from "../testing/kube-world.ts";

describeOnKube("a kill", (suite) => {
  const everyRequest = process.env["CAPSTAN_TEST_FULL"] === "1";

  it("between any two requests leaves no orphan and deletes nothing twice", () => rounds("k", killAfter));

  it("before an answer is heard leaves no orphan and deletes nothing twice", () => rounds("u", killUnanswered));

  async function rounds(prefix: string, kill: Kill): Promise<void> {
    let finished = false;
    let killed = 0;
    for (let count = 0; !finished; count += everyRequest ? 1 : 3) {
      finished = await round(`${prefix}${count}`, (world) => kill(world, count));
      if (!finished) killed++;
    }
    assert.ok(killed >= 5, `only ${killed} kills: the pass has too few requests for this to say anything`);
  }

  /** Generation 1, then a kill during generation 2, then a new process. True: nothing was killed. */
  async function round(name: string, kill: (world: KubeWorld) => void): Promise<boolean> {
    const old = [configMap(`${name}-stays`), configMap(`${name}-goes-1`), configMap(`${name}-goes-2`)];
    const next = [configMap(`${name}-stays`, { key: "2" }), configMap(`${name}-new`), deployment(`${name}-web`)];
    const first = await suite.world.apply(name, old);
    assert.equal(first.phase, "Applied", show(first));
    const before = new KubeWorld(suite.server);
    kill(before);
    const survived = await before.apply(name, next, { generation: 2 }).then(
      () => true,
      () => false,
    );
    const deletes = deletesOf(before);
    before.stop();
    const after = new KubeWorld(suite.server);
    try {
      const result = await after.apply(name, next, { generation: 2 });
      assert.equal(result.phase, "Applied", `${name}: ${show(result)}`);
      assert.deepEqual(await leftOf(after, name), [`${name}-new`, `${name}-stays`], name);
      const both = [...deletes, ...deletesOf(after)];
      assert.equal(new Set(both).size, both.length, `deleted twice after ${name}: ${both.join(" ")}`);
      assert.equal(result.inventory.entries.size, 3);
      const removed = await after.remove(name, "prune");
      assert.equal(removed.done, true);
      assert.deepEqual(await leftOf(after, name), []);
      return survived;
    } finally {
      after.stop();
    }
  }
});

function deletesOf(world: KubeWorld): readonly string[] {
  return world.requests.filter((request) => request.method === "DELETE").map((request) => request.path);
}

async function leftOf(world: KubeWorld, prefix: string): Promise<readonly string[]> {
  const list = (await world.get("/api/v1/namespaces/default/configmaps")) as unknown as {
    items: readonly { metadata: { name: string } }[];
  };
  const names = list.items.map((item) => item.metadata.name);
  return names.filter((name) => name.startsWith(`${prefix}-`)).sort();
}
