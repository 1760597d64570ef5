import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { type PackPlan, pack, sizeOf } from "./pack.ts";

const limit = 100;

/** A cache in memory that carries plans out: bytes of pieces, as a cluster would hold them. */
class Shelf {
  entries: PackPlan["entries"] = new Map();
  pieces: PackPlan["pieces"] = new Map();
  readonly bytes = new Map<string, string>();
  #made = 0;

  read(name: string): string {
    const extents = this.entries.get(name) ?? [];
    return extents
      .map(({ piece, offset, length }) => (this.bytes.get(piece) ?? "").slice(offset, offset + length))
      .join("");
  }

  commit(keep: ReadonlySet<string>, put: ReadonlyMap<string, string>): PackPlan {
    const add = new Map([...put].map(([name, text]) => [name, text.length]));
    const plan = pack(this, { keep, add, limit, nameOf: (n) => `p${this.#made + n}` });
    for (const [name, parts] of plan.write) {
      assert.ok(!this.bytes.has(name), "pieces are never changed");
      const runs = parts.map(({ entry, from, length }) =>
        (put.get(entry) ?? this.read(entry)).slice(from, from + length),
      );
      this.bytes.set(name, runs.join(""));
    }
    this.#made += plan.write.size;
    for (const name of plan.drop) this.bytes.delete(name);
    this.entries = plan.entries;
    this.pieces = plan.pieces;
    return plan;
  }
}

const change = fc.record({
  put: fc.dictionary(fc.constantFrom("a", "b", "c", "d", "e", "f"), fc.string({ maxLength: 260 }), { maxKeys: 4 }),
  forget: fc.subarray(["a", "b", "c", "d", "e", "f"]),
});

it("whatever is put, kept and forgotten: every entry reads back, pieces keep their limit, nothing unnamed stays", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
      const shelf = new Shelf();
      const model = new Map<string, string>();
      for (const { put, forget } of changes) {
        for (const name of forget) model.delete(name);
        const keep = new Set(model.keys());
        for (const [name, text] of Object.entries(put)) model.set(name, text);
        shelf.commit(keep, new Map(Object.entries(put)));
        assert.deepEqual(new Set(shelf.entries.keys()), new Set(model.keys()));
        for (const [name, text] of model) assert.equal(shelf.read(name), text);
        for (const text of shelf.bytes.values()) assert.ok(text.length <= limit);
        assert.deepEqual(new Set(shelf.bytes.keys()), new Set(shelf.pieces.keys()));
      }
      const live = [...shelf.entries.values()].reduce((sum, extents) => sum + sizeOf(extents), 0);
      const stored = [...shelf.bytes.values()].reduce((sum, text) => sum + text.length, 0);
      assert.ok(stored <= 4 * live + 4 * limit, `${stored} bytes stored for ${live}`);
    }),
  );
});

it("small entries share a piece, and nothing moves where nothing is added", () => {
  const shelf = new Shelf();
  shelf.commit(
    new Set(),
    new Map([
      ["a", "x".repeat(40)],
      ["b", "y".repeat(40)],
      ["c", "z".repeat(40)],
    ]),
  );
  assert.equal(shelf.bytes.size, 2);
  assert.equal(shelf.commit(new Set(["a"]), new Map()).write.size, 0);
});
