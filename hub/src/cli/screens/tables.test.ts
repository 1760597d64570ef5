import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Health, Phase, Sync } from "@capstan/proto/agent";
import { SetViewSchema, TargetViewSchema } from "@capstan/proto/application";
import { ClusterSchema, ClusterState } from "@capstan/proto/fleet";
import { RolloutViewSchema } from "@capstan/proto/rollout";
import { table } from "../table.ts";
import { look, now } from "../testing/fleet.ts";
import { clusterColumns } from "./cluster.ts";
import { joinedLines } from "./joined.ts";
import { rollbackPreview, rolloutScreen } from "./rollout.ts";
import { setScreen } from "./set.ts";
import { targetColumns, targetScreen } from "./target.ts";

const ago = (seconds: number) => timestampFromMs(now - seconds * 1000);
const screen = (lines: readonly string[]) => `\n${lines.join("\n")}\n`;
const older = { id: "sha256:01", commit: "51ab90d77", author: "otto", subject: "tidy up" };
const newer = { id: "sha256:02", commit: "9c1f2e0d4", author: "mira", subject: "raise cart limit" };

const target = create(TargetViewSchema, {
  namespace: "argocd",
  name: "shop-web-prod-us-2",
  set: "argocd/team-apps",
  lane: "shop-web",
  cluster: "prod-us-2",
  project: "shop",
  desired: newer,
  wanted: newer,
  generation: 7n,
  digest: "sha256:0123456789abcdef0123",
  reportedAt: ago(5),
  report: {
    health: Health.DEGRADED,
    healthSince: ago(240),
    healthMessage: "Deployment web: 1/3 ready",
    sync: Sync.DRIFTED,
    phase: Phase.DONE,
    counts: { objects: 4, healthy: 3, synced: 3, drifted: 1 },
    drift: [{ object: "/ConfigMap/shop/web", path: "/data/limit", manager: "kubectl-edit", at: ago(540) }],
  },
});

const rollout = create(RolloutViewSchema, {
  id: "team-apps-shop-web-1",
  lane: "team-apps:shop-web",
  release: newer,
  previous: older,
  state: "Paused",
  actor: "capstan",
  strategy: "careful",
  startedAt: ago(300),
  reason: {
    rule: "failures",
    message: 'team-apps:shop-web "raise cart limit" is paused: canary prod-us-2 failed (allowed: 0 failures)',
    since: ago(60),
    unblock: ["push a fix"],
  },
  stages: [
    {
      name: "canary",
      state: "Verifying",
      clusters: [{ cluster: "prod-us-2", state: "Failed", since: ago(60), message: "Deployment web: 0/3 ready" }],
    },
    {
      name: "all",
      state: "Pending",
      maxConcurrency: 2,
      maxFailures: 1,
      clusters: [
        { cluster: "prod-eu-1", state: "Pending" },
        { cluster: "prod-eu-2", state: "Pending" },
      ],
      reason: { message: "all comes after canary" },
    },
  ],
});

describe("screens of one thing", () => {
  it("a rollout: where it stands, why, its stages, and the clusters that are not done", () => {
    assert.equal(
      screen(rolloutScreen(rollout, look)),
      `
team-apps:shop-web  "raise cart limit" (9c1f2e0, mira)  Paused  0/3 clusters
  team-apps-shop-web-1, by capstan, careful, started 5 min ago
  before: "tidy up" (51ab90d, otto)
  paused: canary prod-us-2 failed (allowed: 0 failures) (since 1 min)
    to go on: push a fix

  STAGE   STATE      DONE  MOVING  FAILED          DEFERRED  AT ONCE  WAITS FOR
  canary  Verifying  0/1   0       1 of 0 allowed  0         all
  all     Pending    0/2   0       0 of 1 allowed  0         2        all comes after canary

  CLUSTER    STATE   SINCE  CAUSE
  prod-us-2  Failed  1 min  Deployment web: 0/3 ready
`,
    );
  });

  it("what a rollback would do, by its scope", () => {
    const [touched] = rollbackPreview(rollout, "touched", "");
    assert.equal(
      touched,
      'team-apps:shop-web would go back from "raise cart limit" (9c1f2e0, mira) to "tidy up" (51ab90d, otto), on 1 cluster (scope touched)',
    );
    assert.match(rollbackPreview(rollout, "all", "sha256:07")[0] ?? "", /to release sha256:07, on 3 clusters/);
  });

  it("a target: health and sync apart, its release by its commit, drift with manager and time", () => {
    assert.equal(
      screen(targetScreen(target, look)),
      `
argocd/shop-web-prod-us-2 on prod-us-2
  cluster    prod-us-2
  lane       team-apps:shop-web
  project    shop
  health     Degraded (since 4 min): Deployment web: 1/3 ready
  sync       Drifted
  agent      Done
  release    "raise cart limit" (9c1f2e0, mira)
  generation 7, digest 0123456789ab
  objects    4: 3 healthy, 3 synced, 1 drifted
  mode       AdoptIfNoDiff
  made by    -
  reported   5 s ago
  drift      /ConfigMap/shop/web /data/limit changed by kubectl-edit 9 min ago
`,
    );
  });

  it("a set: its lanes, and who pinned which", () => {
    const set = create(SetViewSchema, {
      namespace: "argocd",
      name: "team-apps",
      kind: "ApplicationSet",
      targets: { total: 1, clusters: 1, healthy: 1, synced: 0 },
      lanes: [
        {
          name: "shop-web",
          wanted: newer,
          pin: { release: older, actor: "mira", since: ago(120), reason: "crash" },
          targets: { total: 1, clusters: 1, healthy: 1, synced: 0 },
        },
      ],
    });
    assert.equal(
      screen(setScreen(set, look)),
      `
ApplicationSet argocd/team-apps
  from       -
  targets    1 on 1 cluster: 1 healthy, 0 synced

  LANE                TARGETS  HEALTHY  SYNCED  CLUSTERS  PINNED   GIT ASKS                  ROLLOUT
  team-apps:shop-web  1        1        0       1         by mira  9c1f2e0 raise cart limit  -
  team-apps:shop-web stays at "tidy up" (51ab90d, otto), pinned by mira (since 2 min): crash. Let
  Git lead again: capstan rollout unpin team-apps:shop-web
`,
    );
  });
});

describe("lists", () => {
  it("of clusters and of targets", () => {
    const cluster = create(ClusterSchema, {
      id: "edge-fr-3",
      state: ClusterState.OFFLINE,
      lastSeen: ago(7860),
      labels: { env: "prod", region: "fr" },
      facts: { kubernetesVersion: "v1.35.4", nodes: 3 },
      targets: { total: 11, healthy: 11, synced: 10 },
    });
    assert.equal(
      screen([...table(clusterColumns(look), [cluster], look), ...table(targetColumns(look), [target], look)]),
      `
CLUSTER    STATE    SEEN        KUBERNETES  TARGETS  HEALTHY  SYNCED  MODE           LABELS
edge-fr-3  Offline  2 h 11 min  v1.35.4     11       11       10      AdoptIfNoDiff  env=prod,regio…
TARGET              CLUSTER    LANE                HEALTH    SYNC     REPORTED  RELEASE
shop-web-prod-us-2  prod-us-2  team-apps:shop-web  Degraded  Drifted  5 s       9c1f2e0 raise cart …
`,
    );
  });

  it("of what matches a cluster that has just joined, as journey 2 draws it", () => {
    const cluster = create(ClusterSchema, {
      id: "prod-eu-1",
      agentVersion: "0.3.0",
      facts: { kubernetesVersion: "v1.35.4", nodes: 12, writableNamespaces: ["*"] },
    });
    const foreign = create(TargetViewSchema, { set: "argocd/team-apps", report: { counts: { foreign: 2 } } });
    assert.equal(
      screen(joinedLines(cluster, [target, foreign], look)),
      `
  Kubernetes v1.35.4, 12 nodes, agent 0.3.0, may write: all namespaces
  1 application set matches it: 2 targets. 1 of them meets objects that others manage here: they are
  observed, not touched
  (capstan get targets -c prod-eu-1)
`,
    );
  });
});
