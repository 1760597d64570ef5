import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseClusterId } from "@capstan/proto";
import fc from "fast-check";
import { parse, parseAllDocuments } from "yaml";
import { clockText, span } from "./age.ts";
import { wrapped } from "./look.ts";
import { manifestItems, manifestYaml } from "./manifest.ts";
import { beyondState, parseChanges, parsePairs } from "./names.ts";
import { type Column, table } from "./table.ts";
import { look, now } from "./testing/fleet.ts";

describe("lengths of time", () => {
  it("have at most two units", () => {
    const texts = [0, 59_999, 60_000, 3_599_000, 7_860_000, 7_200_000, 273_600_000, -5].map(span);
    assert.deepEqual(texts, ["0 s", "59 s", "1 min", "59 min", "2 h 11 min", "2 h", "3 d 4 h", "0 s"]);
  });

  it("name the day where it was another one, in local time", () => {
    assert.equal(clockText(now - 60_000, now, 0), "14:09:00");
    assert.equal(clockText(now, now, 120), "16:10:00");
    assert.equal(clockText(now - 86_400_000, now, 0), "2026-11-20 14:10:00");
  });
});

describe("a table", () => {
  const columns: readonly Column<readonly string[]>[] = [
    { head: "A", cell: (row) => row[0] ?? "" },
    { head: "B", cell: (row) => row[1] ?? "", gives: true },
    { head: "C", cell: (row) => row[2] ?? "", gives: true },
    { head: "D", cell: (row) => row[3] ?? "", wide: true },
  ];

  it("fits 100 columns whatever is in the columns that give way, and cuts nothing with -o wide", () => {
    const word = fc.string({ maxLength: 300 });
    const rows = fc.array(fc.tuple(fc.string({ maxLength: 40 }), word, word, word), { minLength: 1 });
    fc.assert(
      fc.property(rows, (all) => {
        for (const line of table(columns, all, look)) assert.ok(line.length <= 100, line);
        const widths = table(columns, all, { ...look, wide: true }).map((line) => line.length);
        assert.ok(Math.max(...widths) >= Math.max(...all.map((row) => (row[3] ?? "").trimEnd().length)) - 2);
      }),
    );
  });

  it("wraps words, and loses none", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{1,20}$/)), fc.integer({ min: 20, max: 80 }), (words, width) => {
        const lines = wrapped(words.join(" "), width);
        assert.equal(lines.join(" "), words.join(" "));
        for (const line of lines) assert.ok(line.length <= width);
      }),
    );
  });
});

describe("words", () => {
  it("set and remove labels as kubectl's do", () => {
    assert.deepEqual(parseChanges(["env=prod", "canary-", "a=b=c"]), { env: "prod", canary: "", a: "b=c" });
    assert.throws(() => parsePairs(["env"]), { code: "bad-input" });
  });

  it("say a state once", () => {
    assert.equal(beyondState('web "x" is paused: canary failed', "Paused"), "canary failed");
    assert.equal(beyondState("canary failed", "Paused"), "canary failed");
  });
});

describe("the manifest of an agent", () => {
  const installation = {
    cluster: parseClusterId("eu-1"),
    hubs: ["a:1", "b:2"],
    token: "capstan-join.x",
    image: "img:1",
    proxy: undefined,
  };

  it("is the same for kubectl and for cluster join, in the order in which it must be applied", () => {
    const documents = parseAllDocuments(manifestYaml(installation)).map((each) => each.toJS() as unknown);
    assert.deepEqual(
      documents,
      manifestItems(installation).map(({ object }) => object),
    );
    const titles = manifestItems(installation).map(({ title }) => title);
    assert.equal(titles[0], "Namespace capstan-system");
    assert.equal(titles.at(-1), "Deployment capstan-agent");
  });

  it("gives the agent its join files, and no write but to its own Secrets and as other accounts", () => {
    const objects = manifestItems(installation).map(
      ({ object }) => object as { kind: string; data?: object; rules?: { verbs: string[] }[] },
    );
    const { data } = objects.find(({ kind }) => kind === "Secret") ?? {};
    const decoded = Object.entries(data ?? {}).map(([key, text]) => [
      key,
      Buffer.from(String(text), "base64").toString(),
    ]);
    assert.deepEqual(Object.fromEntries(decoded), { cluster: "eu-1", hub: "a:1,b:2", token: "capstan-join.x" });
    const rights = objects.find(({ kind }) => kind === "ClusterRole")?.rules?.flatMap(({ verbs }) => verbs);
    assert.deepEqual([...new Set(rights)].sort(), ["get", "impersonate", "list", "watch"]);
  });

  it("sends only gRPC through a proxy", () => {
    const text = manifestYaml({ ...installation, proxy: "http://proxy:3128" });
    const last = parse(text.split("---\n").at(-1) ?? "") as {
      spec: { template: { spec: { containers: { env: unknown }[] } } };
    };
    assert.deepEqual(last.spec.template.spec.containers[0]?.env, [
      { name: "grpc_proxy", value: "http://proxy:3128" },
      { name: "CAPSTAN_TRANSPORT", value: "grpc" },
    ]);
  });
});
