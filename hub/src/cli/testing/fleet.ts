import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ExplainResponseSchema } from "@capstan/proto/application";
import { GetFleetStatusResponseSchema } from "@capstan/proto/fleet";
import type { Look } from "../look.ts";

/** 2026-11-21 14:10:00 UTC: the moment at which the fixtures are looked at. */
export const now = Date.UTC(2026, 10, 21, 14, 10, 0);

/** A screen of 100 columns without colours, in UTC. */
export const look: Look = { now, width: 100, wide: false, utcOffset: 0, colours: false };

const ago = (minutes: number) => timestampFromMs(now - minutes * 60_000);
const asOf = timestampFromMs(now - 3000);

/** The fleet of journey 4: 40 clusters, one offline, a rollout held by a gate, four things that need a look. */
export const journey4 = create(GetFleetStatusResponseSchema, {
  fleet: "7a0c1d8e-1111-4222-8333-444455556666",
  clusters: 40,
  connected: 39,
  offline: 1,
  offlineClusters: [{ id: "edge-fr-3", since: ago(131) }],
  targets: {
    total: 439,
    healthy: 433,
    progressing: 3,
    degraded: 2,
    unknown: 1,
    synced: 434,
    drifted: 2,
    moving: 2,
    waiting: 1,
  },
  rollouts: [
    {
      id: "team-apps-shop-web-1",
      lane: "team-apps:shop-web",
      release: { id: "sha256:aa", commit: "9c1f2e0d4b", author: "mira", subject: "raise cart limit" },
      state: "Held",
      stage: 2,
      stages: 3,
      stageName: "staging",
      done: 7,
      clusters: 10,
      reason: { rule: "held-gate", message: "metric gate error-rate 1.9 % > 1 %", since: ago(2) },
    },
  ],
  looks: [
    {
      kind: "degraded",
      name: "shop-web",
      cluster: "prod-us-2",
      message: "Deployment web: 1/3 ready, CrashLoopBackOff, exit code 1",
      since: ago(4),
    },
    {
      kind: "degraded",
      name: "ingress",
      cluster: "prod-us-2",
      message: "Service lb: no address",
      since: ago(12),
    },
    { kind: "waiting", name: "billing", cluster: "prod-eu-1", message: 'freeze window "quarter end" until Mon 02:00' },
    {
      kind: "drifted",
      name: "grafana",
      cluster: "staging-3",
      message: "ConfigMap grafana: data.grafana.ini changed by kubectl-edit; self-heal is off",
      since: ago(9),
    },
  ],
  asOf,
});

/** What the hub says of the lane of journey 6, whose canary crashes. */
export const journey6 = create(ExplainResponseSchema, {
  headline: 'team-apps:shop-web 9c1f2e0 "raise cart limit" is paused',
  reasons: [
    {
      rule: "failures",
      message: "canary prod-us-2 failed (allowed: 0 failures)",
      since: timestampFromMs(Date.UTC(2026, 10, 21, 14, 5, 12)),
      subject: "team-apps:shop-web",
      details: [
        "Deployment web has 0/3 ready; pod web-7d5f: CrashLoopBackOff, 3 crashes, exit code 1",
        "23 clusters were not touched; the 8 other lanes of team-apps go on.",
      ],
    },
  ],
  advice: [
    {
      command: "capstan rollout rollback shop-web",
      effect: "back to 51ab90d on the 1 touched cluster (about 20 s)",
    },
    { command: "capstan rollout retry shop-web", effect: "the same content again, after the cluster was fixed" },
    { command: "push a fix", effect: "a new rollout supersedes this one" },
  ],
  asOf,
});
