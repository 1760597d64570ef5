import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, parseClusterId, targetKey } from "@capstan/proto";
import { FakeClock } from "@capstan/proto/testing";
import { Losses } from "./losses.ts";
import { protectedAmong } from "./objects.ts";

const one = (apiVersion: string, kind: string, more: object = {}) => ({ apiVersion, kind, ...more });
const cluster = parseClusterId("ber");
const web = targetKey("argocd", "web");

test("protected are kinds, balancers and what asks for a confirmation", () => {
  const options = { metadata: { annotations: { "argocd.argoproj.io/sync-options": "Replace=true, Delete=confirm" } } };
  assert.deepEqual(
    protectedAmong([
      one("apps/v1", "StatefulSet"),
      one("v1", "Namespace"),
      one("v1", "Service", { spec: { type: "LoadBalancer" } }),
      one("v1", "Secret", options),
      one("apps/v1", "Deployment", { metadata: { annotations: null }, spec: null }),
    ]),
    ["Namespace", "Secret", "Service", "StatefulSet"],
  );
  const harmless = [one("v1", "Service", { spec: { type: "ClusterIP" } }), one("x.io/v1", "Namespace")];
  assert.deepEqual(protectedAmong(harmless), []);
});

/** Asks about one bundle; `read` answers in turn. */
function asking(
  answers: (object[] | "gone" | "broken")[],
  bundle: Digest | undefined = `sha256:${"a".repeat(64)}` as Digest,
) {
  const clock = new FakeClock();
  let told = () => undefined as void;
  const losses = new Losses({
    clock,
    bundleOf: () => bundle,
    confirms: (_, target) => target.endsWith("-asks"),
    read: async () => {
      const answer = answers.shift() ?? assert.fail("read too often");
      if (answer === "broken") throw new Error("no connection");
      if (answer === "gone") return undefined;
      return new TextEncoder().encode(answer.map((each) => `${JSON.stringify(each)}\n`).join(""));
    },
    onRead: () => told(),
  });
  const reason = (target: string = web) => losses.reason(cluster, target as typeof web);
  const read = () => new Promise<void>((resolve) => (told = resolve));
  return { clock, reason, read };
}

test("a removal is held until its bundle was read, and then by what is in it", async () => {
  const harmless = asking([[one("v1", "ConfigMap")]]);
  const done = harmless.read();
  assert.match(harmless.reason() ?? "", /not known yet/);
  assert.match(harmless.reason() ?? "", /not known yet/);
  await done;
  assert.equal(harmless.reason(), undefined);
  const claim = asking([[one("v1", "PersistentVolumeClaim"), one("v1", "Namespace")]]);
  const known = claim.read();
  claim.reason();
  await known;
  assert.match(claim.reason("ns/it-asks") ?? "", /Delete=confirm/);
  assert.equal(claim.reason(), "objects of protected kinds (Namespace, PersistentVolumeClaim) would be deleted");
});

test("a bundle that cannot be read holds, and is tried again after a while", async () => {
  const world = asking(["broken", "gone", []]);
  for (let n = 0; n < 2; n++) {
    const done = world.read();
    world.reason();
    await done;
    assert.match(world.reason() ?? "", /not known yet/);
    await world.clock.advance(5000);
  }
  const done = world.read();
  world.reason();
  await done;
  assert.equal(world.reason(), undefined);
});

test("where objects stay, nothing is read", () => {
  const clock = new FakeClock();
  const losses = new Losses({
    clock,
    bundleOf: () => undefined,
    confirms: () => true,
    read: () => assert.fail("read"),
    onRead: () => assert.fail("told"),
  });
  assert.equal(losses.reason(cluster, web), undefined);
});
