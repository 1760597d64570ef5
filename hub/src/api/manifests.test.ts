import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { manifestsYaml, noSide, objectsOf, unifiedDiff } from "./manifests.ts";

const bundle = (...objects: readonly object[]) =>
  objectsOf(new TextEncoder().encode(objects.map((object) => `${JSON.stringify(object)}\n`).join("")));
const secret = (values: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: {
    name: "db",
    namespace: "shop",
    annotations: { "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(values) },
  },
  data: values,
  stringData: { plain: "sesame" },
});
const map = (text: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "web" }, data: { text } });

describe("manifests", () => {
  it("masks every value of a Secret, and what kubectl copied of it", () => {
    const yaml = manifestsYaml(bundle(secret({ password: "aHVudGVyMg==" }), map("open")));
    assert.doesNotMatch(yaml, /aHVudGVyMg|sesame/);
    assert.match(yaml, /password: /);
    assert.match(yaml, /text: open/);
  });

  it("keeps integers that a number cannot hold", () => {
    const line = '{"apiVersion":"v1","kind":"X","metadata":{"name":"a"},"n":9007199254740993}\n';
    assert.match(manifestsYaml(objectsOf(new TextEncoder().encode(line))), /'n': 9007199254740993/);
  });
});

describe("a difference", () => {
  const side = (...objects: readonly object[]) => ({ objects: bundle(...objects), settings: "" });

  it("is empty for equal sides, whatever their order", () => {
    const [a, b] = [map("x"), secret({ p: "1" })];
    assert.equal(unifiedDiff(side(a, b), side(b, a)), "");
  });

  it("tells that a secret value differs, never the value", () => {
    const diff = unifiedDiff(side(secret({ p: "b2xk", q: "c2FtZQ==" })), side(secret({ p: "bmV3", q: "c2FtZQ==" })));
    assert.match(diff, /^-.*p: .*\*{8}/m);
    assert.match(diff, /^\+.*p: .*differs/m);
    assert.doesNotMatch(diff, /b2xk|bmV3|c2FtZQ|sesame/);
    assert.doesNotMatch(diff, /^[-+].*q:/m);
  });

  it("names objects that come and go, and settings that change", () => {
    const diff = unifiedDiff(
      { ...side(map("x")), settings: "prune: true\n" },
      { ...noSide, settings: "prune: false\n" },
    );
    assert.match(diff, /--- settings of the target\n/);
    assert.match(diff, /--- ConfigMap web\n\+\+\+ \/dev\/null\n/);
  });
});
