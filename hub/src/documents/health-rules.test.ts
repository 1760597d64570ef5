import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkHealthRules, healthAnnotation } from "./health-rules.ts";
import { parseDocuments } from "./parse.ts";

const project = (rules: string) => `apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata:
  name: team
  annotations:
    ${healthAnnotation}: |
${rules.replace(/^/gm, "      ")}
spec:
  destinations: [{namespace: "*", server: "*"}]
`;

function faultsOf(rules: string): readonly string[] {
  const { faults, documents } = parseDocuments(project(rules), { owner: "", file: "p.yaml", revision: "" });
  assert.equal(documents.length, faults.length === 0 ? 1 : 0);
  return faults.map((fault) => `${fault.where?.file}:${fault.where?.line}: ${fault.message} | ${fault.next}`);
}

describe("health rules of a project", () => {
  it("are read from its annotation", () => {
    const text =
      "- apiVersion: example.com/v1\n  kind: Widget\n  current: status.ok\n- group: ''\n  kind: ConfigMap\n  current: true\n";
    const rules = checkHealthRules({ annotations: { [healthAnnotation]: text } });
    assert.deepEqual(
      rules.map(({ group, kind, current, failed }) => [group, kind, current, failed]),
      [
        ["example.com", "Widget", "status.ok", ""],
        ["", "ConfigMap", "true", ""],
      ],
    );
    assert.deepEqual(faultsOf("- kind: Widget\n  current: status.ok"), []);
    assert.deepEqual(checkHealthRules({ annotations: {} }), []);
  });

  it("are refused when the project is applied, with place and cure, all at once", () => {
    const rules = "- kind: Widget\n  current: status.ok\n  failed: status.phase ==\n- kind: Gadget";
    const [fault = ""] = faultsOf(rules);
    assert.match(fault, /^p.yaml:6: capstan.dev\/health: /);
    assert.match(fault, /rule 1 \(line 3 of it\), failed, column 16: .* rule 2 \(line 4 of it\), kind: .*no `current`/);
    assert.match(fault, /\| .+/);
  });

  it("are refused where they are no rules", () => {
    assert.match(faultsOf("current: x")[0] ?? "", /expected a list of rules/);
    assert.match(faultsOf("- 3")[0] ?? "", /rule 1: expected a map/);
    assert.match(
      faultsOf("- kind: A\n  curent: x")[0] ?? "",
      /rule 1: curent is no field of a rule.*\| It has .*current/,
    );
    assert.match(faultsOf("- kind: [A]\n  current: x")[0] ?? "", /kind must be a text/);
    assert.match(faultsOf("- kind: 'A")[0] ?? "", /bad|YAML/i);
    assert.match(faultsOf(`- kind: A\n  current: "${"x".repeat(17_000)}"`)[0] ?? "", /16384 characters/);
  });
});
