import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ConfigInputs, readConfig } from "./read.ts";

const read = (words: readonly string[], more: Partial<ConfigInputs> = {}) =>
  readConfig({ words, env: {}, join: {}, ...more });
const config = (words: readonly string[], more: Partial<ConfigInputs> = {}) => {
  const invocation = read(words, more);
  if (invocation.kind !== "run") throw new Error(JSON.stringify(invocation));
  return invocation.config;
};

describe("the configuration", () => {
  it("takes flags in both forms, repeated hubs, and defaults", () => {
    const found = config(["run", "--cluster=a", "--hub", "one:443", "--hub=[::1]:7443", "--transport", "grpc"]);
    assert.deepEqual(found.hubs, ["one:443", "[::1]:7443"]);
    assert.equal(found.transport, "grpc");
    assert.equal(found.namespace, "capstan-system");
    assert.ok(Object.isFrozen(found));
  });

  it("prefers flags to the environment, and that to mounted files", () => {
    const join = { cluster: "file\n", hub: "file:1\n", tokenFile: "/etc/capstan/join/token" };
    assert.equal(config([], { join }).cluster, "file");
    assert.equal(config([], { join }).joinTokenFile, "/etc/capstan/join/token");
    const env = { CAPSTAN_CLUSTER: "env", CAPSTAN_HUB: "a:1,b:2", CAPSTAN_LOG_LEVEL: "debug" };
    assert.deepEqual(config([], { join, env }).hubs, ["a:1", "b:2"]);
    assert.equal(config(["--cluster", "flag"], { join, env }).cluster, "flag");
    assert.equal(config([], { join, env }).logLevel, "debug");
  });

  it("lists every problem at once", () => {
    const found = read([
      "serve",
      "--frob",
      "--hub",
      "nohost",
      "--transport",
      "smoke",
      "--targets",
      "many",
      "--namespace",
    ]);
    assert.ok(found.kind === "wrong");
    const text = found.problems.join("\n");
    for (const part of ['"serve"', "--frob", "--cluster", "--hub", "--transport", "--targets", "--namespace needs"]) {
      assert.ok(text.includes(part), `${part} in ${text}`);
    }
  });

  it("refuses a cluster id that is none, and a flag given twice", () => {
    assert.equal(read(["--cluster", "A_b", "--hub", "h:1"]).kind, "wrong");
    assert.equal(read(["--cluster", "a", "--cluster", "b", "--hub", "h:1"]).kind, "wrong");
  });

  it("helps", () => {
    const found = read(["--help"]);
    assert.ok(found.kind === "help" && found.text.includes("--join-token-file FILE"));
    assert.equal(read(["--version"]).kind, "version");
  });
});
