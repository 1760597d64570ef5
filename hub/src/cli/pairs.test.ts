import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import type { HealthStatus } from "@capstan/proto/verdict";
import { parse } from "yaml";
import { failsOf, outcomesOf } from "./verdicts.ts";

const folder = new URL("../../../proto/src/health/testdata/", import.meta.url);
const texts = await Promise.all(
  (await readdir(folder)).map(async (name) => ({ name, content: await readFile(new URL(name, folder), "utf8") })),
);

interface Pair {
  readonly expect: HealthStatus;
  readonly object: { readonly apiVersion: string; readonly kind: string };
}

const pairs = texts.flatMap(({ content }) =>
  content
    .split(/^---$/m)
    .slice(1)
    .map((part) => parse(part) as Pair),
);

describe("pairs of object and verdict", () => {
  for (const outcome of outcomesOf(texts)) it(outcome.title, () => assert.equal(failsOf(outcome), ""));

  it("are all read", () => assert.equal(outcomesOf(texts).length, pairs.length));

  it("show each kind at least healthy and otherwise", () => {
    const seen = new Map<string, Set<HealthStatus>>();
    for (const { expect, object } of pairs) {
      const name = `${object.apiVersion.replace(/\/.*/, "")}/${object.kind}`;
      seen.set(name, (seen.get(name) ?? new Set()).add(expect));
    }
    const alone = new Set(["aws.upbound.io/ProviderConfig"]);
    const thin = [...seen].filter(([name, told]) => !alone.has(name) && (!told.has("Healthy") || told.size < 2));
    assert.deepEqual(thin, []);
    assert.ok(seen.size >= 90, `${seen.size} kinds`);
  });
});
