import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Fault } from "@capstan/proto";
import { ChangeSchema } from "@capstan/proto/common";
import type { PersonToken } from "../identity/model.ts";
import { authoriser } from "./authorise.ts";
import { Calls, checkEtag } from "./call.ts";
import type { CallContext } from "./service.ts";

const person = (name: string): PersonToken => {
  return { kind: "person", id: "1", name, roles: [name], hash: "", madeAt: 0, expiresAt: undefined };
};

function setUp() {
  const recorded: string[] = [];
  const calls = new Calls({
    authorise: authoriser(person),
    audited: (call, work, signal) => {
      recorded.push(`${call.actor} ${call.action} ${call.resource} ${call.detail?.["reason"] ?? ""}`.trim());
      return work(signal);
    },
    assertLeading: () => undefined,
  });
  return { calls, recorded };
}

function context(token: string | undefined): CallContext {
  const { signal } = new AbortController();
  return { certificate: undefined, token, address: "", method: "/x/Y", signal };
}

const change = (given: object) => create(ChangeSchema, given);
const fails = (code: string) => (thrown: unknown) => thrown instanceof Fault && thrown.code === code;

describe("a look at pod logs", () => {
  it("is recorded before anything is shown, and refused to a viewer", async () => {
    const { calls, recorded } = setUp();
    const looked = { action: "target.logs", resource: "target/argocd/web", detail: { cluster: "a" } };
    await assert.rejects(calls.reveal(context("viewer"), looked), fails("not-allowed"));
    assert.deepEqual(recorded, []);
    assert.equal((await calls.reveal(context("admin"), looked)).name, "admin");
    assert.deepEqual(recorded, ["admin target.logs target/argocd/web"]);
  });
});

describe("a mutating call", () => {
  it("leaves one audit record, with its reason; a dry run leaves none", async () => {
    const { calls, recorded } = setUp();
    const mutation = { action: "lane.sync", resource: "lane/web" };
    await calls.change(context("admin"), { ...mutation, change: change({ reason: "go" }) }, async () => 1);
    await calls.change(context("admin"), { ...mutation, change: change({ dryRun: true }) }, async () => 2);
    assert.deepEqual(recorded, ["admin lane.sync lane/web go"]);
  });

  it("with the same request id is answered as the first was; one that failed may be tried again", async () => {
    const { calls, recorded } = setUp();
    const mutation = { action: "a.b", resource: "c", change: change({ requestId: "r1" }) };
    let runs = 0;
    const work = async () => {
      runs += 1;
      if (runs === 1) throw new Fault("not-now", { message: "later." });
      return runs;
    };
    await assert.rejects(calls.change(context("admin"), mutation, work), fails("not-now"));
    assert.equal(await calls.change(context("admin"), mutation, work), 2);
    assert.equal(await calls.change(context("admin"), mutation, work), 2);
    assert.equal(recorded.length, 2);
  });

  it("is refused to a viewer, dry or not, and pod logs are", async () => {
    const { calls, recorded } = setUp();
    const mutation = { action: "lane.sync", resource: "lane/web", change: change({ dryRun: true }) };
    assert.throws(() => calls.change(context("viewer"), mutation, async () => 1), fails("not-allowed"));
    assert.throws(() => calls.look(context("viewer"), "target.logs", "target/web"), fails("not-allowed"));
    assert.throws(() => calls.look(context(undefined), "target.list", "target"), fails("not-signed-in"));
    assert.equal(calls.look(context("viewer"), "target.list", "target").name, "viewer");
    assert.deepEqual(recorded, []);
  });
});

it("an etag of another state is refused; none is whatever it is now", () => {
  assert.throws(() => checkEtag(change({ etag: "a" }), "b", "it"), fails("etag-mismatch"));
  checkEtag(change({ etag: "b" }), "b", "it");
  checkEtag(change({}), "b", "it");
});
