import assert from "node:assert/strict";
import { test } from "node:test";
import { applicationSetShape } from "../documents/application-set-shape.ts";
import { decode } from "../documents/decode.ts";
import type { ApplicationSetSpec, JsonObject } from "../documents/model.ts";
import { TemplateEngine } from "../template/engine.ts";
import { generate } from "./generate.ts";
import { IncrementalGenerator } from "./incremental.ts";
import type { ClusterParams, GenerateInput, GenerateResult } from "./model.ts";

interface World {
  readonly spec: JsonObject;
  readonly clusters?: readonly ClusterParams[];
  readonly files?: Readonly<Record<string, string>>;
  readonly preview?: boolean;
}

/** Everything is read anew for each run, as after a commit. */
function inputOf({ spec, clusters = [], files = {}, preview }: World): GenerateInput {
  const decoded = decode(applicationSetShape, {
    metadata: { name: "s", namespace: "argocd" },
    spec: structuredClone(spec),
  });
  const tree = { commit: "c", complete: true, paths: () => Object.keys(files), text: (path: string) => files[path] };
  return {
    set: {
      metadata: { name: "s", namespace: "argocd", labels: {}, annotations: {}, finalizers: [] },
      spec: decoded["spec"] as unknown as ApplicationSetSpec,
    },
    clusters: structuredClone(clusters),
    projects: new Set(["default"]),
    git: { tree: () => tree },
    compat: "isolate",
    newGitFileGlobbing: false,
    ...(preview === undefined ? {} : { preview }),
  };
}

class Runs {
  readonly engine = new TemplateEngine();
  readonly #generator = new IncrementalGenerator(this.engine);

  /** One run, compared with one that remembers nothing; with what it cost. */
  run(world: World): { result: GenerateResult; renders: number; parses: number } {
    const before = this.engine.counts;
    const result = this.#generator.generate(inputOf(world));
    const after = this.engine.counts;
    const fresh = generate(new TemplateEngine(), inputOf(world));
    assert.deepEqual(plain(result), plain(fresh));
    return { result, renders: after.renders - before.renders, parses: after.parses - before.parses };
  }
}

function plain(result: GenerateResult): unknown {
  return JSON.parse(
    JSON.stringify({
      applications: result.applications.map(({ application, trace }) => ({
        application,
        generator: trace.generator,
        element: trace.element,
      })),
      rejected: result.rejected.map(({ application, rejection }) => ({ application, rejection })),
      faults: result.faults.map(({ fault, generator, step }) => ({ message: fault.message, generator, step })),
      complete: result.complete,
    }),
  );
}

const template = {
  metadata: { name: "{{ .name }}-{{ .path.basename }}" },
  spec: {
    project: "default",
    source: {
      repoURL: "https://git.example.com/r.git",
      path: "{{ .path.path }}",
      targetRevision: "{{ .metadata.labels.env }}",
    },
    destination: { server: "{{ .server }}", namespace: "{{ .team }}" },
  },
};
const rendersOfOne = 5;
const matrix = {
  goTemplate: true,
  generators: [
    {
      matrix: {
        generators: [
          { clusters: { selector: { matchExpressions: [{ key: "env", operator: "Exists" }] } } },
          { git: { repoURL: "https://git.example.com/r.git", revision: "main", files: [{ path: "apps/*/c.yaml" }] } },
        ],
      },
    },
  ],
  template,
};
const cluster = (name: string, env: string): ClusterParams => ({
  name,
  server: `https://${name}`,
  labels: { env },
  annotations: {},
});
const clusters = [cluster("a", "dev"), cluster("b", "dev"), cluster("c", "prod")];
const files = { "apps/x/c.yaml": "team: one\n", "apps/y/c.yaml": "team: two\n" };

test("nothing is made anew where nothing changed", () => {
  const runs = new Runs();
  assert.equal(runs.run({ spec: matrix, clusters, files }).renders, 3 * 2 * rendersOfOne);
  const again = runs.run({ spec: matrix, clusters, files });
  assert.deepEqual([again.renders, again.parses, again.result.changes], [0, 0, undefined]);
});

test("a cluster's label makes that cluster's targets anew, and the set says why", () => {
  const runs = new Runs();
  runs.run({ spec: matrix, clusters, files });
  const { result, renders, parses } = runs.run({
    spec: matrix,
    clusters: [clusters[0] ?? cluster("", ""), cluster("b", "stage"), cluster("c", "prod")],
    files,
  });
  assert.deepEqual([renders, parses], [2 * rendersOfOne, 0]);
  assert.deepEqual(
    result.changes?.targets.map(({ kind, name, because }) => [kind, name, because]),
    [
      ["changed", "b-x", ['metadata.labels.env: "dev" to "stage"']],
      ["changed", "b-y", ['metadata.labels.env: "dev" to "stage"']],
    ],
  );
  const generated = result.conditions.find(({ type }) => type === "ParametersGenerated");
  assert.match(generated?.message ?? "", /The last change touched 2 of 6 targets: b-x changed \(metadata\.labels\.env/);
});

test("the first element of a matrix is like any other", () => {
  const runs = new Runs();
  runs.run({ spec: matrix, clusters, files });
  const moved = [cluster("a", "stage"), ...clusters.slice(1)];
  assert.equal(runs.run({ spec: matrix, clusters: moved, files }).renders, 2 * rendersOfOne);
});

test("a matrix in a matrix keeps apart what each element writes into it", () => {
  const inner = {
    matrix: {
      generators: [
        { list: { elements: [{ path: { path: "{{ .name }}", basename: "{{ .name }}" } }] } },
        { list: { elements: [{ team: "t-{{ .name }}" }] } },
      ],
    },
  };
  const spec = {
    ...matrix,
    generators: [
      {
        matrix: {
          generators: [{ clusters: { selector: { matchExpressions: [{ key: "env", operator: "Exists" }] } } }, inner],
        },
      },
    ],
  };
  const runs = new Runs();
  const first = runs.run({ spec, clusters }).result;
  assert.deepEqual(
    first.applications.map(({ application }) => application.spec.destination.namespace),
    ["t-a", "t-b", "t-c"],
  );
  assert.equal(runs.run({ spec, clusters }).renders, 0);
});

test("one Git file makes its own targets anew", () => {
  const runs = new Runs();
  runs.run({ spec: matrix, clusters, files });
  const { result, renders } = runs.run({
    spec: matrix,
    clusters,
    files: { ...files, "apps/y/c.yaml": "team: three\n" },
  });
  assert.equal(renders, 3 * rendersOfOne);
  assert.deepEqual(
    result.changes?.targets.map(({ name }) => name),
    ["a-y", "b-y", "c-y"],
  );
  const more = runs.run({ spec: matrix, clusters, files: { ...files, "apps/z/c.yaml": "team: z\n" } });
  assert.deepEqual(
    more.result.changes?.targets.map(({ kind, name }) => `${kind} ${name}`),
    ["changed a-y", "added a-z", "changed b-y", "added b-z", "changed c-y", "added c-z"],
  );
});

test("a second child that uses the first is run again for the element that changed, and for no other", () => {
  const spec = {
    ...matrix,
    generators: [
      {
        matrix: {
          generators: [
            { clusters: { selector: { matchExpressions: [{ key: "env", operator: "Exists" }] } } },
            {
              git: {
                repoURL: "https://git.example.com/r.git",
                revision: "main",
                files: [{ path: "apps/{{ .metadata.labels.env }}/c.yaml" }],
              },
            },
          ],
        },
      },
    ],
  };
  const own = { "apps/dev/c.yaml": "team: d\n", "apps/prod/c.yaml": "team: p\n" };
  const runs = new Runs();
  assert.equal(runs.run({ spec, clusters, files: own }).renders, 3 * (1 + rendersOfOne));
  assert.equal(runs.run({ spec, clusters, files: own }).renders, 0);
  const moved = [cluster("a", "dev"), cluster("b", "prod"), cluster("c", "prod")];
  assert.equal(runs.run({ spec, clusters: moved, files: own }).renders, 1 + rendersOfOne);
});

const list = (elements: readonly JsonObject[]) => ({
  goTemplate: true,
  generators: [{ list: { elements }, selector: { matchExpressions: [{ key: "n", operator: "Exists" }] } }],
  template: {
    metadata: { name: "{{ .n }}" },
    spec: { project: "default", destination: { server: "https://a" } },
  },
});

test("one list element makes one target anew, wherever the others move", () => {
  const runs = new Runs();
  const names = ["a", "b", "c", "d"];
  const elements = names.map((n) => ({ n }));
  assert.equal(runs.run({ spec: list(elements), clusters }).renders, 4);
  assert.equal(
    runs.run({ spec: list([...elements.slice(0, 2), { n: "x" }, ...elements.slice(3)]), clusters }).renders,
    1,
  );
  assert.equal(runs.run({ spec: list([{ n: "new" }, ...elements]), clusters }).renders, 2);
  const fewer = runs.run({ spec: list(elements.slice(1)), clusters });
  assert.equal(fewer.renders, 0);
  assert.deepEqual(
    fewer.result.changes?.targets.map(({ kind, name }) => `${kind} ${name}`),
    ["removed new", "removed a"],
  );
});

test("an element that fails is told of in every run, and tried again", () => {
  const spec = {
    goTemplate: true,
    goTemplateOptions: ["missingkey=error"],
    generators: [{ clusters: { values: { tier: "{{ .metadata.labels.tier }}" } } }],
    template: {
      metadata: { name: "{{ .name }}" },
      spec: { project: "default", destination: { server: "{{ .server }}" } },
    },
  };
  const runs = new Runs();
  assert.equal(runs.run({ spec, clusters }).result.faults.length, 4);
  assert.equal(runs.run({ spec, clusters }).result.faults.length, 4);
  const mended = clusters.map((one) => ({ ...one, labels: { ...one.labels, tier: "gold" } }));
  assert.equal(runs.run({ spec, clusters: mended }).result.faults.length, 1);
});

test("another template makes all anew; a preview leaves what is remembered alone", () => {
  const runs = new Runs();
  runs.run({ spec: matrix, clusters, files });
  const other = { ...matrix, template: { ...template, metadata: { name: "x-{{ .name }}-{{ .path.basename }}" } } };
  assert.equal(runs.run({ spec: other, clusters, files, preview: true }).renders, 3 * 2 * rendersOfOne);
  assert.equal(runs.run({ spec: matrix, clusters, files }).renders, 0);
  assert.equal(runs.run({ spec: other, clusters, files }).renders, 3 * 2 * rendersOfOne);
});

test("a template that changes its parameters shares nothing with the last run", () => {
  const spec = {
    ...list([{ n: "a" }, { n: "b" }]),
    template: {
      metadata: { name: '{{ $_ := set . "n" (printf "%s-x" .n) }}{{ .n }}' },
      spec: { project: "default", destination: { server: "https://a" } },
    },
  };
  const runs = new Runs();
  runs.run({ spec, clusters });
  assert.equal(runs.run({ spec, clusters }).renders, 2);
});
