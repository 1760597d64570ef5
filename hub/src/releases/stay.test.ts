import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClusterId, type Digest, Fault, type TargetKey } from "@capstan/proto";
import type { Standing } from "../distribution/standing.ts";
import type { Filled } from "./group.ts";
import { stay } from "./stay.ts";

const one = (name: string, cluster = "a"): Standing => ({
  key: `argocd/${name}` as TargetKey,
  cluster: cluster as ClusterId,
  owner: "argocd/set",
  ofSet: true,
  lane: "web",
  content: "sha256:0" as Digest,
});
const filled = (name: string, cluster = "a") =>
  ({ target: { key: `argocd/${name}`, cluster }, lane: "web" }) as unknown as Filled;
const base = { mayRemove: true, heldNames: [], faults: new Map(), content: () => undefined };

test("a target that a complete answer lacks does not stay", () => {
  const { kept } = stay({ ...base, standing: [one("gone"), one("there")], filled: [filled("there")], complete: true });
  assert.deepEqual(kept, []);
});

test("with any failure in the set, whatever was not made stays as it is", () => {
  const { kept } = stay({ ...base, standing: [one("gone"), one("there")], filled: [filled("there")], complete: false });
  assert.deepEqual(
    kept.map(({ release }) => release.target),
    ["argocd/gone"],
  );
});

test("a target whose render fails stays, and so does one whose name is held; their neighbours may go", () => {
  const faults = new Map([["argocd/bad" as TargetKey, new Fault("render-failed", { message: "no" })]]);
  const standing = [one("bad"), one("held"), one("gone")];
  const { kept, lanes } = stay({ ...base, standing, filled: [], complete: true, faults, heldNames: ["held"] });
  assert.deepEqual(
    kept.map(({ release }) => release.target),
    ["argocd/bad", "argocd/held"],
  );
  assert.deepEqual(lanes, ["web"]);
});

test("a target that moves to another cluster does not stay where it was", () => {
  const { kept } = stay({ ...base, standing: [one("web", "a")], filled: [filled("web", "b")], complete: false });
  assert.deepEqual(kept, []);
});

test("a set that never removes keeps what it no longer makes", () => {
  const { kept } = stay({ ...base, mayRemove: false, standing: [one("gone")], filled: [], complete: true });
  assert.equal(kept.length, 1);
});
