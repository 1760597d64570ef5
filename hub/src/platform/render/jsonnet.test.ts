import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { Fault } from "@capstan/proto";
import type { ApplicationSource } from "../../documents/model.ts";
import { prepareRender, type RenderPorts, render } from "../../render/render.ts";
import { MemoryTree } from "../../sources/testing.ts";
import { scratch } from "../git/testing.ts";
import { portsOver, realJsonnet, realSandbox } from "./testing.ts";

const never = new AbortController().signal;
type Files = Readonly<Record<string, string>>;

const library = `{ map(name, data):: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: name }, data: data } }`;
const app: Files = {
  "app/main.jsonnet": `local lib = import "maps/map.libsonnet"; // import "nowhere.libsonnet"
local text = importstr 'note.txt';
function(replicas, team="none") [
  lib.map("first", { env: std.extVar("env"), team: team, replicas: std.toString(replicas + 1) }),
  lib.map("second", { note: text, sum: std.toString(std.extVar("limits").cpu + 1) }),
]`,
  "app/note.txt": "a note",
  "app/plain.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n",
  "app/README.md": "not read",
  "vendor/maps/map.libsonnet": library,
  "vendor/maps/unused.libsonnet": "error 'never evaluated'",
};
const jsonnet = {
  libs: ["vendor"],
  extVars: [
    { name: "env", value: "prod=$ARGOCD_APP_NAME" },
    { name: "limits", value: "{ cpu: 2 }", code: true },
  ],
  tlas: [
    { name: "replicas", value: "3", code: true },
    { name: "team", value: "shop" },
  ],
};

// It is built from its Go module; in CI it must be there.
const skip = realJsonnet() === undefined && process.env["CI"] !== "true" && "there is no jsonnet, nor Go to build it";

suite("Jsonnet", { skip }, () => {
  let ports: RenderPorts;
  let directory: Awaited<ReturnType<typeof scratch>>;
  before(async () => {
    directory = await scratch();
    ports = portsOver(await realSandbox(join(directory.path, "render")));
  });
  after(() => directory[Symbol.asyncDispose]());

  const request = (files: Files, more: Partial<ApplicationSource> = {}) => ({
    sources: [
      {
        source: { repoURL: "https://git.example.com/fleet.git", path: "app", directory: { jsonnet }, ...more },
        tree: new MemoryTree(files),
      },
    ],
    ...{ name: "web", namespace: "team" },
  });
  const faultOf = async (files: Files, more: Partial<ApplicationSource> = {}) => {
    try {
      await render(request(files, more), ports, never);
    } catch (thrown) {
      return Fault.from(thrown);
    }
    throw new Error("expected a fault, found none");
  };

  test("is evaluated with libraries, external variables and top-level arguments, beside plain manifests", async () => {
    const { bytes } = await render(request(app), ports, never);
    const objects = new TextDecoder().decode(bytes).trimEnd().split("\n");
    const found = objects.map((line) => JSON.parse(line) as { metadata: { name: string }; data?: object });
    assert.deepEqual(
      found.map(({ metadata, data }) => [metadata.name, data]),
      [
        ["first", { env: "prod=web", team: "shop", replicas: "4" }],
        ["plain", undefined],
        ["second", { note: "a note", sum: "3" }],
      ],
    );
  });

  test("has a key that follows what is imported, and nothing else", async () => {
    const keyOf = async (files: Files, more: Partial<ApplicationSource> = {}) =>
      (await prepareRender(request(files, more), ports, never)).key;
    const key = await keyOf(app);
    assert.equal(await keyOf({ ...app, "vendor/maps/unused.libsonnet": "1", "app/README.md": "2" }), key);
    assert.notEqual(await keyOf({ ...app, "app/note.txt": "another" }), key);
    assert.notEqual(await keyOf({ ...app, "vendor/maps/map.libsonnet": `${library} ` }), key);
    const other = { ...jsonnet, tlas: [{ name: "replicas", value: "4", code: true }] };
    assert.notEqual(await keyOf(app, { directory: { jsonnet: other } }), key);
  });

  test("says what is wrong, and where", async () => {
    const lost = await faultOf(app, { directory: { jsonnet: { ...jsonnet, libs: [] } } });
    assert.equal(lost.code, "path-not-found");
    assert.match(lost.message, /"maps\/map\.libsonnet"/);
    assert.equal(lost.where.file, "app/main.jsonnet");
    const broken = await faultOf({ ...app, "app/main.jsonnet": "{ a: " });
    assert.equal(broken.code, "render-failed");
    assert.match(broken.message, /app\/main\.jsonnet:1:/);
    const escaping = await faultOf({ ...app, "app/main.jsonnet": 'import "../../etc/passwd"' });
    assert.equal(escaping.code, "path-escapes");
    const failing = await faultOf({ ...app, "app/main.jsonnet": 'error "no port was chosen"' });
    assert.match(failing.message, /no port was chosen/);
    const manifest = await faultOf({ ...app, "app/main.jsonnet": '{ kind: "ConfigMap" }' });
    assert.equal(manifest.code, "bad-manifest");
    const endless = await faultOf({ ...app, "app/main.jsonnet": "local f(x) = f(x + 1); f(0)" });
    assert.ok(["render-failed", "render-limit"].includes(endless.code), endless.code);
  });
});
