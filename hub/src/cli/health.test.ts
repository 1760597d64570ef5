import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runProgram } from "./program.ts";
import { fakePorts } from "./testing/ports.ts";

const deployment = (available: number) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, generation: 1}
spec: {replicas: 2}
status: {observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: ${available}}
`;
const lost = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nstatus: {phase: Lost}\n";

async function run(args: string, given: { readonly files?: Record<string, string>; readonly input?: string }) {
  const fake = fakePorts({}, given);
  const code = await runProgram(args.split(" "), fake.ports, new AbortController().signal);
  return { code, out: fake.out(), err: fake.err() };
}

describe("capstan health", () => {
  it("judges every manifest of every file, in their order", async () => {
    const files = { "a.yaml": `${deployment(2)}---\n${lost}`, "b.yaml": deployment(1) };
    const { code, out } = await run("health a.yaml b.yaml -o json", { files });
    const found = JSON.parse(out) as readonly Record<string, unknown>[];
    assert.equal(code, 2);
    assert.deepEqual(
      found.map(({ name, status, file, line }) => [name, status, file, line]),
      [
        ["web", "Healthy", "a.yaml", 1],
        ["data", "Degraded", "a.yaml", 7],
        ["web", "Progressing", "b.yaml", 1],
      ],
    );
    assert.equal(found[2]?.["message"], "1 of 2 updated replicas are available");
    assert.deepEqual([found[2]?.["namespace"], found[2]?.["kind"]], ["shop", "Deployment"]);
  });

  it("ends with 0 when all is well, 3 when something is on its way, 2 when something is wrong", async () => {
    assert.equal((await run("health -", { input: deployment(2) })).code, 0);
    assert.equal((await run("health -", { input: deployment(1) })).code, 3);
    assert.equal((await run("health -", { input: `${deployment(1)}---\n${lost}` })).code, 2);
    assert.match(
      (await run("health -", { input: lost })).out,
      /Degraded +PersistentVolumeClaim\/data +- +its volume is lost/,
    );
  });

  it("takes lists as kubectl prints them, and objects without a name", async () => {
    const items = `apiVersion: v1\nkind: List\nitems:\n  - {apiVersion: v1, kind: ConfigMap}\n  - {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: LoadBalancer}}\n`;
    const { code, out } = await run("health - -o name", { input: items });
    assert.deepEqual([code, out], [3, "ConfigMap/-\nService/s\n"]);
  });

  it("tells of a bad document with its place, and judges its neighbours", async () => {
    const { code, out, err } = await run("health - -o json", {
      input: `${lost}---\n: [\n---\n3\n---\n${deployment(2)}`,
    });
    assert.equal(code, 2);
    assert.equal((JSON.parse(out) as unknown[]).length, 2);
    assert.match(err, /-:7:1: .*bad-yaml/);
    assert.match(err, /-:8: expected an object with apiVersion and kind/);
  });
});

describe("capstan health --rules", () => {
  const project = `apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata:
  name: team
  annotations:
    capstan.dev/health: |
      - apiVersion: e.com/v1
        kind: Widget
        current: status.phase == 'Up'
        failed: status.phase == 'Down'
spec: {}
`;
  const widget = (phase: string) =>
    `apiVersion: e.com/v1\nkind: Widget\nmetadata: {name: w}\nstatus: {phase: ${phase}}\n`;

  it("judges by a project's own rules", async () => {
    const judge = async (phase: string) =>
      (await run("health - --rules p.yaml", { files: { "p.yaml": project }, input: widget(phase) })).code;
    assert.deepEqual([await judge("Up"), await judge("Down"), await judge("Odd")], [0, 2, 3]);
    assert.equal((await run("health -", { input: widget("Down") })).code, 0);
  });

  it("refuses bad rules with their place", async () => {
    const files = { "p.yaml": project.replace("== 'Up'", "==") };
    const { code, err } = await run("health - --rules p.yaml", { files, input: widget("Up") });
    assert.equal(code, 64);
    assert.match(err, /p.yaml:6.*rule 1 \(line 3 of it\), current, column 16/);
  });
});

describe("capstan health test", () => {
  const pair = (expect: string, more = "") =>
    `expect: ${expect}\n${more}object:\n  ${lost.trim().replaceAll("\n", "\n  ")}\n`;

  it("passes where every verdict is as expected", async () => {
    const { code, out } = await run("health test pairs", {
      files: { pairs: `${pair("Degraded")}---\n${pair("Degraded", "message: its volume is lost\n")}` },
    });
    assert.deepEqual([code, out], [0, "2 verdicts, all as expected\n"]);
  });

  it("names each pair that differs, by verdict or by message", async () => {
    const files = { pairs: `${pair("Healthy", "name: lost claim\n")}---\n${pair("Degraded", "message: gone\n")}` };
    const { code, out } = await run("health test pairs", { files });
    assert.equal(code, 2);
    assert.match(out, /pairs:1 lost claim: expected Healthy, found Degraded: its volume is lost/);
    assert.match(out, /pairs:9: expected the message "gone", found "its volume is lost"/);
    assert.match(out, /2 verdicts, 2 not as expected/);
  });

  it("says what a pair is where there is none", async () => {
    const { code, err } = await run("health test pairs", { files: { pairs: lost } });
    assert.equal(code, 64);
    assert.match(err, /expected at least one verdict to compare[\s\S]*docs\/health.md/);
  });
});
