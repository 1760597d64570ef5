import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../documents/model.ts";
import { windowsFor } from "./windows.ts";

const target = { application: "shop-web", namespace: "shop", cluster: { name: "prod-eu", server: "https://eu" } };
const found = (...syncWindows: JsonObject[]) => windowsFor({ syncWindows }, target).length;
const base = { kind: "deny", schedule: "0 22 * * *", duration: "1h" };

test("a window concerns an application by name, namespace or cluster; by none where it lists nothing", () => {
  assert.equal(found({ ...base, applications: ["shop-*"] }), 1);
  assert.equal(found({ ...base, namespaces: ["shop"] }), 1);
  assert.equal(found({ ...base, clusters: ["prod-*"] }, { ...base, clusters: ["https://eu"] }), 2);
  assert.equal(found({ ...base, applications: ["other"] }, base), 0);
});

test("with andOperator all lists that are given must match", () => {
  assert.equal(found({ ...base, applications: ["shop-*"], clusters: ["dev-*"] }), 1);
  assert.equal(found({ ...base, applications: ["shop-*"], clusters: ["dev-*"], andOperator: true }), 0);
});

test("a window keeps what Argo CD says of it; its time zone is UTC by default", () => {
  const [window] = windowsFor({ syncWindows: [{ ...base, applications: ["*"], manualSync: true }] }, target);
  assert.deepEqual(window, {
    allow: false,
    schedule: "0 22 * * *",
    duration: "1h",
    timeZone: "UTC",
    manualSync: true,
    description: "",
  });
});
