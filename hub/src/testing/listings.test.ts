import assert from "node:assert/strict";
import { test } from "node:test";
import { fleetOf, fleetRepository } from "./world.ts";

/** A set with one preview for each open pull request, on cluster `a`. */
function previews(ephemeral: boolean): string {
  const annotations = ephemeral ? '\n  annotations: { capstan.dev/ephemeral: "true" }' : "";
  return `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: previews${annotations}
spec:
  goTemplate: true
  generators:
    - pullRequest:
        github: { owner: acme, repo: shop }
        requeueAfterSeconds: 60
  template:
    metadata:
      name: "pr-{{ .number }}"
      finalizers: [resources-finalizer.argocd.argoproj.io]
    spec:
      project: default
      source: { repoURL: "${fleetRepository}", path: apps/web, targetRevision: main }
      destination: { name: a, namespace: "pr-{{ .number }}" }
      syncPolicy: { automated: { prune: true } }
`;
}

function pulls(...numbers: number[]): string {
  return JSON.stringify(
    numbers.map((number) => ({ number, title: "t", head: { ref: "b", sha: "c0ffee" }, base: { ref: "main" } })),
  );
}

for (const ephemeral of [true, false]) {
  test(`previews follow their pull requests, and outlive a server that fails (ephemeral: ${ephemeral})`, async () => {
    const world = await fleetOf(1);
    const reply = { status: 200, headers: {}, body: pulls(1, 2, 3) };
    let answer: Partial<typeof reply> = {};
    world.answer = async () => ({ ...reply, ...answer });
    world.commit({ "documents/previews.yaml": previews(ephemeral) });
    await world.settle(30_000);
    const held = () =>
      Object.keys(world.agent("a").holds())
        .filter((target) => target.startsWith("argocd/pr-"))
        .sort();
    assert.deepEqual(held(), ["argocd/pr-1", "argocd/pr-2", "argocd/pr-3"]);
    const state = () => world.hub.releases.state("argocd/previews");
    for (const wrong of [{ status: 500 }, { status: 401 }, { status: 404 }, { body: "<html>" }, { status: 429 }]) {
      answer = wrong;
      await world.settle(400_000);
      assert.equal(held().length, 3, JSON.stringify(wrong));
      assert.equal(state()?.complete, false);
      assert.match(state()?.conditions[0]?.message ?? "", /last complete listing, of 2026-01-01T00:0/);
    }
    // A new hub that has never had an answer removes nothing either.
    await world.restart();
    await world.reconnect();
    await world.settle(400_000);
    assert.equal(held().length, 3);
    assert.match(state()?.conditions[0]?.message ?? "", /limits how often/);
    answer = { body: pulls(1, 3) };
    await world.settle(4_000_000);
    assert.deepEqual(held(), ["argocd/pr-1", "argocd/pr-3"]);
    assert.equal(state()?.conditions[0]?.status, "False");
    // That all have gone is believed of a set that is marked ephemeral, and held for a person otherwise.
    answer = { body: pulls() };
    await world.settle(400_000);
    assert.equal(held().length, ephemeral ? 0 : 2);
    await world.end();
  });
}
