import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@capstan/proto";
import { compileConfig } from "./compile.ts";

const problemsOf = (text: string): string => {
  try {
    compileConfig(text, "capstan.yaml");
  } catch (thrown) {
    return Fault.from(thrown).message;
  }
  return "";
};

test("an embedded NATS is meant where the config says nothing of the mode", () => {
  const { nats } = compileConfig("nats: { port: 5222 }", "capstan.yaml");
  assert.deepEqual(nats, { mode: "embedded", binary: "", port: 5222, urls: [] });
  assert.equal(compileConfig("", "capstan.yaml").nats.mode, "embedded");
});

test("all problems are listed at once", () => {
  const said = problemsOf("nats: { port: 5, bogus: 4 }\nlisten: { grpc: 99999999 }\nunknown: 4\n");
  assert.match(said, /3 problems/);
  for (const each of [/listen\.grpc/, /nats: .*"bogus"/, /"unknown"/]) assert.match(said, each);
});

test("one port for two listeners is a contradiction; 0 is any free one", () => {
  assert.match(problemsOf("listen: { grpc: 7000, http: 7000 }"), /must differ: 7000/);
  assert.match(problemsOf("nats: { port: 7443 }"), /must differ: 7443/);
  assert.equal(problemsOf("listen: { grpc: 0, http: 0 }\nnats: { port: 0 }\n"), "");
});
