import assert from "node:assert/strict";
import { test } from "node:test";
import { targetKey } from "@capstan/proto";
import { type KubeObject, kindOf } from "../inventory/object.ts";
import { hookOf, waveOf } from "./hooks.ts";
import { parseManifest, prepare } from "./manifest.ts";
import { optsOutOfPrune, optsOutOfRemoval } from "./options.ts";
import { labelValue } from "./ownership.ts";
import { isImmutable, refusalFault, refusalOf } from "./refusal.ts";
import { compareOrder, stagesOf } from "./stages.ts";

const destination = { target: targetKey("argocd", "web"), namespace: "web" };

function ready(apiVersion: string, kind: string, name = "x", more: Record<string, unknown> = {}, namespaced = true) {
  return prepare({ apiVersion, kind, metadata: { name }, ...more }, destination, namespaced);
}

test("stages come in their order, sorted by kind, namespace and name", () => {
  const objects = [
    ready("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ready("example.com/v1", "Thing"),
    ready("apps/v1", "Deployment"),
    ready("v1", "ConfigMap", "b"),
    ready("v1", "ConfigMap", "a"),
    ready("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ready("rbac.authorization.k8s.io/v1", "Role"),
    ready("storage.k8s.io/v1", "StorageClass"),
    ready("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ready("v1", "Namespace"),
  ];
  const names = stagesOf(objects).map((stage) => stage.map((one) => `${one.address.kind} ${one.address.name}`));
  assert.deepEqual(names, [
    ["Namespace x", "CustomResourceDefinition x"],
    ["StorageClass x", "Role x"],
    ["RoleBinding x", "ConfigMap a", "ConfigMap b", "Deployment x", "Thing x"],
    ["ValidatingWebhookConfiguration x"],
  ]);
  const reversed = [...objects].sort((a, b) => compareOrder(b.address, a.address));
  assert.deepEqual(
    reversed.map((one) => one.key),
    stagesOf(objects)
      .flat()
      .map((one) => one.key)
      .reverse(),
  );
});

test("a manifest is placed, stripped and stamped", () => {
  const raw = parseManifest({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: "x",
      uid: "1",
      resourceVersion: "2",
      creationTimestamp: null,
      managedFields: [],
      labels: { a: "b" },
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{}", keep: "me" },
    },
    data: { k: "v" },
    status: {},
  });
  assert.deepEqual(prepare(raw, destination, true).object, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: "x",
      namespace: "web",
      labels: { a: "b", "capstan.dev/target": "argocd.web" },
      annotations: { keep: "me", "capstan.dev/owner": "argocd/web" },
    },
    data: { k: "v" },
  });
  const scoped = prepare({ ...raw, metadata: { name: "x", namespace: "stray" } }, destination, false);
  assert.equal(scoped.object.metadata.namespace, undefined);
  assert.equal(scoped.key, "/ConfigMap//x");
});

test("secret texts are encoded, ports get their protocol", () => {
  const secret = ready("v1", "Secret", "s", { data: { a: "MQ==" }, stringData: { b: "zwölf" } }).object;
  assert.deepEqual(secret["data"], { a: "MQ==", b: "enfDtmxm" });
  assert.equal(secret["stringData"], undefined);
  const service = ready("v1", "Service", "s", { spec: { ports: [{ port: 1 }, { port: 2, protocol: "UDP" }] } }).object;
  assert.deepEqual(service["spec"], {
    ports: [
      { protocol: "TCP", port: 1 },
      { protocol: "UDP", port: 2 },
    ],
  });
  const containers = [{ name: "c", ports: [{ containerPort: 1 }] }];
  const cron = ready("batch/v1", "CronJob", "c", {
    spec: { jobTemplate: { spec: { template: { spec: { containers } } } } },
  }).object;
  assert.match(JSON.stringify(cron), /"protocol":"TCP","containerPort":1/);
});

test("a long target's label fits, and differs from its neighbour's", () => {
  const long = (end: string) =>
    labelValue(targetKey("team-with-a-long-name", `application-with-a-very-long-name-${"x".repeat(40)}${end}`));
  assert.ok(long("a").length <= 63);
  assert.match(long("a"), /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/);
  assert.notEqual(long("a"), long("b"));
});

test("options and hooks are read from annotations", () => {
  const annotated = (annotations: Record<string, string>): KubeObject => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "x", annotations },
  });
  assert.equal(optsOutOfPrune(annotated({})), undefined);
  assert.ok(optsOutOfPrune(annotated({ "argocd.argoproj.io/sync-options": "Replace=true, Prune=false" })));
  assert.ok(optsOutOfPrune(annotated({ "capstan.dev/prune": "Disabled" })));
  assert.ok(optsOutOfRemoval(annotated({ "argocd.argoproj.io/sync-options": "Delete=false" })));
  assert.equal(optsOutOfPrune(annotated({ "argocd.argoproj.io/sync-options": "Delete=false" })), undefined);
  const phasesOf = (annotations: Record<string, string>) => hookOf(annotated(annotations))?.phases.join(",");
  assert.equal(phasesOf({}), undefined);
  assert.equal(phasesOf({ "argocd.argoproj.io/hook": "PreSync" }), "PreSync");
  assert.equal(phasesOf({ "argocd.argoproj.io/hook": "PreSync, PostDelete" }), "PreSync,PostDelete");
  assert.equal(phasesOf({ "argocd.argoproj.io/hook": "Skip" }), "");
  assert.equal(phasesOf({ "helm.sh/hook": "pre-install,pre-upgrade" }), "PreSync");
  assert.equal(phasesOf({ "helm.sh/hook": "post-install,post-delete" }), "PostSync,PostDelete");
  assert.equal(phasesOf({ "helm.sh/hook": "test" }), "");
  assert.equal(phasesOf({ "helm.sh/hook": "pre-rollback" }), "");
  assert.equal(phasesOf({ "helm.sh/hook": "crd-install" }), undefined);
  assert.equal(phasesOf({ "helm.sh/hook": "pre-delete", "argocd.argoproj.io/hook": "Sync" }), "Sync");
  assert.throws(() => phasesOf({ "argocd.argoproj.io/hook": "PreSink" }), /"PreSink", which is no phase/);
  const deletes = (annotations: Record<string, string>) =>
    hookOf(annotated({ "helm.sh/hook": "pre-install", ...annotations }))?.deletes;
  assert.deepEqual(deletes({}), ["BeforeHookCreation"]);
  assert.deepEqual(deletes({ "helm.sh/hook-delete-policy": "hook-succeeded,hook-failed" }), [
    "HookSucceeded",
    "HookFailed",
  ]);
  assert.deepEqual(deletes({ "argocd.argoproj.io/hook-delete-policy": "HookFailed" }), ["HookFailed"]);
  assert.equal(waveOf(annotated({ "argocd.argoproj.io/sync-wave": "-5" })), -5);
  assert.equal(waveOf(annotated({ "argocd.argoproj.io/sync-wave": "first" })), 0);
  assert.equal(waveOf(annotated({ "helm.sh/hook-weight": "3" })), 0, "a weight counts on hooks only");
  assert.equal(waveOf(annotated({ "helm.sh/hook": "pre-install", "helm.sh/hook-weight": "3" })), 3);
});

test("refusals become faults by what the server means, not by its status alone", () => {
  const address = { group: "", version: "v1", kind: "ConfigMap", namespace: "d", name: "x" };
  const asked = { verb: "apply", address, as: { namespace: "s", name: "a" } };
  const fault = (status: number, body: object) => refusalFault(status, body, asked);
  const missing = fault(404, {
    reason: "NotFound",
    message: 'configmaps "x" not found',
    details: { kind: "configmaps", name: "x" },
  });
  assert.equal(missing.code, "not-found");
  assert.equal(fault(404, { message: "404 page not found" }).code, "kind-not-served");
  const space = fault(404, { reason: "NotFound", details: { kind: "namespaces", name: "d" } });
  assert.match(space.next ?? "", /CreateNamespace=true/);
  assert.equal(fault(409, { reason: "Conflict" }).code, "conflict");
  assert.equal(fault(413, {}).code, "too-large");
  assert.equal(fault(429, {}).retryable, true);
  assert.equal(fault(500, { message: 'failed calling webhook "x"' }).retryable, true);
  assert.equal(fault(500, { message: 'duplicate entries for key [name="A"]' }).retryable, false);
  assert.match(fault(403, { message: "x is forbidden: exceeded quota: q" }).next ?? "", /ResourceQuota/);
  const terminating = fault(403, { message: "x", details: { causes: [{ reason: "NamespaceTerminating" }] } });
  assert.equal(terminating.code, "conflict");
  const denied = fault(400, { message: 'admission webhook "guard" denied the request: no' });
  assert.equal(denied.code, "cluster-refused");
  const secret = { ...asked, address: { ...address, kind: "Secret" } };
  const words = { message: 'admission webhook "guard" denied the request: hunter2 is too weak' };
  for (const status of [400, 403, 422]) assert.doesNotMatch(refusalFault(status, words, secret).message, /hunter2/);
  assert.match(refusalFault(403, words, secret).message, /webhook "guard" denied the request/);
  const frozen = fault(422, {
    details: {
      causes: [{ reason: "FieldValueInvalid", field: "spec", message: "Invalid value: 1: field is immutable" }],
    },
  });
  const refusal = refusalOf(frozen);
  assert.ok(refusal !== undefined && isImmutable(refusal));
  assert.equal(kindOf({ apiVersion: "apps/v1", kind: "X", metadata: { name: "x" } }).group, "apps");
});
