import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Application } from "../documents/model.ts";
import { laneIdentity, nameLanes } from "./lanes.ts";

const application = (repoURL: string, path?: string, chart?: string): Application => ({
  metadata: { name: "x", namespace: "argocd", labels: {}, annotations: {}, finalizers: [] },
  spec: {
    project: "default",
    destination: {},
    source: { repoURL, ...(path === undefined ? {} : { path }), ...(chart === undefined ? {} : { chart }) },
  },
});
const names = (...applications: Application[]) => [...nameLanes(applications.map(laneIdentity)).values()].sort();

test("a lane is called by its path's last segment, or by its chart", () => {
  assert.deepEqual(names(application("https://g/r.git", "apps/shop/web")), ["web"]);
  assert.deepEqual(names(application("https://charts.example", undefined, "redis")), ["redis"]);
});

test("lanes that would be called the same take as many more segments as tell them apart", () => {
  const same = names(
    application("https://g/r", "apps/a/overlays/prod"),
    application("https://g/r", "apps/b/overlays/prod"),
  );
  assert.deepEqual(same, ["a/overlays/prod", "b/overlays/prod"]);
});

test("the revision and a trailing slash make no other lane", () => {
  assert.equal(
    laneIdentity(application("https://g/r", "./apps/web/")),
    laneIdentity(application("https://g/r", "apps/web")),
  );
});

test("names are unique whatever the paths, and do not depend on their order", () => {
  const path = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 0, maxLength: 4 }).map((parts) => parts.join("/"));
  const source = fc.record({ repo: fc.constantFrom("https://g/r", "http://g/r", "https://h/r"), path });
  fc.assert(
    fc.property(fc.uniqueArray(source, { selector: (s) => JSON.stringify(s), maxLength: 8 }), (sources) => {
      const identities = sources.map(({ repo, path: at }) => laneIdentity(application(repo, at)));
      const named = nameLanes(identities);
      assert.equal(new Set(named.values()).size, new Set(identities).size);
      assert.deepEqual(Object.fromEntries(nameLanes([...identities].reverse())), Object.fromEntries(named));
    }),
  );
});
