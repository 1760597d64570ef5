import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@capstan/proto";
import { checkMarks, isLabelKey, isLabelValue } from "./labels.ts";

const a = (count: number) => "a".repeat(count);

test("keys are those that Kubernetes takes", () => {
  const good = ["a", "A_b.c-9", "example.org/a", `${a(63)}.b/${a(63)}`, `${`${a(49)}.`.repeat(5)}abc/x`];
  const bad = [
    "",
    "b@d",
    "x y",
    "-a",
    "a-",
    "/a",
    "a/",
    "a/b/c",
    "Up/a",
    "a..b/c",
    a(64),
    `${`${a(49)}.`.repeat(5)}abcd/x`,
  ];
  assert.deepEqual([good.filter((key) => !isLabelKey(key)), bad.filter(isLabelKey)], [[], []]);
});

test("values are those that Kubernetes takes", () => {
  assert.deepEqual(
    ["", "a", "1.2_3-b", a(63)].filter((value) => !isLabelValue(value)),
    [],
  );
  assert.deepEqual(["ä ö", "a b", "-a", "a.", "a/b", a(64), "a\n"].filter(isLabelValue), []);
});

test("what does not fit is named, with the rule; what is removed is not looked at", () => {
  const refused = (marks: Parameters<typeof checkMarks>[0], message: RegExp) =>
    assert.throws(
      () => checkMarks(marks),
      (thrown) => thrown instanceof Fault && thrown.code === "bad-input" && message.test(thrown.message),
    );
  refused({ labels: { env: "prod", "b@d": "1" } }, /^the key of a label is NAME or PREFIX\/NAME: .* found "b@d"\.$/);
  refused({ labels: { env: "ä ö" } }, /^the value of label env is nothing, or at most 63 .* found "ä ö"\.$/);
  refused({ annotations: { "x y": "1" } }, /^the key of an annotation is .* found "x y"\.$/);
  checkMarks({ labels: { "b@d": "" }, annotations: { "Example.org/Note": "any text: ä ö", "x y": "" } });
});
