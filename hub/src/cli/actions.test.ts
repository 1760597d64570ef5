import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type ActOnTargetRequest, ActOnTargetResponseSchema } from "@capstan/proto/application";
import { runProgram } from "./program.ts";
import { type FakeHub, fakePorts } from "./testing/ports.ts";

async function run(args: string, done = true) {
  const asked: ActOnTargetRequest[] = [];
  const actOnTarget = async (request: ActOnTargetRequest) => {
    asked.push(request);
    const message = done ? "restart Deployment shop/web" : "";
    return create(ActOnTargetResponseSchema, { target: "argocd/web on a", done, message });
  };
  const fake = fakePorts({ applications: { actOnTarget } } as unknown as FakeHub, {});
  const code = await runProgram(args.split(" "), fake.ports, new AbortController().signal);
  return { code, out: fake.out(), err: fake.err(), asked };
}

describe("action", () => {
  it("asks first, and refuses where nobody can be asked", async () => {
    const { code, err, asked } = await run("action restart web Deployment/web -c a");
    assert.deepEqual([code, asked.length], [64, 0]);
    assert.match(err, /restart Deployment\/web of web on a\n.*Say -y/s);
  });

  it("tells what the agent did", async () => {
    const { code, out, asked } = await run("action restart web Deployment/web -c a -y --reason stuck");
    assert.equal(code, 0);
    assert.match(out, /^argocd\/web on a: restart Deployment shop\/web\n/);
    assert.equal(asked[0]?.action?.object, "Deployment/web");
    assert.equal(asked[0]?.change?.reason, "stuck");
  });

  it("ends with another code where the agent has not answered", async () => {
    const { code, out } = await run("action suspend web -y", false);
    assert.equal(code, 5);
    assert.match(out, /has not answered yet/);
  });

  it("scales to a whole number only", async () => {
    assert.equal((await run("action scale web --replicas 5 -y")).asked[0]?.action?.replicas, 5);
    for (const wrong of ["action scale web -y", "action scale web --replicas many -y"]) {
      const { code, asked } = await run(wrong);
      assert.deepEqual([code, asked.length], [64, 0], wrong);
    }
  });
});
