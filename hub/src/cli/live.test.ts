import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AnswerSchema } from "@capstan/proto/agent";
import { type AskAgentRequest, AskAgentResponseSchema } from "@capstan/proto/application";
import { runProgram } from "./program.ts";
import { type FakeHub, fakePorts } from "./testing/ports.ts";

/** Runs a verb against an agent that answers with these parts, or with a problem. */
async function run(args: readonly string[], parts: readonly (string | Uint8Array)[], problem?: object) {
  const asked: AskAgentRequest[] = [];
  async function* askAgent(request: AskAgentRequest) {
    asked.push(request);
    for (const part of parts) {
      const body = typeof part === "string" ? new TextEncoder().encode(part) : part;
      yield create(AskAgentResponseSchema, { answer: create(AnswerSchema, { body, more: true }) });
    }
    const last = problem === undefined ? {} : { problem };
    yield create(AskAgentResponseSchema, { answer: create(AnswerSchema, last) });
  }
  const fake = fakePorts({ applications: { askAgent } } as unknown as FakeHub, {});
  const code = await runProgram([...args], fake.ports, new AbortController().signal);
  return { code, out: fake.out(), err: fake.err(), ask: asked[0]?.question };
}

const nodes = [
  { object: "apps/Deployment/shop/web", health: "Degraded", message: "1 of 2 pods cannot pull image x: not found" },
  {
    object: "apps/ReplicaSet/shop/web-7d",
    parent: "apps/Deployment/shop/web",
    health: "Progressing",
    info: "1/2 ready",
  },
  { object: "/Pod/shop/web-7d-1", parent: "apps/ReplicaSet/shop/web-7d", health: "Healthy", info: "1/1 ready" },
  { object: "/Pod/shop/web-7d-2", parent: "apps/ReplicaSet/shop/web-7d", health: "Degraded", message: "cannot pull" },
  { object: "/Service/shop/web", health: "Healthy" },
];

describe("tree", () => {
  it("draws who owns what, in at most 100 columns", async () => {
    const { code, out } = await run(["tree", "web"], [JSON.stringify({ nodes, more: true })]);
    assert.equal(code, 0);
    const lines = out.split("\n");
    assert.deepEqual(
      lines.slice(1, 6).map((line) => line.trimEnd()),
      [
        "Deployment shop/web   Degraded     1 of 2 pods cannot pull image x: not found",
        "└─ ReplicaSet web-7d  Progressing  1/2 ready",
        "   ├─ Pod web-7d-1    Healthy      1/1 ready",
        "   └─ Pod web-7d-2    Degraded     cannot pull",
        "Service shop/web      Healthy",
      ],
    );
    assert.equal(lines[6], "there is more that was not looked at");
    assert.ok(lines.every((line) => line.length <= 100));
  });

  it("gives programs the same facts, also where a part ends within a character", async () => {
    const whole = new TextEncoder().encode(JSON.stringify({ nodes: [{ object: "/Pod/shop/ü" }], more: false }));
    const at = whole.indexOf(0xc3) + 1;
    const { out } = await run(["tree", "web", "-o", "json"], [whole.slice(0, at), whole.slice(at)]);
    assert.deepEqual(JSON.parse(out), { nodes: [{ object: "/Pod/shop/ü" }], more: false });
    const named = await run(["tree", "web", "-o", "name"], [JSON.stringify({ nodes, more: false })]);
    assert.equal(named.out.split("\n")[2], "/Pod/shop/web-7d-1");
  });

  it("ends as the agent's problem asks", async () => {
    const problem = { code: "not-found", message: "target argocd/web is not one of this cluster.", next: "Look." };
    const { code, err } = await run(["tree", "web"], [], problem);
    assert.equal(code, 2);
    assert.match(err, /target argocd\/web is not one of this cluster\. \(not-found\)\n {2}Look\./);
  });
});

const line = (text: string, pod = "web-1") =>
  `${JSON.stringify({ pod, container: "main", at: "2026-01-01T00:00:01Z", line: text })}\n`;

describe("logs", () => {
  it("shows each line with its pod, and asks for what was meant", async () => {
    const args = [
      "logs",
      "web",
      "--pod",
      "web-1",
      "--container",
      "main",
      "--tail",
      "5",
      "--since",
      "10m",
      "--previous",
    ];
    const { code, out, ask } = await run(args, [line("one") + line("two").slice(0, 9), line("two").slice(9)]);
    assert.equal(code, 0);
    assert.equal(out, "web-1 main | one\nweb-1 main | two\n");
    assert.deepEqual(ask?.ask.case === "logs" ? { ...ask.ask.value, $typeName: "", $unknown: undefined } : undefined, {
      $typeName: "",
      $unknown: undefined,
      pod: "web-1",
      container: "main",
      tail: 5,
      previous: true,
      follow: false,
      sinceSeconds: 600,
    });
  });

  it("lets no program's output drive the terminal", async () => {
    const { out } = await run(["logs", "web"], [line("a\u001b[2Jb\rc\td")]);
    assert.equal(out, "web-1 main | a\ufffd[2Jb\ufffdc\td\n");
  });

  it("gives programs a line of JSON each", async () => {
    const { out } = await run(["logs", "web", "-o", "json"], [line("one")]);
    assert.equal(out, line("one"));
  });

  it("tells of what could not be read, and fails then", async () => {
    const problem = `${JSON.stringify({ pod: "web-2", container: "main", problem: "the log is gone." })}\n`;
    const { code, out, err } = await run(["logs", "web", "--timestamps"], [line("one"), problem, '{"left":7}\n']);
    assert.equal(code, 2);
    assert.equal(out, "2026-01-01T00:00:01Z web-1 main | one\n");
    assert.equal(err, "web-2 main: the log is gone.\n7 lines were left out: more than is carried\n");
  });

  it("refuses numbers and durations that are none, before anything is asked", async () => {
    for (const wrong of [
      ["--tail", "many"],
      ["--tail", "20000"],
      ["--since", "soon"],
      ["-o", "yaml"],
    ]) {
      const { code, ask } = await run(["logs", "web", ...wrong], []);
      assert.deepEqual([code, ask], [64, undefined], wrong.join(" "));
    }
  });
});

describe("events", () => {
  it("lists them, and says so where there are none", async () => {
    const event = { at: "2026-01-01T00:00:05.000Z", type: "Warning", reason: "Failed", object: "Pod shop/web-1" };
    const { out } = await run(["events", "web"], [JSON.stringify([{ ...event, message: "not found", count: 7 }])]);
    assert.match(out, /2026-01-01 00:00:05 +Warning +Failed +Pod shop\/web-1 +not found/);
    assert.match((await run(["events", "web"], ["[]"])).out, /no events/);
  });
});
