import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ProjectLimitsSchema } from "@capstan/proto/desired";
import { definedKind, namespacePermitted, notPermitted } from "./limits.ts";

const object = (apiVersion: string, kind: string, namespace?: string, name = "x") => ({
  apiVersion,
  kind,
  metadata: namespace === undefined ? { name } : { name, namespace },
});

describe("what a project permits", () => {
  const limits = (more: MessageInitShape<typeof ProjectLimitsSchema>) =>
    create(ProjectLimitsSchema, { namespaces: ["team-*"], ...more });
  const allowed = (
    more: MessageInitShape<typeof ProjectLimitsSchema>,
    one: ReturnType<typeof object>,
    namespaced = true,
  ) => notPermitted(limits(more), { object: one, namespaced, destination: "team-a" }) === undefined;
  const any = { group: "*", kind: "*" };

  it("namespaces by globs, with denials", () => {
    assert.ok(namespacePermitted(["*"], "any"));
    assert.ok(namespacePermitted(["team-*", "!team-x"], "team-a"));
    assert.ok(!namespacePermitted(["team-*", "!team-x"], "team-x"));
    assert.ok(!namespacePermitted(["!team-x"], "team-a"));
    assert.ok(!namespacePermitted([], "team-a"));
    assert.ok(!namespacePermitted(["team.a"], "teamxa"));
  });

  it("an object without a namespace goes to the destination's, others where they say", () => {
    assert.ok(allowed({}, object("v1", "ConfigMap")));
    assert.ok(!allowed({}, object("v1", "ConfigMap", "kube-system")));
  });

  it("no cluster-scoped kind unless it is allowed, and none that is denied", () => {
    const role = object("rbac.authorization.k8s.io/v1", "ClusterRole");
    assert.ok(!allowed({}, role, false));
    assert.ok(allowed({ clusterAllow: [any] }, role, false));
    assert.ok(!allowed({ clusterAllow: [any], clusterDeny: [{ group: "rbac.*", kind: "ClusterRole" }] }, role, false));
    assert.ok(!allowed({ clusterAllow: [{ ...any, name: "team-*" }] }, role, false));
  });

  it("every namespaced kind unless denied, or only those of the list where there is one", () => {
    const secret = object("v1", "Secret");
    assert.ok(allowed({}, secret));
    assert.ok(!allowed({ namespaceDeny: [{ group: "", kind: "Secret" }] }, secret));
    assert.ok(!allowed({ namespaceAllowSet: true }, secret));
    assert.ok(allowed({ namespaceAllowSet: true, namespaceAllow: [{ group: "", kind: "Sec*" }] }, secret));
  });

  it("kinds that a bundle defines itself are known", () => {
    const crd = {
      ...object("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
      spec: { group: "g", scope: "Cluster", names: { kind: "K" } },
    };
    assert.deepEqual(definedKind(crd), ["g/K", false]);
  });
});
