import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { problemsOf, ruleLimits, type UserRule, UserRules } from "./expressions.ts";
import type { Manifest } from "./model.ts";

function rule(more: Partial<UserRule> = {}): UserRule {
  const empty = { suspended: "", inProgress: "", failed: "", message: "" };
  return { group: "example.com", kind: "Widget", current: "status.phase == 'Ready'", ...empty, ...more };
}

function widget(status?: object, more: object = {}): Manifest {
  const metadata = { name: "w", generation: 2 };
  return {
    apiVersion: "example.com/v1",
    kind: "Widget",
    metadata,
    ...(status === undefined ? {} : { status }),
    ...more,
  };
}

function read(one: UserRule, object: Manifest): string {
  const health = new UserRules([one]).read(object);
  return health === undefined ? "no rule" : `${health.status}: ${health.message}`;
}

describe("a project's rule in CEL", () => {
  it("asks suspended, inProgress, failed, current in turn, and else waits", () => {
    const all = rule({
      suspended: "has(spec.paused) && spec.paused",
      inProgress: "status.phase == 'Working'",
      failed: "status.phase in ['Broken', 'Lost']",
      message: "'phase ' + status.phase",
    });
    assert.equal(read(all, widget({ phase: "Ready" })), "Healthy: phase Ready");
    assert.equal(read(all, widget({ phase: "Working" })), "Progressing: phase Working");
    assert.equal(read(all, widget({ phase: "Lost" })), "Degraded: phase Lost");
    assert.equal(read(all, widget({ phase: "Ready" }, { spec: { paused: true } })), "Suspended: phase Ready");
    assert.equal(read(all, widget({ phase: "Odd" })), "Progressing: phase Odd");
  });

  it("waits, and says for what, where the status lacks what it reads", () => {
    assert.equal(read(rule(), widget()), "Progressing: current: No such key: phase");
  });

  it("never passes a generation that the controller has not seen, nor an object that goes", () => {
    assert.match(
      read(rule(), widget({ phase: "Ready", observedGeneration: 1 })),
      /^Progressing: waiting for the controller/,
    );
    const going = { ...widget({ phase: "Ready" }), metadata: { name: "w", deletionTimestamp: "2026-01-01T00:00:00Z" } };
    assert.equal(read(rule(), going), "Progressing: being deleted");
  });

  it("counts with whole numbers, reads conditions, and takes optional fields", () => {
    const current =
      "status.ready + 1 > spec.wanted && status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')";
    const object = widget({ ready: 3, conditions: [{ type: "Ready", status: "True" }] }, { spec: { wanted: 3 } });
    assert.equal(read(rule({ current }), object), "Healthy: ");
    assert.equal(read(rule({ current: "status.?phase.orValue('Ready') == 'Ready'" }), widget({})), "Healthy: ");
  });

  it("is for its kind, or for each of a group", () => {
    assert.equal(read(rule({ kind: "Gadget" }), widget()), "no rule");
    assert.equal(read(rule({ kind: "*" }), widget({ phase: "Ready" })), "Healthy: ");
    const both = new UserRules([rule({ kind: "*", current: "true" }), rule({ current: "false" })]);
    assert.equal(both.read(widget())?.status, "Progressing");
  });

  it("matches in linear time", () => {
    const evil = rule({ current: "(status.text).matches('^(a+)+$') || status.text . matches ('^b')" });
    const started = process.hrtime.bigint();
    assert.equal(read(evil, widget({ text: `${"a".repeat(5000)}!` })), "Progressing: ");
    assert.equal(read(evil, widget({ text: "bc" })), "Healthy: ");
    assert.ok(Number(process.hrtime.bigint() - started) / 1e9 < 20);
    assert.equal(read(rule({ current: "status.text == '.matches('" }), widget({ text: ".matches(" })), "Healthy: ");
  });

  it("does not judge an object that would take too long", () => {
    const nested = rule({ current: "status.list.all(a, status.list.exists(b, a == b))" });
    const list = Array.from({ length: 400 }, (_, at) => at);
    assert.match(read(nested, widget({ list })), /^Unknown: .*160000 steps/);
    assert.equal(read(nested, widget({ list: list.slice(0, 50) })), "Healthy: ");
  });
});

describe("rules that are wrong", () => {
  const problem = (more: Partial<UserRule>) => {
    const [found] = problemsOf([rule(more)]);
    return found === undefined ? "fine" : `${found.field}:${found.column}: ${found.message}`;
  };

  it("are told with field, column and cure", () => {
    assert.equal(problem({}), "fine");
    assert.match(problem({ current: "status.phase ==" }), /^current:16: /);
    assert.match(problem({ failed: "stats.phase == 'x'" }), /^failed:1: .*stats/);
    assert.match(problem({ current: "'text'" }), /^current:0: expected a bool, the expression gives string/);
    assert.match(problem({ message: "1 == 1" }), /^message:0: expected a string/);
    assert.match(problem({ current: "" }), /no `current`/);
    assert.match(problem({ kind: "" }), /names no kind/);
    for (const found of problemsOf([rule({ current: "1 +" })])) assert.notEqual(found.next, "");
  });

  it("are bounded: length, size, nesting, number", () => {
    assert.match(problem({ current: `'${"x".repeat(2000)}' == 'y'` }), /2000 characters/);
    assert.match(problem({ current: Array.from({ length: 300 }, () => "true").join(" && ") }), /^current:\d+: /);
    const deep = "status.a.all(a, status.b.all(b, status.c.all(c, a == c)))";
    assert.match(problem({ current: deep }), /2 macros may stand inside each other, found 3/);
    assert.match(problem({ current: "status.a.filter(x, x.b).map(x, x.c).all(x, x.d)" }), /^fine$/);
    assert.match(problem({ current: "status.a.split(',').all(x, status.b.split(',').all(y, x == y))" }), /split/);
    const many = Array.from({ length: ruleLimits.rules + 1 }, (_, at) => rule({ kind: `K${at}` }));
    assert.deepEqual(
      problemsOf(many).map(({ rule: at }) => at),
      [ruleLimits.rules],
    );
    assert.match(problemsOf([rule(), rule()])[0]?.message ?? "", /two rules for example.com\/Widget/);
  });

  it("are left out, and leave their neighbours", () => {
    const rules = new UserRules([rule({ kind: "Bad", current: "1 +" }), rule()]);
    assert.equal(rules.read(widget({ phase: "Ready" }))?.status, "Healthy");
    assert.equal(rules.read({ ...widget(), kind: "Bad" }), undefined);
  });
});
