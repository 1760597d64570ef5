import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Fault } from "@capstan/proto";
import { sha256Hex } from "../platform/render/open.ts";
import { MemoryTree } from "../sources/testing.ts";
import { makeBundle } from "./bundle.ts";
import { globMatcher } from "./glob.ts";
import { looksRemote, referencesOf } from "./kustomization.ts";
import { editKustomization, parseImage } from "./kustomize-edit.ts";
import { readManifests } from "./manifest.ts";
import { RenderKeys } from "./memo.ts";
import { defaultRenderLimits, type RenderRequest } from "./model.ts";
import { compareObjects, stageOf } from "./order.ts";
import { prepareRender, type RenderPorts } from "./render.ts";

const never = new AbortController().signal;
const noTool = () => Promise.reject(new Error("planning must not render"));
const portsOf = (helm = "v4", kustomize = "v5"): RenderPorts => ({
  tools: { versions: () => Promise.resolve({ helm, kustomize }), helm: noTool, kustomize: noTool, jsonnet: noTool },
  sha256: sha256Hex,
  limits: defaultRenderLimits,
});
type Files = Readonly<Record<string, string>>;
const requestOf = (files: Files, source: object, more: Partial<RenderRequest> = {}): RenderRequest => ({
  sources: [{ source: { repoURL: "https://git.example.com/fleet.git", ...source }, tree: new MemoryTree(files) }],
  name: "web",
  namespace: "team",
  ...more,
});
const keyOf = async (request: RenderRequest, ports = portsOf()) => (await prepareRender(request, ports, never)).key;
const bundleOf = (text: string, limits = defaultRenderLimits) =>
  makeBundle([readManifests(text, "x.yaml")], sha256Hex, limits);

suite("order", () => {
  test("stages: definitions, classes, the rest, webhooks", () => {
    const kinds = [
      "Namespace",
      "ClusterRole",
      "StorageClass",
      "Deployment",
      "ClusterRoleBinding",
      "ValidatingWebhookConfiguration",
    ];
    assert.deepEqual(kinds.map(stageOf), [0, 0, 1, 2, 2, 3]);
    const ref = (kind: string, name = "a", namespace = "", group = "") => ({ group, kind, namespace, name });
    const ordered = [
      ref("CustomResourceDefinition"),
      ref("IngressClass"),
      ref("ConfigMap", "b"),
      ref("ConfigMap", "a", "n"),
      ref("Job", "a", "", "batch"),
      ref("MutatingWebhookConfiguration"),
    ];
    assert.deepEqual([...ordered].reverse().sort(compareObjects), ordered);
  });
});

suite("bundles", () => {
  test("lists are taken apart, what a server writes is left out, Kustomize's own documents are no objects", () => {
    const bundle = bundleOf(`apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMapList, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: in, uid: u, resourceVersion: "1", creationTimestamp: null, managedFields: [], generation: 1}, status: {a: 1}}]}
---
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
`);
    const text = new TextDecoder().decode(bundle.bytes);
    assert.equal(text, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generation":1,"name":"in"}}\n');
    assert.equal(bundle.digest, `sha256:${sha256Hex(bundle.bytes)}`);
  });

  test("the same manifests in any order and spelling are the same bundle", () => {
    const one = bundleOf(
      "{apiVersion: v1, kind: A, metadata: {name: x}, k: 9007199254740993}\n---\n{apiVersion: v1, kind: B, metadata: {name: z}}",
    );
    const other = bundleOf(
      '{"metadata":{"name":"z"},"kind":"B","apiVersion":"v1"}\n---\nkind: A\nk: 9007199254740993\nmetadata: {name: "x"}\napiVersion: v1\n',
    );
    assert.equal(one.digest, other.digest);
    assert.match(new TextDecoder().decode(one.bytes), /9007199254740993/);
  });

  test("limits and generated names are refused by name", () => {
    const two = "{apiVersion: v1, kind: A, metadata: {name: x}}\n---\n{apiVersion: v1, kind: A, metadata: {name: z}}";
    const code = (run: () => unknown) => {
      try {
        run();
      } catch (thrown) {
        return `${Fault.from(thrown).code} ${Fault.from(thrown).message}`;
      }
      return "none";
    };
    assert.match(
      code(() => bundleOf(two, { ...defaultRenderLimits, objects: 1 })),
      /^too-large .*1 objects, found 2/,
    );
    assert.match(
      code(() => bundleOf(two, { ...defaultRenderLimits, bundleBytes: 50 })),
      /^too-large .*50 bytes/,
    );
    assert.match(
      code(() => bundleOf("{apiVersion: v1, kind: Job, metadata: {generateName: x-}}")),
      /^bad-manifest .*generateName/,
    );
    const hook =
      "{apiVersion: v1, kind: Job, metadata: {generateName: x-, annotations: {argocd.argoproj.io/hook: Sync}}}";
    assert.equal(bundleOf(`${hook}\n---\n${hook}`).objects.length, 2, "a hook's name may be made by the agent");
    assert.match(
      code(() => bundleOf("- a")),
      /^bad-manifest expected an object/,
    );
    assert.match(
      code(() => bundleOf("{apiVersion: v1, kind: 7, metadata: {name: x}}")),
      /^bad-manifest .*kind.*found 7/,
    );
  });
});

suite("globs", () => {
  test("match as Argo CD's do", () => {
    const table: [string, string, boolean][] = [
      ["*.yaml", "a/b.yaml", true],
      ["{a,b}.yaml", "b.yaml", true],
      ["{config,env-*}/x?.y*ml", "env-eu/x1.yml", true],
      ["a.yaml", "aXyaml", false],
      ["[ab].yaml", "b.yaml", true],
      ["[!ab].yaml", "b.yaml", false],
      ["a,b", "a,b", true],
      ["(a|b)", "a", false],
    ];
    for (const [glob, path, matches] of table) assert.equal(globMatcher(glob)(path), matches, `${glob} ${path}`);
    for (const glob of ["{a", "[a"])
      assert.throws(
        () => globMatcher(glob),
        (fault: Fault) => fault.code === "bad-input",
      );
    assert.equal(globMatcher("*a".repeat(50))("a".repeat(5000).concat("b")), false);
  });
});

suite("kustomizations", () => {
  test("remote references are known by their shape", () => {
    const remote = [
      "https://x/y.yaml",
      "git@github.com:a/b",
      "github.com/a/b?ref=v1",
      "github.com/a/b",
      "git::https://x",
      "ssh://x/y",
      "x.git",
      "file:///etc/passwd",
      "https://x/y.git//z",
    ];
    for (const reference of remote) assert.ok(looksRemote(reference), reference);
    for (const reference of ["../base", "web.yaml", "github", "a/b-c_d", "."])
      assert.ok(!looksRemote(reference), reference);
  });

  test("everything that is read is found", () => {
    const found = referencesOf(
      {
        resources: ["a"],
        components: ["b"],
        patches: [{ path: "c" }, { patch: "x" }],
        patchesStrategicMerge: ["d", "kind: X\nmetadata: {}"],
        configMapGenerator: [{ files: ["e", "key=f"], envs: ["g"], env: "h" }],
        replacements: [{ path: "i" }],
        openapi: { path: "j" },
        generators: ["k", "a: b\nc: d"],
      },
      "x",
    );
    assert.deepEqual(found, {
      resources: ["a", "b"],
      files: ["d", "c", "i", "e", "f", "g", "h", "j"],
      plugins: ["k"],
      inlinePlugins: ["a: b\nc: d"],
      unknown: false,
    });
    assert.ok(referencesOf({ newField: 1 }, "x").unknown);
  });

  test("images are set by name, as kustomize edit does", () => {
    assert.deepEqual(parseImage("a=r.example:5000/b:c"), { name: "a", newName: "r.example:5000/b", newTag: "c" });
    assert.deepEqual(parseImage("r.example:5000/a"), { name: "r.example:5000/a" });
    assert.deepEqual(parseImage("a@sha256:0"), { name: "a", digest: "sha256:0" });
    const base = {
      images: [
        { name: "a", newName: "n", digest: "sha256:1" },
        { name: "z", newTag: "1" },
      ],
    };
    assert.deepEqual(editKustomization(base, { images: ["a:2"] }, "x")["images"], [
      { name: "z", newTag: "1" },
      { newName: "n", name: "a", newTag: "2" },
    ]);
    assert.deepEqual(editKustomization(base, { images: ["a=m"] }, "x")["images"], [
      { name: "z", newTag: "1" },
      { newName: "m", digest: "sha256:1", name: "a" },
    ]);
  });

  test("labels that are set already are an error unless forced", () => {
    const base = { commonLabels: { a: "1" } };
    assert.throws(
      () => editKustomization(base, { commonLabels: { a: "2" } }, "x"),
      (fault: Fault) => /forceCommonLabels/.test(fault.next ?? ""),
    );
    const forced = editKustomization(base, { commonLabels: { a: "2" }, forceCommonLabels: true }, "x");
    assert.deepEqual(forced, { commonLabels: { a: "2" } });
    assert.equal(editKustomization(base, { namePrefix: "" }, "x"), base);
    assert.throws(
      () => editKustomization(base, { newThing: 1 }, "x"),
      (fault: Fault) => fault.code === "unsupported",
    );
  });
});

suite("render keys", () => {
  const chart: Files = {
    "c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n",
    "c/templates/a.yaml": "a",
    "env/x.yaml": "a: 1",
    "other/x.yaml": "b: 1",
  };
  const base = requestOf(
    chart,
    { path: "c", helm: { valueFiles: ["../env/x.yaml"] } },
    { kubeVersion: "v1.33.0", apiVersions: ["a", "b"] },
  );
  const changed = (files: Files) =>
    requestOf({ ...chart, ...files }, base.sources[0]?.source ?? {}, {
      kubeVersion: "v1.33.0",
      apiVersions: ["a", "b"],
    });

  test("a Helm key changes with all that Helm reads, and with nothing else", async () => {
    const key = await keyOf(base);
    const same = [changed({ "other/x.yaml": "b: 2" }), { ...base, apiVersions: ["b", "a", "a"] }];
    for (const request of same) assert.equal(await keyOf(request), key);
    assert.equal(await keyOf(base, portsOf("v4", "v6")), key);
    const others = [
      changed({ "env/x.yaml": "a: 2" }),
      changed({ "c/templates/a.yaml": "b" }),
      { ...base, kubeVersion: "v1.34.0" },
      { ...base, apiVersions: ["a"] },
      { ...base, name: "other" },
      { ...base, namespace: "other" },
      requestOf(
        chart,
        { path: "c", helm: { valueFiles: ["../env/x.yaml"], values: "a: 2" } },
        { kubeVersion: "v1.33.0", apiVersions: ["a", "b"] },
      ),
    ];
    const keys = await Promise.all(others.map((request) => keyOf(request)));
    keys.push(await keyOf(base, portsOf("v5")));
    assert.equal(new Set([key, ...keys]).size, others.length + 2);
  });

  test("a plain directory does not depend on the cluster or the tools", async () => {
    const files = { "a/x.yaml": "x" };
    const key = await keyOf(requestOf(files, { path: "a" }));
    const other = requestOf(
      files,
      { path: "a" },
      { name: "n", namespace: "m", kubeVersion: "v1.30.0", apiVersions: ["x"] },
    );
    assert.equal(await keyOf(other, portsOf("v9", "v9")), key);
  });

  test("remembered keys are those that planning gives, whatever was edited", async () => {
    const files: Record<string, string> = {
      ...chart,
      "o/kustomization.yaml": "resources: [../b]\ncomponents: []\n",
      "b/kustomization.yaml": "resources: [x.yaml]\n",
      "b/x.yaml": "x",
      "p/a.yaml": "a",
    };
    const keys = new RenderKeys(portsOf(), 100);
    const sources = [
      { path: "c", helm: { valueFiles: ["../env/x.yaml", "../env/y.yaml"], ignoreMissingValueFiles: true } },
      { path: "o" },
      { path: "p" },
    ];
    const edits: [string, string | undefined][] = [
      ["unrelated.txt", "1"],
      ["env/y.yaml", "a: 3"],
      ["env/y.yaml", undefined],
      ["b/x.yaml", "y"],
      ["b/kustomization.yaml", "resources: [x.yaml]\nnamePrefix: a-\n"],
      ["p/b.yaml", "b"],
      ["c/templates/b.yaml", "b"],
    ];
    for (const [path, text] of [["", undefined] as const, ...edits]) {
      if (text === undefined) delete files[path];
      else files[path] = text;
      for (const source of sources) {
        for (let again = 0; again < 2; again += 1) {
          const request = requestOf({ ...files }, source);
          assert.equal(await keys.keyOf(request, never), await keyOf(request), `${path} ${source.path}`);
        }
      }
    }
  });

  test("an unchanged input is not planned again, at whatever commit", async () => {
    let reads = 0;
    class CountedTree extends MemoryTree {
      override read(path: string): Promise<Uint8Array> {
        reads += 1;
        return super.read(path);
      }
    }
    const keys = new RenderKeys(portsOf(), 100);
    const at = (files: Files) => ({
      ...base,
      sources: [{ source: base.sources[0]?.source ?? { repoURL: "" }, tree: new CountedTree(files) }],
    });
    await keys.keyOf(at(chart), never);
    const planned = reads;
    assert.ok(planned > 0);
    await keys.keyOf(at({ ...chart, "other/x.yaml": "changed" }), never);
    assert.equal(reads, planned);
  });
});

suite("a path with nothing to render", () => {
  test("says what is there instead, and what to do", async () => {
    const files = { "app/a.yaml": "a: 1", file: "x", alias: "link:app", vendor: "module:0123" };
    const faultAt = async (path: string) => {
      try {
        await keyOf(requestOf(files, { path }));
      } catch (thrown) {
        return Fault.from(thrown);
      }
      throw new Error("expected a fault, found none");
    };
    for (const [path, code, said] of [
      ["nowhere", "path-not-found", /found nothing/],
      ["file", "path-not-found", /found a file/],
      ["alias", "link-refused", /found a link/],
      ["vendor", "link-refused", /the submodule vendor; submodules are not read/],
      ["vendor/app/deep", "link-refused", /the submodule vendor; submodules are not read/],
    ] as const) {
      const fault = await faultAt(path);
      assert.equal(fault.code, code, path);
      assert.match(fault.message, said);
      assert.ok(fault.next !== undefined && fault.next !== "", path);
    }
  });
});
