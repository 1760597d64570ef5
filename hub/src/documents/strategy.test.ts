import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Fault } from "@capstan/proto";
import type { JsonObject } from "../yaml/json.ts";
import { parseDocuments } from "./parse.ts";
import { parseStrategySpec } from "./strategy-parse.ts";
import { asFreezeWindow, asRolloutStrategy } from "./views.ts";

const page = readFileSync(`${import.meta.dirname}/../../../docs/concepts/strategies.md`, "utf8");
const origin = { owner: "cli:test", file: "strategies.md", revision: "" };

describe("the page on strategies", () => {
  it("has examples that are read whole, without a warning", () => {
    const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = ""]) => text);
    assert.equal(examples.length, 2);
    for (const text of examples) {
      const { documents, faults, warnings } = parseDocuments(text, origin);
      assert.deepEqual([faults.map(String), warnings], [[], []]);
      for (const one of documents) {
        const read = one.kind === "FreezeWindow" ? asFreezeWindow(one) : asRolloutStrategy(one);
        assert.ok(read.spec);
      }
    }
  });

  it("names every field of the shapes", () => {
    const source = readFileSync(`${import.meta.dirname}/strategy-shape.ts`, "utf8");
    const fields = [...source.matchAll(/^ +(\w+)(?:: (?:string|strings|json|list|pointer|struct|keep))/gm)].map(
      ([, name]) => name,
    );
    assert.ok(fields.length > 30);
    const untold = fields.filter(
      (name) => !["apiVersion", "kind", "metadata", "spec", "key", "operator", "values"].includes(name ?? ""),
    );
    assert.deepEqual(
      untold.filter((name) => !page.includes(`${name}`)),
      [],
    );
  });
});

const stage = (more: JsonObject = {}): JsonObject => ({ stages: [{ name: "all", ...more }] });
const gate = (kind: string, body: JsonObject): JsonObject => stage({ before: [{ [kind]: body }] });

describe("a strategy that cannot be so", () => {
  const cases: readonly (readonly [string, JsonObject, RegExp])[] = [
    ["no stage", {}, /spec.stages: expected at least one stage, found none/],
    ["51 stages", { stages: Array.from({ length: 51 }, (_, n) => ({ name: `s${n}` })) }, /at most 50 stages, found 51/],
    ["one name twice", { stages: [{ name: "a" }, { name: "a" }] }, /each name once, found "a" twice/],
    [
      "a share over 100 %",
      stage({ maxFailures: "130%" }),
      /spec.stages\[0\].maxFailures: expected a number of clusters or a share from 0% to 100%, found "130%"/,
    ],
    [
      "a limit of nothing",
      stage({ maxConcurrency: 0 }),
      /maxConcurrency: expected at least 1 or 1%: with 0 nothing would ever move/,
    ],
    ["a limit of nothing percent", stage({ maxUnavailable: "0%" }), /maxUnavailable: expected at least 1/],
    ["an empty canary", stage({ canary: 0 }), /canary: expected at least 1 cluster or a share above 0%, found 0/],
    [
      "contradictory budgets",
      stage({ minSuccess: "95%", maxFailures: "20%" }),
      /minSuccess 95% and maxFailures 20% contradict each other/,
    ],
    [
      "groups and parts",
      stage({ groups: [{ name: "eu" }], autoPartition: { size: 2 } }),
      /expected groups or autoPartition, found both/,
    ],
    ["an order by no label", stage({ order: { by: "label" } }), /order.label: expected the name of a label/],
    ["an unknown order", stage({ order: { by: "weather" } }), /expected one of name, hash, label; found "weather"/],
    [
      "a duration without a unit",
      stage({ soak: "90" }),
      /soak: expected a duration such as 30s, 10m or 24h; found "90"/,
    ],
    [
      "In without values",
      stage({ select: { matchExpressions: [{ key: "env", operator: "In" }] } }),
      /expected values for In, found none/,
    ],
    [
      "an unknown policy",
      { ...stage(), onFailure: "explode" },
      /expected one of pause, abort, rollback, continue; found "explode"/,
    ],
    ["no rate", { ...stage(), rateLimit: { per: { label: "site" } } }, /expected label and perMinute/],
    [
      "a gate of no kind",
      stage({ before: [{ name: "x" }] }),
      /expected one of approval, wait, schedule, metric, webhook, notify; found none/,
    ],
    ["a gate of two kinds", stage({ before: [{ wait: { for: "1h" }, approval: {} }] }), /found approval and wait/],
    ["a quorum of nobody", gate("approval", { quorum: 0 }), /quorum: expected a whole number of at least 1, found 0/],
    ["a wait without an end", gate("wait", {}), /wait.for: expected a duration, found nothing/],
    ["a schedule of nothing", gate("schedule", {}), /expected a time \(at\) or a window \(cron and duration\)/],
    ["a time that is none", gate("schedule", { at: "soon" }), /expected a time with its zone, found "soon"/],
    [
      "a schedule that nobody can read",
      gate("schedule", { cron: "61 * * * *", duration: "1h" }),
      /cron: .*its minute is "61"/,
    ],
    [
      "a zone that is none",
      gate("schedule", { cron: "0 9 * * *", duration: "1h", timeZone: "Mars" }),
      /expected an IANA time zone, found "Mars"/,
    ],
    [
      "a metric without a comparison",
      gate("metric", { url: "http://p", query: "up" }),
      /expected a comparison such as "< 0.01", found ""/,
    ],
    ["a URL that is none", gate("webhook", { url: "example" }), /expected an http or https URL, found "example"/],
    ["a URL with a password", gate("webhook", { url: "https://a:b@example.com" }), /expected a URL without a password/],
    [
      "a callback from anybody",
      gate("webhook", { url: "https://example.com", callback: true }),
      /expected a secret by which the caller is known/,
    ],
  ];
  for (const [name, spec, message] of cases) {
    it(`${name} is told in one sentence, with what to write`, () => {
      assert.throws(
        () => parseStrategySpec(spec),
        (thrown) =>
          thrown instanceof Fault &&
          thrown.code === "bad-input" &&
          message.test(thrown.message) &&
          !thrown.message.includes("\n"),
      );
    });
  }

  it("stops none of its neighbours", () => {
    const text =
      "apiVersion: capstan.dev/v1\nkind: RolloutStrategy\nmetadata: {name: bad}\nspec: {stages: []}\n---\n" +
      "apiVersion: capstan.dev/v1\nkind: FreezeWindow\nmetadata: {name: worse}\nspec: {schedule: often, duration: 1h}\n---\n" +
      "apiVersion: capstan.dev/v1\nkind: RolloutStrategy\nmetadata: {name: good}\nspec: {stages: [{name: all}]}\n";
    const { documents, faults } = parseDocuments(text, origin);
    assert.deepEqual(
      documents.map(({ metadata }) => metadata.name),
      ["good"],
    );
    assert.equal(faults.length, 2);
    assert.match(faults[1]?.message ?? "", /spec.schedule: .*it has 1 fields, not 5/);
  });
});
