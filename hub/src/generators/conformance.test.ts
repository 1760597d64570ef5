import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Fault } from "@capstan/proto";
import { applicationSetShape } from "../documents/application-set-shape.ts";
import { decode, ShapeError } from "../documents/decode.ts";
import type { ApplicationSetSpec, Json, JsonObject } from "../documents/model.ts";
import { TemplateEngine } from "../template/engine.ts";
import { generate } from "./generate.ts";
import type { ClusterParams, GeneratedApplication, GenerateInput, GenerateResult, GitSnapshot } from "./model.ts";

interface Case {
  readonly id: string;
  readonly topic: string;
  readonly applicationSet: JsonObject;
  readonly clusters: readonly ClusterParams[];
  readonly projects: readonly string[];
  readonly repos: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>;
  readonly flags: { readonly newGitFileGlobbing: boolean };
  readonly expect: {
    readonly applications: readonly JsonObject[];
    readonly error: null | { readonly class: string; readonly text: string };
    readonly partialApplications?: readonly JsonObject[];
    readonly invalid?: Readonly<Record<string, string>>;
  };
}

function snapshotOf(repos: Case["repos"]): GitSnapshot {
  return {
    tree(repoURL, revision) {
      const files = repos[repoURL]?.[revision];
      const common = { commit: revision, complete: true };
      if (files === undefined) {
        const fault = new Fault("revision-not-found", { message: "no such repository or revision." });
        return { ...common, paths: () => [], text: () => undefined, fault };
      }
      return { ...common, paths: () => Object.keys(files), text: (path) => files[path] };
    },
  };
}

function inputOf(one: Case, compat: GenerateInput["compat"]): GenerateInput {
  const set = decode(applicationSetShape, one.applicationSet);
  const metadata = {
    name: "",
    namespace: "",
    labels: {},
    annotations: {},
    finalizers: [],
    ...(set["metadata"] as object),
  };
  return {
    set: { metadata, spec: set["spec"] as unknown as ApplicationSetSpec },
    clusters: one.clusters,
    projects: new Set(one.projects),
    git: snapshotOf(one.repos),
    compat,
    newGitFileGlobbing: one.flags.newGitFileGlobbing,
  };
}

/** Empty parts of metadata vanish, all numbers are doubles. */
function comparable(application: { readonly metadata?: unknown; readonly spec?: unknown }): Json {
  const metadata = Object.entries((application.metadata ?? {}) as JsonObject).filter(
    ([, value]) => value !== "" && !(typeof value === "object" && value !== null && Object.keys(value).length === 0),
  );
  return JSON.parse(
    JSON.stringify({ metadata: Object.fromEntries(metadata), spec: application.spec }, (_, value) =>
      typeof value === "bigint" ? Number(value) : value,
    ),
  );
}

function sorted(applications: readonly { readonly metadata?: unknown; readonly spec?: unknown }[]): readonly Json[] {
  return applications
    .map(comparable)
    .sort((left, right) => (JSON.stringify(keysSorted(left)) < JSON.stringify(keysSorted(right)) ? -1 : 1));
}

function keysSorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(keysSorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, item]) => [key, keysSorted(item)]),
  );
}

function all(result: GenerateResult): readonly GeneratedApplication["application"][] {
  return [...result.applications, ...result.rejected].map(({ application }) => application);
}

const engine = new TemplateEngine({ now: () => 0 });
const classes: Readonly<Record<string, readonly string[]>> = {
  generator: ["generator"],
  render: ["render"],
  panic: ["panic", "generator", "render"],
};

const lines = readFileSync(new URL("testdata/appset.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n");
for (const line of lines) {
  const one: Case = JSON.parse(line);
  const { expect } = one;
  test(`${one.topic}: ${one.id}`, () => {
    if (expect.error?.class === "decode") {
      assert.throws(() => inputOf(one, "strict"), ShapeError);
      return;
    }
    const strict = generate(engine, inputOf(one, "strict"));
    assert.deepEqual(strict.needs, []);
    const stopping = strict.faults.filter(({ fault }) => fault.code !== "unknown-generator");
    if (expect.error === null) {
      assert.deepEqual(
        stopping.map(({ fault }) => fault.message),
        [],
      );
      assert.deepEqual(sorted(all(strict)), sorted(expect.applications));
      const invalid = Object.fromEntries(
        strict.rejected
          .filter(({ rejection }) => rejection !== "name-invalid")
          .map(({ application, rejection }) => [application.metadata.name, rejection]),
      );
      assert.deepEqual(invalid, expect.invalid ?? {});
      return;
    }
    assert(
      classes[expect.error.class]?.includes(stopping[0]?.step ?? "none"),
      `${stopping[0]?.step}: ${stopping[0]?.fault.message} — ${expect.error.text}`,
    );
    assert.deepEqual([strict.applications, strict.complete], [[], false]);
    // The isolating mode keeps at least what Argo CD had rendered.
    const isolated = new Set(
      all(generate(engine, inputOf(one, "isolate"))).map((application) =>
        JSON.stringify(keysSorted(comparable(application))),
      ),
    );
    for (const partial of expect.partialApplications ?? [])
      assert(isolated.has(JSON.stringify(keysSorted(comparable(partial)))), JSON.stringify(partial));
  });
}
