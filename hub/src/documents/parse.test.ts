import assert from "node:assert/strict";
import { test } from "node:test";
import { faultText } from "@capstan/proto";
import type { ApplicationSpec } from "./model.ts";
import { parseDocuments } from "./parse.ts";
import { unsupported } from "./unsupported.ts";
import { asApplication, asApplicationSet, asAppProject, asCluster } from "./views.ts";

const origin = { owner: "root:main", file: "fleet/apps.yaml", revision: "abc" };
const parse = (text: string) => parseDocuments(text, origin);

const application = `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: web
spec:
  project: default
  source:
    repoURL: https://git.example.org/a.git
    path: web
  destination: {name: edge-1, namespace: web}
`;

test("an Application is taken unmodified", () => {
  const { documents, faults, warnings } = parse(application);
  assert.deepEqual([faults, warnings], [[], []]);
  const [document] = documents;
  assert(document);
  assert.deepEqual([document.kind, document.metadata.namespace, document.origin.line], ["Application", "argocd", 1]);
  assert.equal(asApplication(document).spec.source?.path, "web");
});

test("one bad document leaves its neighbours and names its line", () => {
  const text = [
    application,
    application.replace("project: default", "project: [default]"),
    "kind: ConfigMap\napiVersion: v1\n",
    "a: [\n",
    application.replace("v1alpha1", "v1beta1"),
    application.replace("name: web\n", "name: Web\n"),
    application,
  ].join("---\n");
  const { documents, faults } = parse(text);
  assert.equal(documents.length, 2);
  const texts = faults.map(faultText);
  assert.match(
    texts[0] ?? "",
    /^fleet\/apps\.yaml:17:3, field spec\.project: spec\.project must be text; found a list/,
  );
  assert.match(
    texts[1] ?? "",
    /^fleet\/apps\.yaml:23: expected one of ApplicationSet.*found "?ConfigMap.*unknown-kind/,
  );
  assert.match(texts[2] ?? "", /^fleet\/apps\.yaml:2[67]:.*bad-yaml/);
  assert.match(texts[3] ?? "", /^fleet\/apps\.yaml:28: Application has apiVersion argoproj\.io\/v1alpha1/);
  assert.match(texts[4] ?? "", /^fleet\/apps\.yaml:42:3, field metadata\.name: .*DNS name/);
});

test("a List is opened", () => {
  const item = application.replaceAll("\n", "\n  ");
  const { documents, faults } = parse(
    `apiVersion: v1\nkind: List\nitems:\n- ${item}\n- ${item.replace("web", "api")}\n`,
  );
  assert.deepEqual([documents.map((document) => document.metadata.name), faults], [["web", "api"], []]);
  assert.deepEqual(
    documents.map((document) => document.origin.line),
    [4, 15],
  );
});

test("unknown fields are kept and named, with their place", () => {
  const { documents, warnings } = parse(`${application}  extra: 1\nstatus: {health: {}}\n`);
  assert.equal((documents[0]?.raw["spec"] as Record<string, unknown>)["extra"], 1);
  assert.deepEqual(warnings, [
    {
      message: "spec.extra is no field of Application; it is kept but has no effect",
      where: { file: "fleet/apps.yaml", line: 11, column: 3 },
    },
  ]);
  assert.deepEqual(documents[0]?.unknown, [{ field: "spec.extra", file: "fleet/apps.yaml", line: 11, column: 3 }]);
  assert.equal(parse(application).documents[0]?.unknown, undefined);
});

test("a set keeps its template raw, and tells what its targets would be refused for", () => {
  const { documents, warnings, faults } = parse(`apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: web, namespace: fleet}
spec:
  goTemplate: true
  generators: [{list: {elements: [{a: 1}]}}]
  template:
    metadata: {name: "{{ .a }}"}
    spec:
      project: default
      source:
        repoURL: "{{ .r }}"
        plugin: {name: own}
      destination: {}
      syncPolicy:
        syncOptions:
        - CreateNamespace=true
        - Prune=false
`);
  assert.deepEqual(faults, []);
  const [document] = documents;
  assert(document);
  assert.deepEqual(asApplicationSet(document).spec.generators, [{ list: { elements: [{ a: 1 }] } }]);
  assert.deepEqual(
    warnings.map((warning) => [warning.where.line, warning.message]),
    [[13, "spec.template.spec.source.plugin is not supported yet: nothing could be rendered; its targets are refused"]],
  );
});

test("a project tells an absent white list from an empty one", () => {
  const text =
    "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: a}\nspec: {namespaceResourceWhitelist: []}";
  const [document] = parse(text).documents;
  assert(document);
  assert.deepEqual(asAppProject(document).spec, { namespaceResourceWhitelist: [] });
});

test("a Cluster has an id and one of three modes", () => {
  const text = (name: string, mode: string) =>
    `apiVersion: capstan.dev/v1\nkind: Cluster\nmetadata: {name: ${name}}\nspec: {mode: ${mode}, argocd: {name: old}}`;
  const [document] = parse(text("edge-1", "Enforce")).documents;
  assert(document);
  assert.deepEqual(asCluster(document).spec, { mode: "Enforce", argocd: { name: "old" } });
  assert.match(parse(text("edge-1", "Force")).faults[0]?.message ?? "", /Observe, AdoptIfNoDiff or Enforce/);
  assert.match(parse(text("edge.1", "Observe")).faults[0]?.message ?? "", /cluster id/);
});

test("what protects is refused, what is harmless is only told", () => {
  const spec: ApplicationSpec = {
    project: "p",
    destination: {},
    info: [{ name: "a", value: "b" }],
    ignoreDifferences: [
      { kind: "Deployment", jqPathExpressions: [".spec.x", ".spec.list[] | select(.a)", "[repeat(.)]"] },
    ],
    syncPolicy: { syncOptions: ["CreateNamespace=true", "Delete=false", "Replace=true", "Nobody=knows"] },
  };
  const { refused, warned } = unsupported(spec);
  assert.deepEqual(refused, []);
  const unrendered = { ...spec, source: { repoURL: "r", plugin: { name: "own" } } };
  assert.match(unsupported(unrendered).refused.join(), /plugin/);
  assert.deepEqual(warned, [
    "spec.ignoreDifferences.0.jqPathExpressions.2 is not understood (it uses repeat): drift of the target is shown and left alone",
    "spec.syncPolicy.syncOptions Nobody=knows is kept but has no effect yet",
    "spec.info is kept but has no effect yet",
  ]);
});

test("what of a set has no effect is told with its line", () => {
  const set = (spec: string) => `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: web}
spec:
${spec}
  generators: []
  template: {metadata: {name: x}, spec: {project: default, destination: {name: a}}}
`;
  const told = (spec: string) => parse(set(spec)).warnings.map(({ message, where }) => `${where.line} ${message}`);
  const [kept, ignored, order, sync] = told(`  preservedFields: {annotations: [a]}
  ignoreApplicationDifferences: [{jsonPointers: [/spec/source/targetRevision]}]
  strategy: {type: RollingSync, deletionOrder: Reverse}
  syncPolicy: {applicationsSync: never}`);
  assert.match(kept ?? "", /^5 spec\.preservedFields has no effect/);
  assert.match(ignored ?? "", /^6 spec\.ignoreApplicationDifferences has no effect/);
  assert.match(order ?? "", /^7 spec\.strategy\.deletionOrder has no effect yet/);
  assert.match(sync ?? "", /^8 .*"never" counts as create-only/);
  assert.deepEqual(told("  preservedFields: {annotations: []}\n  syncPolicy: {applicationsSync: create-only}"), []);
});

test("a ConfigMap is taken where a generator reads it", () => {
  const configMap = (data: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p}\ndata: ${data}\n`;
  for (const data of ["{baseUrl: x}", "{matchKey: x}", '{ca.crt: "-----BEGIN CERTIFICATE-----"}'])
    assert.deepEqual(
      parse(configMap(data)).documents.map(({ kind, metadata }) => [kind, metadata.namespace]),
      [["ConfigMap", "argocd"]],
    );
  assert.deepEqual(
    parse(configMap("{a: b}")).faults.map(({ code }) => code),
    ["unknown-kind"],
  );
  assert.match(parse(configMap("{baseUrl: 3}")).faults[0]?.message ?? "", /data\.baseUrl must be text/);
});

test("a cluster's labels keep Kubernetes' rules, and the place of what does not is told", () => {
  const cluster = (metadata: string) =>
    `apiVersion: capstan.dev/v1\nkind: Cluster\nmetadata:\n  name: edge-1\n${metadata}`;
  const { faults } = parse(
    [
      cluster("  labels:\n    env: prod\n    b@d: x\n"),
      cluster("  labels: {env: ä ö}\n"),
      cluster("  annotations:\n    x y: any\n"),
      cluster("  labels: {example.org/env: ''}\n  annotations: {note: ä ö}\n"),
    ].join("---\n"),
  );
  const texts = faults.map(faultText);
  assert.equal(texts.length, 3);
  assert.match(
    texts[0] ?? "",
    /^fleet\/apps\.yaml:7:5, field metadata\.labels\["b@d"\]: .*NAME or PREFIX\/NAME.*"b@d"/,
  );
  assert.match(texts[1] ?? "", /^fleet\/apps\.yaml:13:\d+, field metadata\.labels\.env: .*at most 63 .*"ä ö"/);
  assert.match(texts[2] ?? "", /^fleet\/apps\.yaml:20:5, field metadata\.annotations\["x y"\]: .*"x y"/);
});
