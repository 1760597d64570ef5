import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DiffTargetsResponseSchema, GetTargetResponseSchema } from "@capstan/proto/application";
import { ListClustersResponseSchema } from "@capstan/proto/fleet";
import { runProgram } from "./program.ts";
import { type FakeHub, fakePorts } from "./testing/ports.ts";

async function run(args: string, files: Readonly<Record<string, string>> = {}, hub: FakeHub = {}) {
  const fake = fakePorts(hub, { files });
  const code = await runProgram(args.split(" "), fake.ports, new AbortController().signal);
  return { code, out: fake.out(), err: fake.err() };
}

const set = (spec: string) => `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: team
spec:
${spec.replace(/^/gm, "  ")}
`;

const matrix = set(`goTemplate: true
generators:
  - matrix:
      generators:
        - clusters:
            selector:
              matchLabels: {env: prod}
        - git:
            repoURL: https://git.example.com/r.git
            revision: main
            files:
              - path: apps/*/c.yaml
template:
  metadata:
    name: "{{ .name }}-{{ .path.basename }}"
    labels:
      size: 'n{{ .size }}'
  spec:
    project: default
    source: {repoURL: https://git.example.com/r.git, path: "{{ .path.path }}", targetRevision: main}
    destination:
      server: "{{ .server }}"
      namespace: |
        {{- if .owner }}x{{ end }}{{ .owner }}`);
const clusters = `apiVersion: capstan.dev/v1
kind: Cluster
metadata: {name: eu-1, labels: {env: prod}}
---
apiVersion: v1
kind: Secret
metadata: {name: s, labels: {argocd.argoproj.io/secret-type: cluster, env: prod}}
data: {name: dXMtMQ==, server: aHR0cHM6Ly91cy0x}
`;
const world = {
  "set.yaml": matrix,
  "clusters.yaml": clusters,
  "repo/apps/x/c.yaml": "size: 1000000\nowner: me\n",
  "repo/apps/y/c.yaml": "size: 3\n",
};
const offline = "-f set.yaml --clusters clusters.yaml --repo repo";

describe("appset generate", () => {
  it("makes the Applications of a file, from Cluster documents, cluster Secrets and a folder", async () => {
    const { code, out, err } = await run(`appset generate ${offline} -o name`, world);
    assert.equal(err, "");
    assert.equal(code, 0);
    assert.deepEqual(
      out.trim().split("\n"),
      ["eu-1-x", "eu-1-y", "us-1-x", "us-1-y"].map((name) => `application/${name}`),
    );
    const list = JSON.parse((await run(`appset generate ${offline} -o json`, world)).out);
    assert.equal(list.items[0].spec.source.path, "apps/x");
    assert.deepEqual(list.items[2].metadata.labels, { size: "n1e+06" });
    assert.match(
      (await run(`appset generate ${offline} -o wide`, world)).out,
      /us-1-y .*https:\/\/us-1 .*\[0\]\.matrix/,
    );
  });

  it("asks the hub for its clusters where no file names them", async () => {
    const answer = create(ListClustersResponseSchema, {
      clusters: [
        { id: "ap-1", labels: { env: "prod" }, argocdName: "ap", argocdServer: "https://ap" },
        { id: "dev-1" },
      ],
    });
    const hub = { fleet: { listClusters: async () => answer } };
    const { out } = await run(
      "appset generate -f set.yaml --repo https://git.example.com/r.git=repo -o name",
      world,
      hub,
    );
    assert.deepEqual(out.trim().split("\n"), ["application/ap-x", "application/ap-y"]);
  });

  it("tells every fault once, goes on with the others, and exits 2", async () => {
    const strict = matrix.replace("goTemplate: true", 'goTemplate: true\n  goTemplateOptions: ["missingkey=error"]');
    const { code, out, err } = await run(`appset generate ${offline} -o name`, { ...world, "set.yaml": strict });
    assert.equal(code, 2);
    assert.deepEqual(out.trim().split("\n"), ["application/eu-1-x", "application/us-1-x"]);
    assert.match(
      err,
      /generators\[0\]\.matrix.*: map has no entry for key "owner" .*\n.*\n {2}element: .* \(and 1 more\)\n$/,
    );
    const none = await run("appset generate -f set.yaml --clusters clusters.yaml", world);
    assert.match(none.err, /no folder stands for this repository.*\n {2}Say --repo FOLDER/);
    assert.equal((await run("appset generate")).code, 64);
    assert.equal((await run("appset generate -f clusters.yaml", world)).code, 64);
  });
});

describe("appset explain", () => {
  it("names the generator and shows the element, from files and from the hub", async () => {
    const { code, out } = await run(`appset explain us-1-y ${offline}`, world);
    assert.equal(code, 0);
    assert.match(out, /^us-1-y is made by generators\[0\]\.matrix of set\.yaml:1\n\n {2}metadata:/);
    assert.match(out, /\n {2}size: 3\n/);
    const missing = await run(`appset explain nope ${offline}`, world);
    assert.equal(missing.code, 2);
    assert.match(missing.err, /make no application "nope"; they make 4 applications/);
    const response = create(GetTargetResponseSchema, {
      targets: [{ set: "argocd/team", madeBy: 'generators[0].clusters {"name":"eu-1"}' }],
    });
    const onHub = await run("appset explain a", {}, { applications: { getTarget: async () => response } });
    assert.equal(onHub.out, "a is made by generators[0].clusters of argocd/team\n\n  name: eu-1\n");
  });
});

describe("appset diff", () => {
  it("tells which targets are added, removed, changed and moved", async () => {
    const asked: string[] = [];
    const answer = create(DiffTargetsResponseSchema, {
      groups: [
        { change: "changed", targets: ["argocd/b on eu-1"], diff: "-a\n+b\n" },
        { change: "added", targets: ["argocd/a on eu-1"], diff: "+a\n" },
      ],
    });
    const hub = {
      applications: {
        diffTargets: async (request: { readonly files?: readonly { readonly name?: string }[] }) => {
          asked.push(...(request.files ?? []).map(({ name = "" }) => name));
          return answer;
        },
      },
    } as FakeHub;
    const { code, out } = await run("appset diff -f set.yaml", world, hub);
    assert.equal(code, 1);
    assert.equal(out, "1 target added\n  argocd/a on eu-1\n1 target changed\n  argocd/b on eu-1\n");
    assert.deepEqual(asked, ["set.yaml"]);
    assert.match((await run("appset diff -f set.yaml -o wide", world, hub)).out, /\+b/);
  });
});

describe("appset lint", () => {
  const lint = async (text: string) => {
    const { code, out } = await run(`appset lint ${offline} -o json`, { ...world, "set.yaml": text });
    const found = JSON.parse(out) as { trap: string; line: number; column: number; message: string }[];
    return { code, found, places: found.map(({ trap, line, column }) => `${line}:${column} ${trap}`) };
  };

  it("finds what prints otherwise than meant, with the place in the file", async () => {
    const { code, found, places } = await lint(matrix);
    assert.equal(code, 2);
    assert.deepEqual(places, ["22:20 number", "29:40 missing"]);
    assert.match(found[0]?.message ?? "", /^\.size prints as 1e\+06 \(in eu-1-x\)/);
    assert.match(found[1]?.message ?? "", /^\.owner is missing in 2 of 4 elements/);
    const lines = matrix.split("\n");
    assert.equal(lines[21]?.slice(19, 24), ".size");
    assert.equal(lines[28]?.slice(39, 45), ".owner");
  });

  it("finds templates that do not parse, unknown options and fields, and wide selectors", async () => {
    const text = matrix
      .replace("goTemplate: true", 'goTemplate: true\n  goTemplateOptions: ["missingkey=eror"]\n  goTemplat: true')
      .replace("              matchLabels: {env: prod}", "              matchLabels: {}")
      .replace("'n{{ .size }}'", "'n{{ .path.path }}{{ size }}'");
    assert.deepEqual((await lint(text)).places, ["7:24 option", "8:3 field", "12:13 selector", "24:36 template"]);
  });

  it("finds names that collide, patterns that mean something else, and the other mode's language", async () => {
    const old = set(`generators:
  - list:
      elements: [{name: a}, {name: b}]
  - git:
      repoURL: https://git.example.com/r.git
      revision: main
      directories: [{path: "apps/**"}, {path: "[!x]*"}]
      files: []
template:
  metadata: {name: "same"}
  spec:
    project: default
    source: {repoURL: https://git.example.com/r.git, path: "{{ .name }}", targetRevision: "{{name}}"}
    destination: {server: https://us-1}`);
    assert.deepEqual((await lint(old)).places, ["12:24 glob", "12:43 glob", "15:16 collision", "18:63 mode"]);
    assert.equal(old.split("\n")[17]?.slice(62, 73), "{{ .name }}");
  });

  it("finds nothing in a set that is fine", async () => {
    const fine = set(`goTemplate: true
goTemplateOptions: ["missingkey=error"]
generators:
  - list:
      elements: [{name: a}]
template:
  metadata: {name: "{{ .name }}"}
  spec:
    project: default
    source: {repoURL: https://git.example.com/r.git, path: x, targetRevision: main}
    destination: {server: https://us-1}`);
    const { code, out } = await run(`appset lint ${offline}`, { ...world, "set.yaml": fine });
    assert.deepEqual([code, out], [0, "no trap found\n"]);
  });
});
