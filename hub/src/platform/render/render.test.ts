import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { Fault } from "@capstan/proto";
import type { ApplicationSource } from "../../documents/model.ts";
import type { Bundle } from "../../render/model.ts";
import { prepareRender, type RenderPorts, render } from "../../render/render.ts";
import { MemoryTree } from "../../sources/testing.ts";
import { scratch } from "../git/testing.ts";
import type { Sandbox } from "./sandbox.ts";
import { portsOver, realSandbox } from "./testing.ts";

const never = new AbortController().signal;
type Files = Readonly<Record<string, string>>;

const chart: Files = {
  "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
  "chart/values.yaml": "text: chart\nlist: []\n",
  "chart/crds/crd.yaml":
    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n",
  "chart/templates/config.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
data:
  text: {{ .Values.text | quote }}
  version: {{ .Capabilities.KubeVersion.Version }}
  api: {{ .Capabilities.APIVersions.Has "example.com/v1/Thing" | quote }}
  list: {{ toJson .Values.list | quote }}
  number: {{ kindOf .Values.number | quote }}
`,
  "chart/templates/tests/test.yaml":
    "apiVersion: v1\nkind: Pod\nmetadata: {name: test, annotations: {helm.sh/hook: test}}\nspec: {}\n",
};
const configMap = (name: string, data = "a: b") =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {${data}}\n`;

function objectsOf(bundle: Bundle): readonly Record<string, Record<string, unknown>>[] {
  const lines = new TextDecoder().decode(bundle.bytes).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>);
}

suite("rendering with the real tools", () => {
  let sandbox: Sandbox;
  let ports: RenderPorts;
  let directory: Awaited<ReturnType<typeof scratch>>;
  before(async () => {
    directory = await scratch();
    sandbox = await realSandbox(join(directory.path, "render"));
    ports = portsOver(sandbox);
  });
  after(async () => {
    await directory[Symbol.asyncDispose]();
  });

  const request = (files: Files, source: Partial<ApplicationSource>) => ({
    sources: [{ source: { repoURL: "https://git.example.com/fleet.git", ...source }, tree: new MemoryTree(files) }],
    name: "shop",
    namespace: "team",
    kubeVersion: "v1.33.1",
    apiVersions: ["example.com/v1", "example.com/v1/Thing"],
  });
  const rendered = (files: Files, source: Partial<ApplicationSource>) => render(request(files, source), ports, never);
  const dataOf = async (files: Files, source: Partial<ApplicationSource>) =>
    objectsOf(await rendered(files, source)).find((object) => String(object["kind"]) === "ConfigMap")?.["data"];
  const refused = async (files: Files, source: Partial<ApplicationSource>): Promise<Fault> => {
    const thrown: unknown = await rendered(files, source).then(
      (bundle) => assert.fail(`rendered ${new TextDecoder().decode(bundle.bytes).slice(0, 500)}`),
      (fault: unknown) => fault,
    );
    assert.ok(thrown instanceof Fault, String(thrown));
    return thrown;
  };
  const withTemplate = (template: string): Files => ({ ...chart, "chart/templates/config.yaml": template });

  test("on Linux the kernel shuts the tools in", { skip: process.platform !== "linux" }, () => {
    assert.deepEqual(sandbox.isolation, { mode: "kernel", reason: "" });
  });

  test("a plain directory becomes ordered canonical JSON", async () => {
    const files = {
      "app/b.yaml": `${configMap("b")}---\n${configMap("a")}`,
      "app/c.json": JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: "z" }, status: {} }),
      "app/README.md": "not read",
      "app/deep/d.yaml": configMap("deep"),
      "app/skipped.yaml": "# +argocd:skip-file-rendering\n{}",
    };
    const bundle = await rendered(files, { path: "app" });
    assert.equal(
      new TextDecoder().decode(bundle.bytes),
      '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"z"}}\n' +
        '{"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"name":"a"}}\n' +
        '{"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"name":"b"}}\n',
    );
    assert.match(bundle.digest, /^sha256:[0-9a-f]{64}$/);
    const recursive = await rendered(files, { path: "app", directory: { recurse: true, exclude: "{b,x}.yaml" } });
    assert.deepEqual(
      recursive.objects.map((object) => object.name),
      ["z", "deep"],
    );
  });

  test("a chart renders with the cluster's facts, its CRDs, and without its tests", async () => {
    const bundle = await rendered(chart, { path: "chart" });
    assert.deepEqual(
      bundle.objects.map((object) => `${object.kind} ${object.namespace}/${object.name}`),
      ["CustomResourceDefinition /things.example.com", "ConfigMap team/shop"],
    );
    const data = objectsOf(bundle)[1]?.["data"];
    assert.deepEqual(data, { api: "true", list: "[]", number: "invalid", text: "chart", version: "v1.33.1" });
    const other = await rendered(chart, {
      path: "chart",
      helm: { skipCrds: true, releaseName: "mine", namespace: "other" },
    });
    assert.deepEqual(other.objects, [{ group: "", kind: "ConfigMap", namespace: "other", name: "mine" }]);
  });

  test("values win in Argo CD's order: parameters, inline, files, chart", async () => {
    const files = { ...chart, "chart/one.yaml": "text: one", "env/two.yaml": "text: two", "env/text": "from, file" };
    const text = async (helm: ApplicationSource["helm"]) =>
      (await dataOf(files, { path: "chart", helm: helm ?? {} }))?.["text"];
    assert.equal(await text({ valueFiles: ["one.yaml", "../env/two.yaml"] }), "two");
    assert.equal(await text({ valueFiles: ["/env/two.yaml", "one.yaml"] }), "one");
    assert.equal(await text({ valueFiles: ["one.yaml"], values: "text: inline" }), "inline");
    assert.equal(await text({ values: "text: inline", valuesObject: { text: "object" } }), "object");
    const parameters = [{ name: "text", value: "a,b" }];
    assert.equal(await text({ valuesObject: { text: "object" }, parameters }), "a,b");
    assert.equal(await text({ fileParameters: [{ name: "text", path: "/env/text" }] }), "from, file");
    assert.equal(await text({ valueFiles: ["none.yaml"], ignoreMissingValueFiles: true }), "chart");
    assert.equal((await refused(files, { path: "chart", helm: { valueFiles: ["none.yaml"] } })).code, "path-not-found");
  });

  test("variables of the build and .argocd-source files are put in", async () => {
    const files = {
      ...chart,
      "env/shop.yaml": "text: of shop",
      "chart/.argocd-source.yaml": "helm: {parameters: [{name: list, value: '{all}'}]}\npath: elsewhere\n",
      "chart/.argocd-source-shop.yaml": "helm: {parameters: [{name: list, value: '{$ARGOCD_APP_NAME,$$x}'}]}\n",
    };
    const data = await dataOf(files, { path: "chart", helm: { valueFiles: ["../env/${ARGOCD_APP_NAME}.yaml"] } });
    assert.equal(data?.["text"], "of shop");
    assert.equal(data["list"], '["shop","$x"]');
  });

  test("parameters keep their type unless told to be text", async () => {
    const kind = async (forceString: boolean) => {
      const parameters = [{ name: "number", value: "1", forceString }];
      return (await dataOf(chart, { path: "chart", helm: { parameters } }))?.["number"];
    };
    assert.equal(await kind(false), "int64");
    assert.equal(await kind(true), "string");
    const list = [{ name: "list", value: "{a,b}" }];
    assert.equal((await dataOf(chart, { path: "chart", helm: { parameters: list } }))?.["list"], '["a","b"]');
  });

  test("an overlay renders with its base, and with what the Application adds", async () => {
    const files = {
      "base/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: made, files: [note.txt]}]\n",
      "base/note.txt": "hello",
      "base/web.yaml":
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1, template: {spec: {containers: [{name: c, image: 'shop:1'}]}}}\n",
      "prod/kustomization.yaml": "resources: [../base]\nnamePrefix: old-\nimages: [{name: shop, newTag: '2'}]\n",
      "unread/other.yaml": "not: read",
    };
    const plain = await rendered(files, { path: "prod" });
    assert.ok(plain.objects.some((object) => object.name === "old-web"));
    const bundle = await rendered(files, {
      path: "prod",
      kustomize: {
        namePrefix: "eu-",
        nameSuffix: "-1",
        namespace: "shop",
        images: ["shop=registry.example.com/shop:3"],
        commonLabels: { team: "a" },
        commonAnnotations: { note: "x" },
        replicas: [{ name: "web", count: "5" }],
        patches: [{ target: { kind: "Deployment" }, patch: "- {op: add, path: /spec/paused, value: true}" }],
      },
    });
    const web = objectsOf(bundle).find((object) => String(object["kind"]) === "Deployment");
    const pod = (web?.["spec"]?.["template"] as { spec: { containers: { image: string }[] } }).spec;
    assert.equal(web?.["metadata"]?.["name"], "eu-web-1");
    assert.equal(web["metadata"]["namespace"], "shop");
    assert.deepEqual(web["metadata"]["labels"], { team: "a" });
    assert.deepEqual(web["metadata"]["annotations"], { note: "x" });
    assert.equal(web["spec"]?.["replicas"], 5);
    assert.equal(web["spec"]?.["paused"], true);
    assert.equal(pod.containers[0]?.image, "registry.example.com/shop:3");
    const keys = await Promise.all(
      [files, { ...files, "unread/other.yaml": "changed" }, { ...files, "base/note.txt": "bye" }].map(
        async (changed) => (await prepareRender(request(changed, { path: "prod" }), ports, never)).key,
      ),
    );
    assert.equal(keys[0], keys[1]);
    assert.notEqual(keys[0], keys[2]);
  });

  test("several sources: value files of another one, and the last manifest wins", async () => {
    const values = new MemoryTree({ "prod.yaml": "text: elsewhere" });
    const more = new MemoryTree({ "x/shop.yaml": configMap("shop\n  namespace: team".replace("\n  ", ", ")) });
    const repoURL = "https://git.example.com/fleet.git";
    const sources = [
      { source: { repoURL, path: "chart", helm: { valueFiles: ["$values/prod.yaml"] } }, tree: new MemoryTree(chart) },
      { source: { repoURL, ref: "values" }, tree: values },
    ];
    const asked = { ...request(chart, {}), sources };
    const bundle = await render(asked, ports, never);
    assert.equal(objectsOf(bundle)[1]?.["data"]?.["text"], "elsewhere");
    const both = await render(
      { ...asked, sources: [...sources, { source: { repoURL, path: "x" }, tree: more }] },
      ports,
      never,
    );
    assert.deepEqual(objectsOf(both)[1]?.["data"], { a: "b" });
    assert.match(both.warnings.join(), /ConfigMap team\/shop is in more than one source/);
  });

  test("bad manifests are refused with their place", async () => {
    const table: [string, Files, Partial<ApplicationSource>, string, RegExp][] = [
      ["no kind", { "a/x.yaml": "a: 1\n---\n# note\napiVersion: v1\n" }, { path: "a" }, "bad-manifest", /apiVersion/],
      [
        "no name",
        { "a/x.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {}\n" },
        { path: "a" },
        "bad-manifest",
        /metadata.name of Pod/,
      ],
      ["bad YAML", { "a/x.yaml": "a: [1\n" }, { path: "a" }, "bad-yaml", /./],
      [
        "twice",
        { "a/x.yaml": configMap("x"), "a/y.yaml": configMap("x") },
        { path: "a" },
        "bad-manifest",
        /a\/x.yaml:1 and in a\/y.yaml:1/,
      ],
      ["no path", { "a/x.yaml": "" }, { path: "b" }, "path-not-found", /directory at b/],
      ["empty path", { "a/x.md": "" }, { path: "a" }, "path-empty", /at a/],
      [
        "not in charts/",
        {
          ...chart,
          "chart/Chart.yaml": `${chart["chart/Chart.yaml"]}dependencies: [{name: redis, version: 1.x, repository: 'https://x'}]`,
        },
        { path: "chart" },
        "remote-refused",
        /"redis"/,
      ],
      ["bad value", chart, { path: "chart", helm: { values: "a: [" } }, "render-failed", /values.inline.json/],
      [
        "a template without name",
        withTemplate("apiVersion: v1\nkind: ConfigMap\n"),
        { path: "chart" },
        "bad-manifest",
        /metadata/,
      ],
      [
        "two types",
        chart,
        { path: "chart", helm: { values: "a: 1" }, kustomize: { namePrefix: "a" } },
        "bad-input",
        /helm and kustomize/,
      ],
      ["plugin", chart, { path: "chart", plugin: {} }, "unsupported", /plugin/],
    ];
    for (const [name, files, source, code, message] of table) {
      const fault = await refused(files, source);
      assert.equal(fault.code, code, name);
      assert.match(`${fault.message} ${JSON.stringify(fault.where)}`, message, name);
      assert.equal(fault.where.repository, "https://git.example.com/fleet.git", name);
    }
    const template = await refused(withTemplate("\n\napiVersion: v1\nkind: ConfigMap\n"), { path: "chart" });
    assert.equal(template.where.file, "chart/templates/config.yaml");
  });

  suite("hostile charts and overlays", () => {
    test("reach no network", async () => {
      let connections = 0;
      const server = createServer((socket) => {
        connections += 1;
        socket.destroy();
      });
      await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", () => resolve()));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      try {
        const base = { "o/kustomization.yaml": `resources: ['${url}/base.yaml']` };
        assert.equal((await refused(base, { path: "o" })).code, "remote-refused");
        // The tools themselves, given what planning refuses: the kernel has no way out for them.
        const bytes = new TextEncoder().encode(`resources: ['${url}/base.yaml']`);
        const direct = [
          { tool: "kubectl", args: ["kustomize", "o"], files: new Map([["o/kustomization.yaml", bytes]]) },
          { tool: "helm", args: ["pull", `${url}/chart.tgz`], files: new Map() },
        ];
        for (const run of direct) {
          await assert.rejects(sandbox.run(run, never), (fault: Fault) => fault.code === "render-failed");
        }
        await assert.rejects(sandbox.run(direct[1] ?? assert.fail(), never), /network is unreachable|connect:/);
        const looked = await dataOf(withTemplate(configMap("x", 'ip: "{{ getHostByName "localhost" }}"')), {
          path: "chart",
        });
        assert.deepEqual(looked, { ip: "" });
      } finally {
        server.close();
      }
      assert.equal(connections, 0);
    });

    test("cannot read the hub's key file", async () => {
      const key = join(directory.path, "signing.key");
      await writeFile(key, "canary-key", { mode: 0o644 });
      const up = "../".repeat(20);
      const overlay = (path: string) => ({
        "o/kustomization.yaml": `configMapGenerator: [{name: x, files: ['${path}']}]`,
      });
      const table: [Files, Partial<ApplicationSource>, string][] = [
        [chart, { path: "chart", helm: { valueFiles: [`${up}${key.slice(1)}`] } }, "path-escapes"],
        [chart, { path: "chart", helm: { valueFiles: [key] } }, "path-not-found"],
        [chart, { path: "chart", helm: { valueFiles: [`file://${key}`] } }, "remote-refused"],
        [
          chart,
          { path: "chart", helm: { fileParameters: [{ name: "text", path: `${up}${key.slice(1)}` }] } },
          "path-escapes",
        ],
        [{ ...chart, "chart/values.link.yaml": `link:${key}` }, { path: "chart" }, "link-refused"],
        [overlay(key), { path: "o" }, "path-escapes"],
        [overlay(up + key.slice(1)), { path: "o" }, "path-escapes"],
        [overlay("../other.txt"), { path: "o" }, "path-not-found"],
        [{ ...overlay("../other.txt"), "other.txt": "" }, { path: "o" }, "path-escapes"],
        [{ ...overlay("l"), "o/l": `link:${key}` }, { path: "o" }, "link-refused"],
        [{ "a/x.yaml": `link:${key}` }, { path: "a" }, "link-refused"],
        [{ "a/x.yaml": "" }, { path: "../a" }, "path-escapes"],
      ];
      for (const [files, source, code] of table)
        assert.equal((await refused(files, source)).code, code, JSON.stringify(source));
      const got = await dataOf(
        withTemplate(configMap("x", `k: "{{ .Files.Get "${key}" }}{{ .Files.Get "${up}${key.slice(1)}" }}"`)),
        { path: "chart" },
      );
      assert.deepEqual(got, { k: "" });
      // Helm itself, told to read it: in its world the file is not there.
      const files = new Map([["c/Chart.yaml", new TextEncoder().encode(chart["chart/Chart.yaml"])]]);
      for (const path of [key, `/proc/${process.pid}/environ`, "/etc/passwd"]) {
        const run = { tool: "helm", args: ["template", "x", "c", `--set-file=k=${path}`], files };
        await assert.rejects(sandbox.run(run, never), /no such file or directory/);
      }
    });

    test("see nothing of the hub's environment", async () => {
      process.env["CAPSTAN_CANARY"] = "canary-env";
      try {
        const fault = await refused(withTemplate(configMap("x", 'k: {{ env "CAPSTAN_CANARY" }}')), { path: "chart" });
        assert.equal(fault.code, "render-failed");
        assert.match(fault.message, /"env" not defined/);
        const overlay = {
          "o/kustomization.yaml": "configMapGenerator: [{name: x, envs: [a.env]}]",
          "o/a.env": "CAPSTAN_CANARY\nB=1\n",
        };
        const bundle = await rendered(overlay, { path: "o" });
        assert.doesNotMatch(new TextDecoder().decode(bundle.bytes), /canary-env/);
        assert.doesNotMatch(
          await sandbox.run({ tool: "helm", args: ["env"], files: new Map() }, never),
          /canary|\/root/,
        );
      } finally {
        delete process.env["CAPSTAN_CANARY"];
      }
    });

    test("run no program of the repository", async () => {
      const overlay = {
        "o/kustomization.yaml": "generators: [gen.yaml]",
        "o/gen.yaml":
          "apiVersion: v1\nkind: Evil\nmetadata:\n  name: e\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: ./evil.sh}\n",
        "o/evil.sh": "#!/bin/sh\n",
      };
      assert.equal((await refused(overlay, { path: "o" })).code, "not-allowed");
      const inline = {
        "o/kustomization.yaml": `transformers:\n- |-\n${(overlay["o/gen.yaml"] ?? "").replace(/^/gm, "  ")}`,
      };
      assert.equal((await refused(inline, { path: "o" })).code, "not-allowed");
      const inflate = { "o/kustomization.yaml": "helmCharts: [{name: x, repo: 'https://x'}]" };
      assert.equal((await refused(inflate, { path: "o" })).code, "unsupported");
      assert.equal(
        (await refused({ "o/kustomization.yaml": "resources: [github.com/a/b?ref=main]" }, { path: "o" })).code,
        "remote-refused",
      );
    });

    test("are ended when they pass a limit, by the limit's name", async () => {
      await using small = await scratch();
      const tight = await realSandbox(join(small.path, "r"), { limits: { timeMs: 1500, outputBytes: 1024 * 1024 } });
      const failing = async (template: string) => {
        const thrown: unknown = await render(
          request(withTemplate(template), { path: "chart" }),
          portsOver(tight),
          never,
        ).catch((fault: unknown) => fault);
        assert.ok(thrown instanceof Fault, String(thrown));
        return thrown;
      };
      const repeat = (count: number, inner: string) => `{{ range until ${count} }}${inner}{{ end }}`;
      const table: [string, string, RegExp][] = [
        ["endless loop", repeat(1e6, repeat(1e6, "")), /time limit/],
        ["2 GiB at once", `{{ repeat 2147483647 "x" }}`, /memory limit/],
        ["much output", configMap("x", `k: "{{ repeat 2000000 "x" }}"`), /output limit/],
        ["a list of 2^31", repeat(2147483647, "x"), /(memory|time) limit/],
      ];
      for (const [name, template, message] of table) {
        const fault = await failing(template);
        assert.equal(fault.code, "render-limit", `${name}: ${fault.message}`);
        assert.match(fault.message, message, name);
      }
      const endless = await failing('{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}');
      assert.match(`${endless.code} ${endless.message}`, /^render-limit helm passed its recursion limit/);
      assert.deepEqual(await readdir(join(small.path, "r", "jobs")), []);
    });

    test("2 GiB of output in pieces is ended by memory, output or time", async () => {
      const template = `{{ range until 30000 }}{{ range until 30000 }}xxxx{{ end }}{{ end }}`;
      const fault = await refused(withTemplate(template), { path: "chart" });
      assert.equal(fault.code, "render-limit", fault.message);
    });
  });

  test("a cancelled render ends its process", async () => {
    const stop = new AbortController();
    const running = render(
      request(withTemplate("{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}"), { path: "chart" }),
      ports,
      stop.signal,
    );
    setImmediate(() => stop.abort());
    await assert.rejects(running, (thrown: Error) => Fault.from(thrown).code === "cancelled");
  });
});

suite("confinement", { skip: process.platform !== "linux" }, () => {
  test("works by a user namespace too, and says when there is none", async () => {
    await using directory = await scratch();
    const user = await realSandbox(join(directory.path, "u"), { confinements: ["user"] });
    assert.deepEqual(user.isolation, { mode: "kernel", reason: "" });
    await assert.rejects(
      user.run({ tool: "helm", args: ["pull", "http://127.0.0.1:1/x.tgz"], files: new Map() }, never),
      /unreachable/,
    );
    const files = new Map([["c/Chart.yaml", new TextEncoder().encode(chart["chart/Chart.yaml"])]]);
    const run = { tool: "helm", args: ["template", "x", "c", "--set-file=k=/etc/passwd"], files };
    await assert.rejects(user.run(run, never), /no such file or directory/);
    const none = await realSandbox(join(directory.path, "n"), { confinements: [] });
    assert.equal(none.isolation.mode, "none");
    assert.match(await none.run({ tool: "helm", args: ["version"], files: new Map() }, never), /GoVersion/);
  });

  test("refuses tools that a private root cannot hold, and names those that are missing", async () => {
    await using directory = await scratch();
    const { Sandbox } = await import("./sandbox.ts");
    const base = { path: "", processes: 1, limits: { timeMs: 1, memoryBytes: 1, outputBytes: 1 } };
    const { systemClock } = await import("@capstan/proto");
    const { Spawner } = await import("./spawner.ts");
    const open = (helm: string) =>
      Sandbox.open(
        { ...base, clock: systemClock, runner: new Spawner(), directory: join(directory.path, "x"), tools: { helm } },
        never,
      );
    await assert.rejects(open("/nowhere/helm"), (fault: Fault) => fault.code === "tool-missing");
    await assert.rejects(open("/bin/sh"), (fault: Fault) => fault.code === "unsupported");
  });
});
