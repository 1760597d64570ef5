import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DesiredTargetSchema, type Retry, RetrySchema } from "@capstan/proto/desired";
import { afterFailure, attemptOf, type Failure, waitsUntil } from "./retry.ts";

const chance = () => 0.5;
const policy = create(RetrySchema, {
  limit: 3,
  duration: { seconds: 10n },
  factor: 2,
  maxDuration: { seconds: 30n },
});

function waits(retry: Retry | undefined, times: number, wentWell = false): readonly (number | undefined)[] {
  let failure: Failure | undefined;
  return Array.from({ length: times }, () => {
    failure = afterFailure(failure, { attempt: "a", policy: retry, wentWell, now: 0, chance });
    return failure.again;
  });
}

describe("retries of a failed apply", () => {
  it("wait as the policy says, so often as it says", () => {
    assert.deepEqual(waits(policy, 5), [10_000, 20_000, 30_000, undefined, undefined]);
    assert.deepEqual(waits(create(RetrySchema, { ...policy, limit: 0 }), 1), [undefined]);
    assert.ok(!waits(create(RetrySchema, { ...policy, limit: -1 }), 50).includes(undefined));
  });

  it("never end where no policy is given, or where the same has gone well before", () => {
    assert.ok(!waits(undefined, 50).includes(undefined));
    assert.ok(!waits(policy, 50, true).includes(undefined));
  });

  it("are counted anew for another generation, bundle or operation", () => {
    const target = create(DesiredTargetSchema, { generation: 3n, bundle: { digest: "d" } });
    const attempt = attemptOf(target);
    const spent: Failure = { attempt, count: 4, again: undefined };
    assert.equal(waitsUntil(spent, { attempt, policy, now: 0 }), "never");
    const next = attemptOf(target, "op-1");
    assert.equal(waitsUntil(spent, { attempt: next, policy, now: 0 }), undefined);
    const first = afterFailure(spent, { attempt: next, policy, wentWell: false, now: 0, chance });
    assert.deepEqual(first, { attempt: next, count: 1, again: 10_000 });
    assert.equal(waitsUntil(first, { attempt: next, policy, now: 9_999 }), 10_000);
    assert.equal(waitsUntil(first, { attempt: next, policy, now: 10_000 }), undefined);
    assert.equal(waitsUntil(first, { attempt: next, policy: undefined, now: 0 }), undefined);
  });
});
