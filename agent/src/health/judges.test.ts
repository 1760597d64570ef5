import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TargetKey } from "@capstan/proto";
import { type UserRule, UserRules } from "@capstan/proto/rules";
import { Judges } from "./judges.ts";

const [one, two] = ["ns/one" as TargetKey, "ns/two" as TargetKey];
const rule = (current: string, more: Partial<UserRule> = {}): UserRule => ({
  ...{ group: "e.com", kind: "Widget", suspended: "", inProgress: "", failed: "", message: "" },
  ...{ current, ...more },
});
const widget = { apiVersion: "e.com/v1", kind: "Widget", metadata: { name: "w" }, status: { ok: true } };

function judges() {
  let loads = 0;
  const made = new Judges(async (rules) => {
    loads += 1;
    return new UserRules(rules);
  });
  return { made, loads: () => loads };
}

describe("judges", () => {
  it("take a project's rule for its own targets, and what is known of the kind for all else", async () => {
    const { made } = judges();
    assert.deepEqual(await made.set(one, [rule("status.ok == false")]), [rule("status.ok == false")]);
    assert.equal(made.read(one, widget).status, "Progressing");
    assert.equal(made.read(two, widget).status, "Healthy");
    assert.equal(made.read(undefined, widget).status, "Healthy");
    assert.equal(made.read(one, { ...widget, kind: "Other" }).status, "Healthy");
  });

  it("load the language only for a rule, and once for targets of one project", async () => {
    const { made, loads } = judges();
    await made.set(one, []);
    assert.equal(loads(), 0);
    await made.set(one, [rule("true")]);
    await made.set(two, [rule("true")]);
    await made.set(two, [rule("true")]);
    assert.equal(loads(), 1);
  });

  it("tell which kinds must be judged again", async () => {
    const { made } = judges();
    await made.set(one, [rule("true")]);
    assert.deepEqual(await made.set(one, [rule("true")]), []);
    assert.deepEqual(
      (await made.set(one, [rule("true", { kind: "Gadget" })])).map(({ kind }) => kind),
      ["Widget", "Gadget"],
    );
    assert.equal(made.isRuled({ group: "e.com", kind: "Gadget" }), true);
    assert.equal(made.isRuled({ group: "e.com", kind: "Widget" }), false);
    await made.set(two, [rule("true", { kind: "*" })]);
    assert.equal(made.isRuled({ group: "e.com", kind: "Widget" }), true);
    made.drop(two);
    assert.deepEqual(
      (await made.set(one, [])).map(({ kind }) => kind),
      ["Gadget"],
    );
    assert.equal(made.isRuled({ group: "e.com", kind: "Gadget" }), false);
  });
});
