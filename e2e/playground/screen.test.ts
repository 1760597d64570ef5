import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ClusterSchema, ClusterState, GetFleetStatusResponseSchema } from "@capstan/proto/fleet";
import { RolloutViewSchema } from "@capstan/proto/rollout";
import { introText } from "./intro.ts";
import { Screen } from "./screen.ts";
import { viewLines } from "./view.ts";

test("a terminal gets the view in its place, a log only what has changed", () => {
  const draw = (isTTY: boolean) => {
    let text = "";
    const screen = new Screen({ isTTY, columns: 12, write: (part) => (text += part) });
    screen.show(["a", "b that is too long"]);
    screen.show(["a", "b that is too long"]);
    screen.say("ready\n");
    screen.show(["c"]);
    return text;
  };
  assert.equal(draw(true), "a\nb that is t\n\u001b[2A\u001b[0Jready\nc\n");
  assert.equal(draw(false), "a\nb that is too long\n\nready\nc\n\n");
});

test("the view names clusters, what moves, and why it stopped; a log is spared what changes with every second", () => {
  const clusters = [
    create(ClusterSchema, {
      id: "dev-1",
      state: ClusterState.CONNECTED,
      targets: { total: 6, healthy: 5, degraded: 1 },
    }),
    create(ClusterSchema, { id: "prod-eu-1", state: ClusterState.PENDING }),
  ];
  const run = (state: string) =>
    create(RolloutViewSchema, {
      lane: "team-apps:shop-web",
      state,
      release: { subject: "A broken image" },
      stages: [{ clusters: [{ cluster: "dev-1", state: "Done" }, { cluster: "prod-eu-1" }] }],
      reason: { message: "dev-1 has not taken it yet" },
    });
  const status = create(GetFleetStatusResponseSchema, {});
  assert.deepEqual(viewLines({ status, clusters, rollouts: [run("Running")] }, "brief"), [
    "dev-1      connected       6 targets: 5 healthy, 1 degraded",
    "prod-eu-1  not joined yet  no targets yet",
    'rollout team-apps:shop-web  "A broken image"  Running  1/2 clusters',
  ]);
  for (const [state, detail] of [
    ["Running", "full"],
    ["Paused", "brief"],
  ] as const) {
    const [, , line] = viewLines({ status, clusters, rollouts: [run(state)] }, detail);
    assert.match(line ?? "", /dev-1 has not taken it yet$/);
  }
});

test("the first lines fit a screen, and what is to be copied survives a shell", () => {
  const text = introText({
    kind: "simulated",
    clusters: ["dev-1"],
    reason: "no Go",
    clone: "/tmp/a clone",
    dataDir: "/tmp/data",
    kubeconfig: "/tmp/k",
    kubectl: "/bin/kubectl",
    node: "/bin/node",
  });
  assert.ok(text.split("\n").length <= 14, text);
  assert.match(text, /cd '\/tmp\/a clone'/);
  assert.match(text, /simulated API servers \(no Go\)/);
});
