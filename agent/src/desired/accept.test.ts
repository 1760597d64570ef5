import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type ClusterId, features } from "@capstan/proto";
import { Compression, type SignedDesiredState, SignedDesiredStateSchema } from "@capstan/proto/desired";
import { bundleCrypto } from "../platform/crypto/bundles.ts";
import { agentCrypto } from "../platform/crypto/keys.ts";
import { TestFleet } from "../platform/grpc/testing/fleet.ts";
import { accept } from "./accept.ts";
import type { HeldState, Scope } from "./model.ts";

const fleet = new TestFleet();
const eyes = { verify: agentCrypto.verifyEd25519, gunzip: bundleCrypto.gunzip };
const scope: Scope = {
  fleet: fleet.id,
  cluster: "a" as ClusterId,
  incarnation: "uid-1",
  verification: [{ id: fleet.keyId, publicKey: fleet.publicKey }],
  features,
};
const state = (revision: bigint, more: object = {}) =>
  fleet.sign({ fleet: fleet.id, cluster: "a", incarnation: "uid-1", revision, ...more });

describe("a desired state is refused", () => {
  let held: HeldState;
  before(() => {
    const verdict = accept(undefined, 0n, { signed: state(10n), scope, eyes });
    assert.ok(verdict.kind === "Accepted");
    held = verdict.held;
  });
  const changed = (signed: SignedDesiredState, more: object) =>
    create(SignedDesiredStateSchema, { ...signed, ...more });
  const flipped = (bytes: Uint8Array) => bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte));
  const bomb = () => {
    const payload = new Uint8Array(0);
    return changed(state(11n), { payload });
  };

  const cases: readonly (readonly [
    why: string,
    code: string,
    signed: () => SignedDesiredState,
    scope?: Partial<Scope>,
  ])[] = [
    [
      "whose payload was changed",
      "signature-refused",
      () => changed(state(11n), { payload: flipped(state(11n).payload) }),
    ],
    [
      "whose signature was changed",
      "signature-refused",
      () => changed(state(11n), { signature: flipped(state(11n).signature) }),
    ],
    ["without a signature", "signature-refused", () => changed(state(11n), { signature: new Uint8Array() })],
    ["whose payload is gone", "signature-refused", bomb],
    [
      "signed by a key that is not pinned",
      "signature-refused",
      () => changed(state(11n), { keyId: "0123456789abcdef" }),
    ],
    [
      "signed by another key under a pinned id",
      "signature-refused",
      () => changed(new TestFleet().sign({ revision: 11n }), { keyId: fleet.keyId }),
    ],
    [
      "signed by a retired key",
      "signature-refused",
      () => state(11n),
      { verification: [{ id: fleet.keyId, publicKey: fleet.publicKey, retired: true }] },
    ],
    ["compressed in an unknown way", "unsupported", () => changed(state(11n), { compression: 7 as Compression })],
    [
      "that says it is compressed but is not",
      "bad-input",
      () => changed(state(11n), { compression: Compression.NONE }),
    ],
    ["of another fleet", "wrong-fleet", () => state(11n, { fleet: "other" })],
    ["for another cluster", "wrong-cluster", () => state(11n, { cluster: "b" })],
    ["for another incarnation", "wrong-incarnation", () => state(11n, { incarnation: "uid-2" })],
    ["older than the one held", "older-revision", () => state(9n)],
    ["of the same revision with other content", "same-revision-other-content", () => state(10n, { epoch: 3n })],
    [
      "that needs a feature we lack",
      "feature-missing",
      () => state(11n, { requiredFeatures: ["bundles", "teleport"] }),
    ],
  ];
  for (const [why, code, make, other] of cases) {
    it(why, () => {
      const verdict = accept(held, 10n, { signed: make(), scope: { ...scope, ...other }, eyes });
      assert.equal(verdict.kind === "Refused" ? verdict.fault.code : verdict.kind, code);
    });
  }

  it("older than any that was ever held, even when none is held now", () => {
    const verdict = accept(undefined, 12n, { signed: state(11n), scope, eyes });
    assert.equal(verdict.kind === "Refused" && verdict.fault.code, "older-revision");
  });

  it("not when it is newer, and not twice", () => {
    assert.equal(accept(held, 10n, { signed: state(11n), scope, eyes }).kind, "Accepted");
    assert.equal(accept(held, 10n, { signed: held.signed, scope, eyes }).kind, "Known");
  });
});
