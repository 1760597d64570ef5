import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectMemory } from "./memory.ts";

const key = "apps/Deployment/d/x";

test("an object is known to be right only while manifest, verdict and watch agree", () => {
  const memory = new ObjectMemory();
  assert.equal(memory.knownClean(key, "h"), false);
  memory.remember(key, { hash: "h", fingerprint: "f", clean: true });
  assert.equal(memory.knownClean(key, "h"), false, "no watch has seen it");
  memory.saw(key, "f");
  assert.equal(memory.knownClean(key, "h"), true);
  assert.equal(memory.knownClean(key, "other"), false);
  memory.setBlind("apps/Deployment", true);
  assert.equal(memory.knownClean(key, "h"), false, "its watch is lost");
  memory.setBlind("apps/Deployment", false);
  memory.setBlind("/ConfigMap", true);
  assert.equal(memory.knownClean(key, "h"), true, "another kind's watch is lost");
  memory.saw(key, "g");
  assert.equal(memory.knownClean(key, "h"), false);
  assert.equal(memory.vouched(key), false);
  memory.remember(key, { hash: "h", fingerprint: "g", clean: false });
  assert.equal(memory.vouched(key), true);
  assert.equal(memory.knownClean(key, "h"), false, "it is known to differ");
  memory.forget(key);
  assert.equal(memory.vouched(key), false);
});
