import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeMeta, KubeObject } from "../inventory/object.ts";
import { compareObjects, pathText, pointerText } from "./compare.ts";
import { corrected, defaultFightPolicy, type Fight, pauseOf } from "./damp.ts";
import { describeDifferences, differencesLine } from "./describe.ts";
import { fingerprint } from "./fingerprint.ts";
import { textHash } from "./hash.ts";
import { keepIgnored, partIgnored, rulesFor } from "./ignore.ts";
import { loadPathFinder } from "./jq.ts";

function object(fields: Record<string, unknown>, meta: Partial<KubeMeta> = {}): KubeObject {
  return { apiVersion: "v1", kind: "Thing", metadata: { name: "x", ...meta }, ...fields };
}

function paths(live: KubeObject, wanted: KubeObject): readonly string[] {
  return compareObjects(live, wanted).map((difference) => pathText(difference.path));
}

test("equal objects differ nowhere, whatever servers write into them", () => {
  const live = object(
    { spec: { a: [1, { b: null }] }, status: { x: 1 } },
    { uid: "1", resourceVersion: "5", generation: 3 },
  );
  assert.deepEqual(paths(live, object({ spec: { a: [1, { b: null }] } }, { resourceVersion: "4" })), []);
});

test("names fields, list items by name or index, and odd keys", () => {
  const live = object(
    {
      spec: {
        list: [
          { name: "a", v: 1 },
          { name: "b", v: 1 },
        ],
        plain: [1, 2],
      },
    },
    { labels: { "x/y": "1" } },
  );
  const wanted = object({
    spec: {
      list: [
        { name: "a", v: 1 },
        { name: "b", v: 2 },
      ],
      plain: [1, 3, 4],
    },
  });
  assert.deepEqual(paths(live, wanted), [
    "metadata.labels[x/y]",
    "spec.list[name=b].v",
    "spec.plain[1]",
    "spec.plain[2]",
  ]);
});

test("sees an added, a removed and a moved list item", () => {
  const of = (...names: string[]) => object({ spec: { list: names.map((name) => ({ name })) } });
  assert.deepEqual(paths(of("a", "b"), of("b", "c")), ["spec.list[name=a]", "spec.list[name=c]"]);
  assert.deepEqual(paths(of("a", "b"), of("b", "a")), ["spec.list"]);
});

test("points at fields as RFC 6901 does, at an item that is not there yet with a dash", () => {
  const live = object({ list: [{ name: "a" }] }, { labels: { "x/y~z": "1" } });
  const wanted = object({ list: [{ name: "a", v: 1 }, { name: "b" }] });
  const pointers = compareObjects(live, wanted).map(({ path }) => pointerText(path));
  assert.deepEqual(pointers, ["/metadata/labels/x~1y~0z", "/list/0/v", "/list/-"]);
});

test("sees finalizers and owner references", () => {
  const wanted = object({}, { finalizers: ["a"], ownerReferences: [] });
  assert.deepEqual(paths(object({}), wanted), ["metadata.finalizers", "metadata.ownerReferences"]);
});

test("says who wrote a field last, and when", () => {
  const entry = (manager: string, time: string, fieldsV1: Record<string, unknown>) => ({
    manager,
    operation: "Update",
    time,
    fieldsV1,
  });
  const app = 'k:{"name":"app"}';
  const live = object(
    { spec: { replicas: 3, containers: [{ name: "app", image: "x" }], args: ["a"] } },
    {
      managedFields: [
        entry("capstan", "2026-01-01T00:00:00Z", { "f:spec": { "f:replicas": {}, "f:args": {} } }),
        entry("kubectl-edit", "2026-01-02T00:00:00Z", { "f:spec": { "f:replicas": {} } }),
        entry("image-bot", "2026-01-03T00:00:00Z", { "f:spec": { "f:containers": { [app]: { "f:image": {} } } } }),
      ],
    },
  );
  const wanted = object({ spec: { replicas: 1, containers: [{ name: "app", image: "y" }], args: ["b"] } });
  const found = describeDifferences(live, compareObjects(live, wanted), "capstan");
  assert.deepEqual(found, [
    {
      path: "spec.replicas",
      pointer: "/spec/replicas",
      live: "3",
      wanted: "1",
      manager: "kubectl-edit",
      time: "2026-01-02T00:00:00Z",
    },
    {
      path: "spec.containers[name=app].image",
      pointer: "/spec/containers/0/image",
      live: '"x"',
      wanted: '"y"',
      manager: "image-bot",
      time: "2026-01-03T00:00:00Z",
    },
    {
      path: "spec.args[0]",
      pointer: "/spec/args/0",
      live: '"a"',
      wanted: '"b"',
      manager: "capstan",
      time: "2026-01-01T00:00:00Z",
    },
  ]);
  assert.equal(differencesLine(found, 1), "spec.replicas (kubectl-edit) and 2 more");
});

test("ignores what rules name: a field with all in it, an escaped key, a list's item", () => {
  const live = object({ spec: { a: { b: 1, c: 2 }, list: [1, 2] } }, { labels: { "x/y": "1", z: "1" } });
  const wanted = object({ spec: { a: { b: 2, c: 3 }, list: [3, 4] } }, { labels: { "x/y": "2", z: "2" } });
  const rule = (...jsonPointers: string[]) => ({
    group: "",
    kind: "Thing",
    namespace: "",
    name: "",
    jsonPointers,
    jqPaths: [],
    managers: [],
  });
  const rules = rulesFor(
    [rule("/spec/a", "/metadata/labels/x~1y", "/spec/list/1"), { ...rule("/spec"), name: "other" }],
    {
      group: "",
      kind: "Thing",
      namespace: "",
      name: "x",
    },
  );
  const { kept, ignored } = partIgnored(compareObjects(live, wanted), { live, would: wanted, rules, find: undefined });
  assert.deepEqual(
    kept.map((difference) => pathText(difference.path)),
    ["metadata.labels.z", "spec.list[0]"],
  );
  const written = keepIgnored(wanted, live, { ignored, self: "capstan" });
  assert.deepEqual(written["spec"], { a: { b: 1, c: 2 }, list: [3, 2] });
});

test("jq paths ignore what they choose, by name in lists that differ in order", async () => {
  const find = await loadPathFinder();
  const item = (name: string, image: string) => ({ name, image });
  const live = object({ spec: { list: [item("a", "1"), item("injected", "9"), item("b", "1")], kept: 1, gone: 1 } });
  const wanted = object({ spec: { list: [item("a", "2"), item("b", "2")], kept: 2 } });
  const rule = (...jqPaths: string[]) => ({
    ...{ group: "", kind: "Thing", namespace: "", name: "", jsonPointers: [], managers: [] },
    jqPaths,
  });
  const rules = [
    rule('.spec.list[] | select(.name == "b" or .name == "injected")', ".spec.gone"),
    rule(".spec.none[].x"),
  ];
  const { kept, ignored } = partIgnored(compareObjects(live, wanted), { live, would: wanted, rules, find });
  assert.deepEqual(kept.map(({ path }) => pathText(path)).sort(), ["spec.kept", "spec.list[name=a].image"]);
  const written = keepIgnored(wanted, live, { ignored, self: "capstan" })["spec"];
  assert.deepEqual(written, { list: [item("a", "2"), item("b", "1"), item("injected", "9")], kept: 2, gone: 1 });
  assert.deepEqual(find("[repeat(.)]", live), [], "what might not end is not run");
});

test("an ignored field that another manager applies is not written", () => {
  const entry = { manager: "scaler", operation: "Apply", fieldsV1: { "f:spec": { "f:replicas": {} } } };
  const live = object({ spec: { replicas: 7, image: "1" } }, { managedFields: [entry] });
  const wanted = object({ spec: { replicas: 1, image: "2" } });
  const rule = { group: "", kind: "Thing", namespace: "", name: "", jqPaths: [], managers: ["scaler"] };
  const rules = [{ ...rule, jsonPointers: [] }];
  const { kept, ignored } = partIgnored(compareObjects(live, wanted), { live, would: wanted, rules, find: undefined });
  assert.deepEqual(
    kept.map(({ path }) => pathText(path)),
    ["spec.image"],
  );
  assert.deepEqual(keepIgnored(wanted, live, { ignored, self: "capstan" })["spec"], { image: "2" });
});

test("masks what Secrets hold, and kubectl's copy of any object", () => {
  const last = "kubectl.kubernetes.io/last-applied-configuration";
  const secret = (value: string): KubeObject => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "x", annotations: { [last]: value, note: value } },
    data: { key: value },
    stringData: { key: value },
    type: "Opaque",
  });
  const found = describeDifferences(secret("one"), compareObjects(secret("one"), secret("two")), "capstan");
  const shown = found.filter((difference) => difference.live !== "***");
  assert.deepEqual(
    shown.map((difference) => difference.path),
    ["metadata.annotations.note"],
  );
});

test("a fingerprint changes with spec, labels and managers, and not with a status", () => {
  const status = { manager: "controller", operation: "Update", subresource: "status", time: "1" };
  const base: KubeMeta = { name: "x", uid: "u", generation: 1, resourceVersion: "1", managedFields: [status] };
  const first = fingerprint(base);
  assert.equal(fingerprint({ ...base, resourceVersion: "2", managedFields: [{ ...status, time: "2" }] }), first);
  assert.notEqual(fingerprint({ ...base, generation: 2 }), first);
  assert.notEqual(fingerprint({ ...base, labels: { a: "b" } }), first);
  assert.notEqual(fingerprint({ ...base, uid: "v" }), first);
  assert.notEqual(fingerprint({ ...base, managedFields: [status, { manager: "kubectl" }] }), first);
  const { generation: _none, ...plain } = base;
  assert.notEqual(fingerprint({ ...plain, resourceVersion: "2" }), fingerprint(plain));
});

test("hashes spread", () => {
  const hashes = new Set(Array.from({ length: 10_000 }, (_, index) => textHash(`object-${index}`)));
  assert.equal(hashes.size, 10_000);
});

test("five equal corrections are a fight: pauses double, another change or a long peace ends it", () => {
  const policy = defaultFightPolicy;
  let fight: Fight | undefined;
  let now = 0;
  for (let round = 0; round < 5; round++) {
    assert.equal(pauseOf(fight, "s", now), 0);
    fight = corrected(fight, "s", now);
    now += 1000;
  }
  assert.equal(pauseOf(fight, "s", now), policy.pauseMs - 1000);
  assert.equal(pauseOf(fight, "other", now), 0);
  now += policy.pauseMs;
  fight = corrected(fight, "s", now);
  assert.equal(pauseOf(fight, "s", now), policy.pauseMs * 2);
  assert.equal(corrected(fight, "s", now + policy.longestMs * 3).times.length, 1);
  const slow = [0, 1, 2, 3, 4, 5, 6].reduce<Fight | undefined>(
    (one, step) => corrected(one, "s", step * policy.windowMs),
    undefined,
  );
  assert.equal(pauseOf(slow, "s", 6 * policy.windowMs), 0, "a correction in ten minutes is no fight");
});
