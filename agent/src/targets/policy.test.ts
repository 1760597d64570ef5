import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Fault } from "@capstan/proto";
import {
  ApplyPolicySchema,
  type DesiredTarget,
  DesiredTargetSchema,
  Mode,
  Removal,
  TombstoneSchema,
} from "@capstan/proto/desired";
import { accountOf, modeOf, policyOf, removalOf } from "./policy.ts";

const target = (policy: MessageInitShape<typeof ApplyPolicySchema>): DesiredTarget =>
  create(DesiredTargetSchema, { serviceAccount: "ns/deployer", policy: create(ApplyPolicySchema, policy) });
const policy = (init: MessageInitShape<typeof ApplyPolicySchema>) => policyOf(target(init), Mode.UNSPECIFIED);

describe("a target's policy", () => {
  it("heals only what is synced automatically", () => {
    assert.equal(policy({ selfHeal: true }).selfHeal, false);
    assert.equal(policy({ selfHeal: true, automated: true }).selfHeal, true);
  });

  it("takes jq paths, and leaves drift alone where it does not understand one", () => {
    const rule = (path: string) => ({ kind: "*", jqPathExpressions: [path] });
    const heals = { automated: true, selfHeal: true };
    assert.equal(policy({ ...heals, ignoreDifferences: [rule(".spec.x")] }).selfHeal, true);
    const known = policy({ ...heals, ignoreDifferences: [rule('.spec.list[] | select(.name == "x")')] });
    assert.equal(known.selfHeal, true);
    assert.deepEqual(known.ignore?.[0]?.jqPaths, ['.spec.list[] | select(.name == "x")']);
    assert.equal(policy({ ...heals, ignoreDifferences: [rule(".a | keys")] }).selfHeal, false);
  });

  it("honours the sync options of a whole application", () => {
    const options = (...syncOptions: string[]) => policy({ automated: true, prune: true, syncOptions });
    assert.equal(options().prune, true);
    assert.equal(options("Prune=false").prune, false);
    assert.equal(options("Prune=confirm").confirmPrune, true);
    assert.equal(options("PrunePropagationPolicy=orphan").propagation, "orphan");
    assert.equal(options("Force=true").recreate, true);
    assert.equal(options("Replace=true").replace, true);
    assert.equal(options("Validate=false").validate, false);
    assert.equal(options().respectIgnored, true);
    assert.equal(options("RespectIgnoreDifferences=false").respectIgnored, false);
    const retry = { limit: 2, duration: { seconds: 1n }, factor: 3, maxDuration: { seconds: 9n } };
    assert.deepEqual(policy({ retry }).hookRetry, { limit: 2, firstMs: 1000, factor: 3, longestMs: 9000 });
  });

  it("leaves as its application's sync options say", () => {
    const removal = (syncOptions: string[], approvedBy = "") =>
      removalOf(
        create(TombstoneSchema, {
          namespace: "n",
          name: "x",
          removal: Removal.PRUNE,
          serviceAccount: "n/d",
          syncOptions,
          approvedBy,
        }),
      );
    assert.equal(removal(["Delete=false"]).objects, "keep");
    assert.equal(removal(["PrunePropagationPolicy=foreground"]).propagation, "foreground");
    assert.equal(removal(["Delete=confirm"]).limits?.all, true);
    assert.equal(removal(["Delete=confirm"], "ann").limits, undefined);
  });

  it("turns the guard's kinds into keys, and off into no limit", () => {
    const guarded = policy({
      deletionGuard: { maxObjects: 3, maxPercent: 20, protectedKinds: ["StatefulSet.apps", "Namespace"] },
    });
    assert.deepEqual(guarded.limits, { count: 3, share: 0.2, kinds: ["apps/StatefulSet", "/Namespace"] });
    assert.ok(policy({ deletionGuard: { off: true } }).limits.count > 1e9);
  });

  it("never writes in an observed cluster, and never without an account", () => {
    assert.equal(modeOf(Mode.ENFORCE, Mode.OBSERVE), "Observe");
    assert.equal(modeOf(Mode.ENFORCE, Mode.ADOPT_IF_NO_DIFF), "Enforce");
    assert.equal(modeOf(Mode.UNSPECIFIED, Mode.UNSPECIFIED), "AdoptIfNoDiff");
    assert.throws(
      () => accountOf(""),
      (thrown) => thrown instanceof Fault && thrown.code === "not-allowed",
    );
  });

  it("keeps objects unless a tombstone says prune", () => {
    const tombstone = (removal: Removal) =>
      create(TombstoneSchema, { namespace: "n", name: "x", removal, serviceAccount: "n/d" });
    assert.equal(removalOf(tombstone(Removal.UNSPECIFIED)).objects, "keep");
    assert.equal(removalOf(tombstone(Removal.PRUNE)).objects, "prune");
  });

  it("leaves protected kinds where nobody approved a tombstone that prunes", () => {
    const limits = (removal: Removal, approvedBy: string) =>
      removalOf(create(TombstoneSchema, { namespace: "n", name: "x", removal, approvedBy, serviceAccount: "n/d" }))
        .limits;
    assert.deepEqual(limits(Removal.PRUNE, ""), { kinds: [], approved: new Set(), all: false });
    assert.equal(limits(Removal.PRUNE, "ann"), undefined);
    assert.equal(limits(Removal.KEEP, ""), undefined);
  });
});
