import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault } from "@capstan/proto";
import { applicationSetShape } from "../documents/application-set-shape.ts";
import { decode } from "../documents/decode.ts";
import type { ApplicationSetSpec, JsonObject } from "../documents/model.ts";
import { type Listing, type ListingQuery, type ListingState, listingKey } from "../listings/model.ts";
import { TemplateEngine } from "../template/engine.ts";
import { readYaml } from "../yaml/read.ts";
import { generate } from "./generate.ts";
import type { GenerateInput, GenerateResult } from "./model.ts";
import { slugOf } from "./slug.ts";

const engine = new TemplateEngine();
const asOf = Date.UTC(2026, 10, 21, 12);

interface Given {
  /** By kind of query; a function may look at it. */
  readonly answers?: Partial<Record<ListingQuery["kind"], ListingState | ((query: ListingQuery) => ListingState)>>;
  readonly configMaps?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly compat?: GenerateInput["compat"];
  readonly clusters?: readonly string[];
}

/** Generates a set whose template is one name and annotations. */
function run(
  spec: string,
  name: string,
  given: Given = {},
): GenerateResult & { readonly names: string[]; readonly asked: ListingQuery[] } {
  const text = `metadata: { name: team, namespace: argocd }\nspec:\n${spec.replace(/^/gm, "  ")}
  template:
    metadata: { name: ${JSON.stringify(name)} }
    spec: { project: default, destination: { server: "https://kubernetes.default.svc" } }`;
  const document = decode(applicationSetShape, readYaml(text, { file: "set.yaml" })[0]?.value as JsonObject);
  const metadata = { name: "team", namespace: "argocd", labels: {}, annotations: {}, finalizers: [] };
  const asked = new Map<string, ListingQuery>();
  const result = generate(engine, {
    set: { metadata, spec: document["spec"] as unknown as ApplicationSetSpec },
    clusters: (given.clusters ?? []).map((cluster) => ({
      name: cluster,
      server: `https://${cluster}.example.com`,
      labels: {},
      annotations: {},
    })),
    projects: new Set(["default"]),
    git: { tree: () => undefined },
    listings: {
      get(query) {
        asked.set(listingKey(query), query);
        const answer = given.answers?.[query.kind];
        return typeof answer === "function" ? answer(query) : answer;
      },
    },
    configMap: (configMap) => given.configMaps?.[configMap],
    compat: given.compat ?? "isolate",
    newGitFileGlobbing: false,
  });
  const names = result.applications.map(({ application }) => application.metadata.name);
  return { ...result, names, asked: [...asked.values()] };
}

function good(listing: Listing): ListingState {
  return { listing, asOf };
}

const sha = "0123456789abcdef0123456789abcdef01234567";
const pull = {
  number: "12",
  title: "Fix: the cart",
  branch: "feat/My_Branch&x@y",
  targetBranch: "main",
  headSha: sha,
  labels: ["preview", "blue"],
  author: "mira",
};
const other = { ...pull, number: "13", branch: "élan-ß-ü", targetBranch: "release/1.0", title: "Second", labels: [] };
const pulls = good({ kind: "pullRequests", items: [pull, other] });
const branch = {
  organization: "acme",
  repository: "Shop",
  repositoryId: 1296269,
  url: "git@github.com:acme/Shop.git",
  defaultBranch: "main",
  labels: ["a", "b"],
  branch: "feat/It",
  sha,
};
const repositories = good({ kind: "repositories", items: [branch] });
const github = "{ owner: acme, repo: shop }";
const all = (...names: string[]) => names.map((name) => `{{${name}}}`).join("|");

describe("pullRequest", () => {
  const fields = ["number", "branch_slug", "target_branch_slug", "head_short_sha", "head_short_sha_7", "author"];

  it("gives Argo CD's parameters in both modes", () => {
    const spec = `generators: [{ pullRequest: { github: ${github}, values: { host: "pr-{{number}}" } } }]`;
    const { applications, rejected } = run(spec, all(...fields, "values.host"), { answers: { pullRequests: pulls } });
    assert.equal(applications.length, 0);
    assert.deepEqual(
      rejected.map(({ application }) => application.metadata.name),
      [
        "12|feat-my-branchandxaty|main|01234567|0123456|mira|pr-12",
        "13|elan-ss-u|release-1-0|01234567|0123456|mira|pr-13",
      ],
    );
    const go = `goTemplate: true\ngenerators: [{ pullRequest: { github: ${github} } }]`;
    const dotted = fields.map((field) => `.${field}`);
    const template = `${all(...dotted)}|{{ .labels }}|{{ len .labels }}|{{ .title }}`;
    assert.equal(
      run(go, template, { answers: { pullRequests: pulls } }).rejected[0]?.application.metadata.name,
      "12|feat-my-branchandxaty|main|01234567|0123456|mira|[preview blue]|2|Fix: the cart",
    );
  });

  it("asks with the provider's fields, the set's namespace and period, and filters by itself", () => {
    const filters = `[{ branchMatch: "^feat/", titleMatch: cart }, { targetBranchMatch: "^release/" }]`;
    const spec = `generators: [{ pullRequest: { github: ${github}, requeueAfterSeconds: 60, filters: ${filters} } }]`;
    const result = run(spec, "pr-{{number}}", { answers: { pullRequests: pulls } });
    assert.deepEqual(result.names, ["pr-12", "pr-13"]);
    assert.deepEqual(result.asked, [
      {
        kind: "pullRequests",
        namespace: "argocd",
        everySeconds: 60,
        spec: { github: { owner: "acme", repo: "shop" } },
      },
    ]);
    const none = run(spec.replace("release", "nowhere").replace("cart", "other"), "pr-{{number}}", {
      answers: { pullRequests: pulls },
    });
    assert.deepEqual([none.names, none.complete, none.empty], [[], true, true]);
  });

  it("names a filter that is no regular expression", () => {
    const spec = `generators: [{ pullRequest: { github: ${github}, filters: [{}, { branchMatch: "(" }] } }]`;
    const [fault] = run(spec, "x", { answers: { pullRequests: pulls } }).faults;
    assert.equal(fault?.generator, "generators[0].pullRequest");
    assert.equal(fault?.fault.where.field, "filters[1].branchMatch");
  });

  it("is a need before the first answer", () => {
    const result = run(`generators: [{ pullRequest: { github: ${github} } }]`, "x");
    assert.deepEqual([result.listingNeeds.length, result.complete, result.faults.length], [1, false, 0]);
  });

  it("goes on with the last complete answer, and says so with its moment; strict stops", () => {
    const fault = new Fault("api-unreachable", { message: "https://api.github.com answered 500 to /x." });
    const spec = `generators: [{ pullRequest: { github: ${github} } }, { list: { elements: [{ number: "1" }] } }]`;
    const given: Given = { answers: { pullRequests: { ...pulls, fault } } };
    const result = run(spec, "pr-{{number}}", given);
    assert.deepEqual(result.names, ["pr-12", "pr-13", "pr-1"]);
    assert.equal(result.complete, false);
    const [condition] = result.conditions;
    assert.deepEqual(
      [condition?.type, condition?.status, condition?.reason],
      ["ErrorOccurred", "True", "ApplicationGenerationFromParamsError"],
    );
    assert.match(condition?.message ?? "", /last complete listing, of 2026-11-21T12:00:00\.000Z, stays/);
    assert.match(condition?.message ?? "", /generators\[0\]\.pullRequest/);
    assert.deepEqual(run(spec, "pr-{{number}}", { ...given, compat: "strict" }).names, []);
    const never = run(spec, "pr-{{number}}", { answers: { pullRequests: { fault } } });
    assert.deepEqual([never.names, never.complete], [["pr-1"], false]);
  });

  it("takes a repository that is gone as empty only where the set says so", () => {
    const fault = new Fault("repository-not-found", { message: "gone." });
    const spec = `generators: [{ pullRequest: { github: ${github}, continueOnRepoNotFoundError: true } }]`;
    const given = { answers: { pullRequests: { ...pulls, fault } } };
    assert.deepEqual([run(spec, "x", given).complete, run(spec, "x", given).faults.length], [true, 0]);
    assert.equal(run(spec.replace("true", "false"), "pr-{{number}}", given).names.length, 2);
  });

  it("asks for each element of a matrix, with its parameters", () => {
    const spec = `goTemplate: true
generators:
  - matrix:
      generators:
        - scmProvider: { github: { organization: acme } }
        - pullRequest: { github: { owner: "{{ .organization }}", repo: "{{ .repository }}" } }`;
    const result = run(spec, "{{ .repository | lower }}-{{ .number }}", {
      answers: { repositories, pullRequests: pulls },
    });
    assert.deepEqual(result.names, ["shop-12", "shop-13"]);
    assert.deepEqual(result.asked[1]?.spec, { github: { owner: "acme", repo: "Shop" } });
    const broken = run(spec, "x", {
      answers: { repositories, pullRequests: { fault: new Fault("api-auth", { message: "no." }) } },
    });
    assert.equal(broken.faults[0]?.generator, "generators[0].matrix.generators[1].pullRequest");
  });
});

describe("scmProvider", () => {
  it("gives Argo CD's parameters in both modes; a number as id is no text for fasttemplate", () => {
    const spec = `generators: [{ scmProvider: { github: { organization: acme }, cloneProtocol: https } }]`;
    const names = [
      "organization",
      "repository",
      "url",
      "branch",
      "branchNormalized",
      "sha",
      "short_sha",
      "short_sha_7",
      "labels",
    ];
    const given = { answers: { repositories } };
    const expected = `acme|Shop|git@github.com:acme/Shop.git|feat/It|feat-it|${sha}|01234567|0123456|a,b`;
    assert.equal(
      run(spec, all(...names, "repository_id"), given).rejected[0]?.application.metadata.name,
      `${expected}|{{repository_id}}`,
    );
    const go = run(`goTemplate: true\n${spec}`, all(...[...names, "repository_id"].map((name) => `.${name}`)), given);
    assert.equal(go.rejected[0]?.application.metadata.name, `${expected}|1296269`);
    assert.deepEqual(go.asked[0]?.spec, { github: { organization: "acme" }, cloneProtocol: "https" });
    assert.equal(go.asked[0]?.everySeconds, 1800);
  });

  it("is selected by its parameters", () => {
    const spec = `generators: [{ scmProvider: { github: { organization: acme } }, selector: { matchLabels: { repository: Shop } } }]`;
    assert.deepEqual(run(spec, "{{short_sha}}", { answers: { repositories } }).names, ["01234567"]);
    assert.deepEqual(run(spec.replace("Shop", "Other"), "x", { answers: { repositories } }).names, []);
  });
});

describe("plugin", () => {
  const items = [{ name: "one", size: 3, deep: { list: ["x", { y: true }] }, generator: "mine" }];
  const given = { answers: { plugin: good({ kind: "plugin", items }) } };
  const plugin = `{ plugin: { configMapRef: { name: p }, input: { parameters: { region: eu } }, values: { v: "V" } } }`;

  it("gives the answer, flat in fasttemplate mode, with its input and values", () => {
    const go = run(
      `goTemplate: true\ngenerators: [${plugin}]`,
      "{{ .name }}-{{ .size }}-{{ (index .deep.list 1).y }}-{{ .generator.input.parameters.region }}-{{ .values.v | lower }}",
      given,
    );
    assert.deepEqual(go.names, ["one-3-true-eu-v"]);
    assert.deepEqual(go.asked[0], {
      kind: "plugin",
      namespace: "argocd",
      set: "team",
      everySeconds: 1800,
      spec: { configMapRef: { name: "p" }, input: { parameters: { region: "eu" } } },
    });
    const flat = run(
      `generators: [${plugin}]`,
      all("name", "size", "deep.list.0", "deep.list.1.y", "generator"),
      given,
    );
    assert.equal(flat.rejected[0]?.application.metadata.name, "one|3|x|true|{{generator}}");
  });
});

describe("clusterDecisionResource", () => {
  const resource = (name: string, clusters: string, labels = "{}") => `
apiVersion: cluster.open-cluster-management.io/v1beta1
kind: PlacementDecision
metadata: { name: ${name}, labels: ${labels} }
status: { decisions: ${clusters} }
---`;
  const configMaps = {
    ocm: {
      apiVersion: "cluster.open-cluster-management.io/v1beta1",
      kind: "placementdecisions",
      statusListKey: "decisions",
      matchKey: "clusterName",
      resources: `${resource("one", '[{ clusterName: eu, reason: "near" }, { clusterName: unknown }, { reason: "" }]', "{ tier: gold }")}${resource("two", "[{ clusterName: us }]")}`,
    },
  };
  const clusters = ["eu", "us"];
  const spec = (more: string) =>
    `generators: [{ clusterDecisionResource: { configMapRef: ocm, values: { v: "{{name}}" }, ${more} } }]`;

  it("gives the known clusters of the resource that is named or selected; values stay as they are", () => {
    const byName = run(spec("name: one"), "{{name}}|{{server}}|{{clusterName}}|{{reason}}|{{values.v}}", {
      configMaps,
      clusters,
    });
    assert.equal(byName.rejected[0]?.application.metadata.name, "eu|https://eu.example.com|eu|near|{{name}}");
    assert.equal(byName.rejected.length, 1);
    const chosen = (more: string) => run(spec(more), "{{name}}", { configMaps, clusters }).names;
    assert.deepEqual(chosen("labelSelector: { matchLabels: { tier: gold } }"), ["eu"]);
    assert.deepEqual(chosen("labelSelector: { matchExpressions: [{ key: tier, operator: DoesNotExist }] }"), ["us"]);
  });

  it("names what is wrong with it", () => {
    const message = (more: string, data: Given["configMaps"] = configMaps) =>
      run(spec(more), "x", { configMaps: data, clusters }).faults.map(({ fault }) => fault.message)[0] ?? "";
    assert.match(message("name: none"), /holds no resource/);
    assert.match(message("requeueAfterSeconds: 5"), /either name or labelSelector/);
    assert.match(message("name: one, labelSelector: { matchLabels: { a: b } }"), /either name or labelSelector/);
    assert.match(message("name: one", {}), /no ConfigMap argocd\/ocm/);
    assert.match(message("name: one", { ocm: { ...configMaps.ocm, matchKey: "" } }), /needs .*matchKey/);
    assert.match(message("name: one", { ocm: { ...configMaps.ocm, statusListKey: "x" } }), /status\.x .*no list/);
    assert.match(message("name: one", { ocm: { ...configMaps.ocm, resources: "a: [" } }), /a: \[|flow|expected/i);
    const odd = {
      ocm: { ...configMaps.ocm, resources: resource("one", "[{ clusterName: eu, size: 3 }, { clusterName: us }]") },
    };
    const result = run(spec("name: one"), "{{name}}", { configMaps: odd, clusters });
    assert.deepEqual([result.names, result.faults[0]?.element], [["us"], { clusterName: "eu", size: 3 }]);
  });
});

describe("branch_slug", () => {
  for (const [text, slug] of [
    ["feat/My_Branch&x@y", "feat-my-branchandxaty"],
    ["élan-ß-ü", "elan-ss-u"],
    [`${"a".repeat(30)}-${"b".repeat(30)}`, "a".repeat(30)],
    ["x".repeat(80), "x".repeat(50)],
    ["it's “so”", "its-so"],
    ["--_a__b_--", "a-b"],
    ["", ""],
  ] as const) {
    it(JSON.stringify(text.slice(0, 40)), () => assert.equal(slugOf(text), slug));
  }
});
