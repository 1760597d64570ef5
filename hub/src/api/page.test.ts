import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Fault } from "@capstan/proto";
import { ListOptionsSchema, ReasonSchema } from "@capstan/proto/common";
import { ClusterSchema } from "@capstan/proto/fleet";
import fc from "fast-check";
import { page } from "./page.ts";
import { masked } from "./read-mask.ts";

interface Item {
  readonly id: string;
  readonly weight: number;
}
const view = ({ id }: Item) => ({ id, cluster: id.slice(0, 1), labels: { env: id } });
const orders = { weight: ({ weight }: Item) => weight };
const options = (given: object) => create(ListOptionsSchema, given);
const bad = (thrown: unknown) => thrown instanceof Fault && thrown.code === "bad-input";

describe("a list", () => {
  it("shows every item once over its pages, in order, whatever comes or goes in between", () => {
    const item = fc.record({ id: fc.stringMatching(/^[a-e]{1,3}$/), weight: fc.integer({ min: 0, max: 3 }) });
    const items = fc.uniqueArray(item, { selector: ({ id }) => id, maxLength: 30 });
    fc.assert(
      fc.property(items, items, fc.integer({ min: 1, max: 7 }), fc.boolean(), (all, others, pageSize, down) => {
        const orderBy = down ? "-weight" : "weight";
        const seen: string[] = [];
        const staying = all.filter(({ id }) => !others.some((other) => other.id === id));
        let pageToken = "";
        let now = all;
        do {
          const { items: got, nextPageToken } = page(now, view, options({ pageSize, pageToken, orderBy }), { orders });
          seen.push(...got.map(({ id }) => id));
          pageToken = nextPageToken;
          now = staying;
        } while (pageToken !== "");
        assert.equal(new Set(seen).size, seen.length);
        for (const { id } of staying) assert.ok(seen.includes(id), id);
      }),
    );
  });

  it("narrows by selector and cluster, and counts over all pages", () => {
    const all = ["a1", "a2", "b1"].map((id) => ({ id, weight: 0 }));
    const found = page(all, view, options({ clusters: ["a"], selector: "env in (a1,a2)", pageSize: 1 }));
    assert.deepEqual([found.items.map(({ id }) => id), found.total], [["a1"], 2]);
  });

  it("refuses a token of another filter or order, and an order that it does not know", () => {
    const all = ["a", "b", "c"].map((id) => ({ id, weight: 1 }));
    const { nextPageToken: pageToken } = page(all, view, options({ pageSize: 1 }), { orders });
    assert.throws(() => page(all, view, options({ pageToken, orderBy: "weight" }), { orders }), bad);
    assert.throws(() => page(all, view, options({ pageToken, clusters: ["a"] }), { orders }), bad);
    assert.throws(() => page(all, view, options({ pageToken: "nonsense" }), { orders }), bad);
    assert.throws(() => page(all, view, options({ orderBy: "size" }), { orders }), bad);
    assert.equal(page(all, view, options({ orderBy: "name" }), { orders }).items.length, 3);
  });
});

describe("a field mask", () => {
  const cluster = create(ClusterSchema, { id: "a", labels: { env: "dev" }, facts: { nodes: 3, platform: "kind" } });

  it("keeps the fields that it names, also inner ones", () => {
    const [kept] = masked(ClusterSchema, [cluster], options({ readMask: { paths: ["id", "facts.nodes"] } }));
    assert.deepEqual(kept, create(ClusterSchema, { id: "a", facts: { nodes: 3 } }));
    assert.deepEqual(masked(ClusterSchema, [cluster], options({})), [cluster]);
  });

  it("refuses a field that is not there, naming those that are", () => {
    const mask = options({ readMask: { paths: ["colour"] } });
    assert.throws(() => masked(ReasonSchema, [create(ReasonSchema)], mask), bad);
  });
});
