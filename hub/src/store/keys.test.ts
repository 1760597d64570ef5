import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault } from "@capstan/proto";
import fc from "fast-check";
import { decodeToken, encodeToken, parseStateKey, stateKey, statePrefix } from "./keys.ts";

describe("keys", () => {
  it("are readable where the names allow it", () => {
    assert.equal(stateKey("desired", "eu-1"), "desired.eu-1");
    assert.equal(stateKey("document", "Application", "argocd", "shop.eu"), "document.Application.argocd.shop=2Eeu");
    assert.equal(stateKey("hold", "ns/name"), "hold.ns=2Fname");
    assert.equal(stateKey("document", "Cluster", "", "a"), "document.Cluster.=.a");
    assert.equal(statePrefix("document", "Cluster"), "document.Cluster.");
    assert.equal(stateKey("lineage"), "lineage");
  });

  it("come back as they were, whatever the names", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string(), (namespace, name) => {
        const key = stateKey("document", "Application", namespace, name);
        assert.match(key, /^[-=.\w]+$/);
        assert.ok(key.startsWith(statePrefix("document", "Application", namespace)));
        assert.deepEqual(parseStateKey(key), { kind: "document", parts: ["Application", namespace, name] });
      }),
    );
  });

  it("tell keys of another version and parts that nobody encoded", () => {
    assert.equal(parseStateKey("future.a"), undefined);
    assert.equal(parseStateKey("desired.a.b"), undefined);
    assert.equal(parseStateKey("toString"), undefined);
    assert.equal(encodeToken(""), "=");
    for (const token of ["=4", "=zz", "=61", "=2e", "a=", "ü"]) {
      assert.throws(
        () => decodeToken(token),
        (thrown: unknown) => thrown instanceof Fault && thrown.code === "bad-input",
        token,
      );
    }
  });
});
