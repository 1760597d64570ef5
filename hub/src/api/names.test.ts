import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ClusterId, Fault, type TargetKey } from "@capstan/proto";
import { laneKey } from "../rollout/model.ts";
import { laneText, type NameIndex, oneLane, plainText, targetsMeant } from "./names.ts";
import type { Row } from "./rows.ts";

function row(key: string, cluster: string, owner: string, lane: string): Row {
  const bare = { asked: undefined, desired: undefined, held: undefined, wanted: undefined };
  const place = { key: key as TargetKey, cluster: cluster as ClusterId, owner, lane, laneKey: laneKey(owner, lane) };
  return { ...bare, ...place, set: owner === key ? "" : owner, wantedRelease: undefined, fault: undefined };
}

const rows = [
  row("argocd/web-eu", "eu", "argocd/apps", "web"),
  row("argocd/web-us", "us", "argocd/apps", "web"),
  row("argocd/other-web-eu", "eu", "argocd/other", "web"),
  row("argocd/api-eu", "eu", "argocd/apps", "api"),
  row("argocd/api2-eu", "eu", "argocd/apps", "api"),
  row("argocd/guestbook", "eu", "argocd/guestbook", "guestbook"),
  row("team-a/twin", "eu", "team-a/twin", "twin"),
  row("team-b/twin", "us", "team-b/twin", "twin"),
];
const index: NameIndex = {
  rows,
  lanes: [...new Set(rows.map((each) => each.laneKey))],
  past: [laneKey("argocd/gone", "api"), laneKey("argocd/gone", "old")],
  standalone: new Set(["argocd/guestbook", "team-a/twin", "team-b/twin"]),
};
const fails = (code: string, text: RegExp) => (thrown: unknown) =>
  thrown instanceof Fault && thrown.code === code && text.test(thrown.message);

describe("names", () => {
  it("tell lanes as people do", () => {
    assert.equal(laneText(laneKey("argocd/apps", "web"), index.standalone), "apps:web");
    assert.equal(laneText(laneKey("argocd/guestbook", "guestbook"), index.standalone), "guestbook");
    const key = laneKey("argocd/apps", "web");
    assert.equal(plainText(`capstan rollout resume ${key}`, key, index.standalone), "capstan rollout resume apps:web");
  });

  it("find a lane by each of its names, and a standalone Application's by its own", () => {
    for (const text of ["apps:api", "api", "argocd/apps:api"]) assert.equal(oneLane(text, index), "argocd/apps:api");
    for (const text of ["guestbook", "argocd/guestbook"])
      assert.equal(oneLane(text, index), "argocd/guestbook:guestbook");
    assert.equal(oneLane("api-eu", index), "argocd/apps:api");
    assert.equal(oneLane("old", index), "argocd/gone:old");
  });

  it("list what a name may mean instead of guessing", () => {
    assert.throws(() => oneLane("web", index), fails("bad-input", /2 lanes: apps:web, other:web/));
    assert.throws(() => oneLane("twin", index), fails("bad-input", /team-a\/twin:twin, team-b\/twin:twin/));
    assert.throws(() => targetsMeant("twin", "", index), fails("bad-input", /team-a\/twin, team-b\/twin/));
    assert.throws(() => targetsMeant("apps:web", "", index), fails("bad-input", /apps:web -c eu, apps:web -c us/));
    assert.throws(() => oneLane("none", index), fails("not-found", /none/));
    assert.throws(() => targetsMeant("web-eu", "us", index), fails("not-found", /on cluster us/));
  });

  it("find targets by name, by namespace and name, and by lane and cluster", () => {
    const keys = (text: string, cluster = "") => targetsMeant(text, cluster, index).map(({ key }) => key);
    assert.deepEqual(keys("web-eu"), ["argocd/web-eu"]);
    assert.deepEqual(keys("team-a/twin"), ["team-a/twin"]);
    assert.deepEqual(keys("twin", "us"), ["team-b/twin"]);
    assert.deepEqual(keys("api", "eu"), ["argocd/api-eu", "argocd/api2-eu"]);
    assert.deepEqual(keys("apps:web", "us"), ["argocd/web-us"]);
  });
});
