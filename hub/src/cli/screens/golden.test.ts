import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ExplainResponseSchema } from "@capstan/proto/application";
import { GetFleetStatusResponseSchema } from "@capstan/proto/fleet";
import { dataOf } from "../answer.ts";
import { journey4, journey6, look, now } from "../testing/fleet.ts";
import { statusScreen } from "./status.ts";
import { whyScreen } from "./why.ts";

const screen = (lines: readonly string[]) => `\n${lines.join("\n")}\n`;

describe("the screens of the journeys", () => {
  it("status shows the fleet of journey 4", () => {
    assert.equal(
      screen(statusScreen(journey4, look)),
      `
40 clusters   39 connected   1 offline: edge-fr-3 (since 2 h 11 min, holds course on its own)
439 targets   health: 433 healthy  3 progressing  2 degraded  1 unknown
              sync:   434 synced  2 drifted  2 moving  1 waiting
rollouts      team-apps:shop-web  "raise cart limit" (9c1f2e0, mira)  stage 2/3 staging
              7/10 clusters
              held: metric gate error-rate 1.9 % > 1 %

needs a look
  degraded  shop-web   prod-us-2   Deployment web: 1/3 ready, CrashLoopBackOff, exit code 1
                                   (since 4 min)
  degraded  ingress    prod-us-2   Service lb: no address (since 12 min)
  waiting   billing    prod-eu-1   freeze window "quarter end" until Mon 02:00
                                   (capstan why billing -c prod-eu-1)
  drifted   grafana    staging-3   ConfigMap grafana: data.grafana.ini changed by kubectl-edit;
                                   self-heal is off (since 9 min)
as of 3 s ago
`,
    );
  });

  it("why explains the paused rollout of journey 6", () => {
    assert.equal(
      screen(whyScreen(journey6, look)),
      `
team-apps:shop-web 9c1f2e0 "raise cart limit" is paused: canary prod-us-2 failed (allowed: 0
  failures), since 14:05:12
  Deployment web has 0/3 ready; pod web-7d5f: CrashLoopBackOff, 3 crashes, exit code 1
  23 clusters were not touched; the 8 other lanes of team-apps go on.
  To go on:
    capstan rollout rollback shop-web    back to 51ab90d on the 1 touched cluster (about 20 s)
    capstan rollout retry shop-web       the same content again, after the cluster was fixed
    push a fix                           a new rollout supersedes this one
as of 3 s ago
`,
    );
  });

  it("fits its width, and says every word of the facts also in -o json", () => {
    const narrow = { ...look, width: 72 };
    for (const line of [...statusScreen(journey4, look), ...whyScreen(journey6, look)])
      assert.ok(line.length <= 100, line);
    for (const line of whyScreen(journey6, narrow)) assert.ok(line.length <= 80, line);
    const status = JSON.stringify(dataOf(GetFleetStatusResponseSchema, journey4));
    const why = JSON.stringify(dataOf(ExplainResponseSchema, journey6));
    const facts = [
      ...["edge-fr-3", "raise cart limit", "9c1f2e0", "mira", "staging", "error-rate 1.9 %", "CrashLoopBackOff"],
      ...['"healthy":433', '"progressing":3', '"drifted":2', '"waiting":1', '"done":7', "kubectl-edit", "quarter end"],
      ...['"connected":39', '"offline":1', '"since":"2026-11-21T11:59:00Z"', '"asOf":"2026-11-21T14:09:57Z"'],
    ];
    for (const fact of facts) assert.ok(status.includes(fact), fact);
    for (const fact of ["2026-11-21T14:05:12Z", "allowed: 0", "web-7d5f", "23 clusters", "51ab90d", "rollout retry"]) {
      assert.ok(why.includes(fact), fact);
    }
  });

  it("is one line where all is well, and says what to do where nothing is there yet", () => {
    const well = create(GetFleetStatusResponseSchema, { clusters: 1, connected: 1 });
    assert.equal(screen(statusScreen(well, look)), "\n1 cluster     1 connected\n");
    const fresh = create(GetFleetStatusResponseSchema, { targets: {} });
    assert.match(screen(statusScreen(fresh, look)), /none yet: capstan apply -f FILE/);
    const looks = [{ kind: "refused", name: "web", cluster: "prod-eu-1", message: "no such path" }];
    const refused = screen(statusScreen(create(GetFleetStatusResponseSchema, { targets: {}, looks }), look));
    assert.match(refused, /0 targets +on any cluster yet: see below/);
    assert.doesNotMatch(refused, /capstan apply/);
    const undelivered = { total: 25, unknown: 25, undelivered: 25 };
    const waiting = screen(statusScreen(create(GetFleetStatusResponseSchema, { targets: undelivered, looks }), look));
    assert.match(waiting, /25 targets +health: 0 healthy  25 unknown\n +sync: +0 synced  25 not delivered\n/);
    const calm = create(ExplainResponseSchema, { headline: "shop-web is as Git asks" });
    assert.equal(screen(whyScreen(calm, { ...look, now })), "\nshop-web is as Git asks\n  nothing waits\n");
  });

  it("does not say a reason twice that the headline holds already", () => {
    const twice = create(ExplainResponseSchema, {
      headline: "lane web waits: canary eu-1 failed",
      reasons: [{ rule: "failed", message: "canary eu-1 failed.", unblock: ["push a fix"] }],
    });
    assert.deepEqual(whyScreen(twice, look), ["lane web waits: canary eu-1 failed", "  To go on:", "    push a fix"]);
  });

  it("says nothing twice where reasons overlap", () => {
    const failed = "canary dev-1 failed (allowed: 0 failures)";
    const overlapping = create(ExplainResponseSchema, {
      headline: `team:web b0830bc "x" is paused: ${failed}`,
      reasons: [
        {
          subject: "team:web",
          rule: "failures",
          message: `team:web "x" is paused: ${failed}: no image; 3 not touched`,
        },
        { subject: "dev-1", rule: "failed", message: "dev-1 failed: no image", details: ["no image"] },
      ],
    });
    assert.deepEqual(whyScreen(overlapping, look), [
      `team:web b0830bc "x" is paused: ${failed}`,
      "  dev-1 failed: no image",
    ]);
  });

  it("lists what several lanes wait for, each with its name", () => {
    const several = create(ExplainResponseSchema, {
      headline: "team-apps: 2 lanes, 9 targets",
      reasons: [
        { subject: "team-apps:web", rule: "failed", message: "eu-1 failed: no image", unblock: ["push a fix"] },
        { subject: "team-apps:api", rule: "offline", message: "us-1 is offline" },
      ],
    });
    assert.deepEqual(whyScreen(several, look), [
      "team-apps: 2 lanes, 9 targets",
      "  team-apps:web: eu-1 failed: no image",
      "  team-apps:api: us-1 is offline",
      "  To go on:",
      "    push a fix",
    ]);
  });

  it("has colours only where there are colours", () => {
    const escape = String.fromCharCode(27);
    const text = (colours: boolean) => statusScreen(journey4, { ...look, colours }).join("\n");
    assert.ok(!text(false).includes(escape));
    assert.ok(text(true).includes(`${escape}[31mdegraded${escape}[0m`));
    assert.equal(
      text(true)
        .replaceAll(/\[\d+m/g, "")
        .replaceAll(escape, ""),
      text(false),
    );
  });
});
