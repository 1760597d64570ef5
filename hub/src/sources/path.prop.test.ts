import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@capstan/proto";
import fc from "fast-check";
import { normalisePath, resolvePath } from "./path.ts";

const part = fc.oneof(fc.constantFrom("..", ".", "", "a", "b.yaml", ".git", "..."), fc.string({ maxLength: 6 }));
const path = fc.array(part, { maxLength: 8 }).map((parts) => parts.join("/"));

test("a path that passes has only plain parts, and passes again unchanged", () => {
  fc.assert(
    fc.property(path, path, (directory, text) => {
      let resolved: string;
      try {
        resolved = resolvePath(normalisePath(directory), text);
      } catch (thrown) {
        assert.equal(Fault.from(thrown).code, "path-escapes");
        return;
      }
      assert.equal(normalisePath(resolved), resolved);
      const parts = resolved === "" ? [] : resolved.split("/");
      assert.ok(parts.every((name) => name !== "" && name !== "." && name !== ".." && name.toLowerCase() !== ".git"));
    }),
  );
});
