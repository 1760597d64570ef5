import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Manifest } from "./model.ts";
import { readHealth } from "./read.ts";
import { codedKinds, readerOf, ruleTextOf, tableRows } from "./registry.ts";
import { applyRule, clausesOf, parseRule } from "./rule.ts";

function thing(spec: object, status?: object, generation = 2): Manifest {
  const metadata = { name: "x", generation, labels: { "a.b/c": "yes" } };
  return { apiVersion: "e.com/v1", kind: "Thing", metadata, spec, ...(status === undefined ? {} : { status }) };
}

function said(rule: string, object: Manifest): string {
  const { status, message } = applyRule(parseRule(rule), object);
  return message === "" ? status : `${status}: ${message}`;
}

const ready = (status: string, more = {}) => ({ conditions: [{ type: "Ready", status, ...more }] });

describe("a health rule", () => {
  it("takes the first clause that holds, and the condition's own words", () => {
    const rule = `Healthy if Ready=True; Degraded if Ready=False@Bad*,Worse; Progressing "so far: {reason}" if Ready=*`;
    assert.equal(said(rule, thing({}, ready("True", { message: "well" }))), "Healthy: well");
    assert.equal(said(rule, thing({}, ready("False", { reason: "BadLuck" }))), "Degraded: BadLuck");
    assert.equal(said(rule, thing({}, ready("False", { reason: "Busy" }))), "Progressing: so far: Busy");
    assert.equal(said(rule, thing({})), "Progressing: it has not reported its state yet");
  });

  it("never says Healthy of a generation that nobody has seen", () => {
    const old = "Progressing: waiting for the controller to see the newest spec";
    const rule = "Healthy if Ready=True; Degraded if Ready=False";
    assert.equal(said(rule, thing({}, { observedGeneration: 1, ...ready("True") })), old);
    assert.equal(said(rule, thing({}, { observedGeneration: "1", ...ready("True") })), old);
    assert.equal(said(rule, thing({}, ready("True", { observedGeneration: 1 }))), old);
    assert.equal(said(rule, thing({}, { observedGeneration: 1, ...ready("False") })), "Degraded");
  });

  it("reads fields: words, absence, numbers, lists, and keys with dots", () => {
    const holds = (test: string, spec: object, status?: object) =>
      applyRule(parseRule(`Healthy if ${test}; Unknown`), thing(spec, status)).status === "Healthy";
    assert.ok(holds(".status.phase='Two words',B*", {}, { phase: "Two words" }));
    assert.ok(holds(".status.phase='Two words',B*", {}, { phase: "Bound" }));
    assert.ok(!holds(".status.phase", {}));
    assert.ok(holds("!.status.phase & .spec.on=true", { on: true }));
    assert.ok(!holds(".status.message!=''", {}));
    assert.ok(!holds(".status.message!=''", {}, { message: "" }));
    assert.ok(holds(".status.ready|0<.spec.replicas|1", {}));
    assert.ok(!holds(".status.ready|0<.spec.replicas|1", {}, { ready: 1 }));
    assert.ok(!holds(".status.ready<.spec.replicas", {}), "what is absent compares with nothing");
    assert.ok(holds(".status.parts[*].ok=false", {}, { parts: [{ ok: true }, { ok: false }] }));
    assert.ok(holds("#.status.parts=2 & +.status.parts[*].n>=5", {}, { parts: [{ n: 2 }, { n: 3 }] }));
    assert.ok(holds(".metadata.labels['a.b/c']=yes", {}));
    assert.ok(holds("unseen", {}));
    assert.ok(!holds("behind", {}));
  });

  it("reads conditions elsewhere, by any of their fields, and of an older generation", () => {
    const inner = { parents: [{ conditions: [{ type: "Accepted", status: "False", observedGeneration: 1 }] }] };
    assert.equal(said("Degraded if .status.parents[*].conditions:Accepted=False", thing({}, inner)), "Degraded");
    const severe = (severity?: string) => thing({}, ready("False", severity === undefined ? {} : { severity }));
    const rule = "Degraded if Ready=False[severity!=Info]; Progressing";
    assert.equal(said(rule, severe("Info")), "Progressing");
    assert.equal(said(rule, severe("Error")), "Degraded");
    assert.equal(said(rule, severe()), "Degraded");
    assert.equal(
      said('Unknown "old" if stale:Ready=*', thing({}, ready("True", { observedGeneration: 1 }))),
      "Unknown: old",
    );
    assert.equal(
      said("Degraded if Ready=False@!Creating; Progressing", thing({}, ready("False", { reason: "Creating" }))),
      "Progressing",
    );
  });

  it("takes a status without its quotes, as people write YAML by hand", () => {
    const health = applyRule(
      parseRule("Healthy if Ready=True"),
      thing({}, { conditions: [{ type: "Ready", status: true }] }),
    );
    assert.equal(health.status, "Healthy");
  });

  it("is refused with its text where it is none", () => {
    assert.throws(() => parseRule("Fine if Ready=True"), /not a clause.*Fine/);
    assert.throws(() => parseRule("Healthy if what is this"), /not a test.*what is this/);
  });
});

describe("the tables", () => {
  it("parse, and end in a verdict that needs nothing", () => {
    for (const { group, kinds, rule } of tableRows()) {
      const clauses = clausesOf(rule);
      assert.doesNotThrow(() => parseRule(rule), `${group}/${kinds.join(",")}`);
      assert.ok(!clauses.at(-1)?.includes(" if "), `${group}/${kinds.join(",")} has no last word: ${clauses.at(-1)}`);
    }
  });

  it("name each kind once", () => {
    const all = [...tableRows().flatMap(({ group, kinds }) => kinds.map((kind) => `${group}/${kind}`)), ...codedKinds];
    const twice = all.filter((name, at) => all.indexOf(name) !== at);
    assert.deepEqual(twice, []);
  });

  it("find a kind by its name, then by its group, then by a group pattern", () => {
    const rule = (group: string, kind: string) => ruleTextOf({ group, kind });
    assert.notEqual(rule("kyverno.io", "Policy"), rule("kyverno.io", "CleanupPolicy"));
    assert.equal(rule("ec2.aws.m.upbound.io", "VPC"), rule("dns.gcp.upbound.io", "Zone"));
    assert.equal(rule("example.org", "VPC"), undefined);
    assert.equal(rule("io", "VPC"), undefined);
    assert.ok(readerOf({ group: "gateway.networking.k8s.io", kind: "TLSRoute" }) !== undefined);
    assert.equal(readerOf({ group: "gateway.networking.k8s.io", kind: "GatewayClass" }), undefined);
  });

  it("never throw, whatever stands in an object", () => {
    const rows = tableRows().flatMap(({ group, kinds }) =>
      kinds.map((kind) => ({ apiVersion: `${group.replace("*", "a")}/v1`, kind: kind === "*" ? "Any" : kind })),
    );
    const coded = codedKinds.map((name) => {
      const [group = "", kind = ""] = name.split("/");
      return { apiVersion: group === "" ? "v1" : `${group}/v1`, kind: kind.replace("*", "Any") };
    });
    const anything = fc.oneof(
      fc.jsonValue({ maxDepth: 4 }),
      fc.record({
        conditions: fc.array(
          fc.oneof(fc.jsonValue(), fc.record({ type: fc.constant("Ready"), status: fc.jsonValue() })),
        ),
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...rows, ...coded), anything, anything, (kind, spec, status) => {
        const health = readHealth({ ...kind, metadata: { name: "x", generation: 3 }, spec, status });
        assert.equal(typeof health.message, "string");
      }),
      { numRuns: 3000 },
    );
  });
});
