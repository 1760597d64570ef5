import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { GitServer } from "./git-server.ts";
import { githubWebhook, Repository } from "./repository.ts";
import { within } from "./wait.ts";

test("what one clone pushes another one fetches, files deleted included", async () => {
  await using server = await GitServer.start();
  const url = await server.create("team/fleet");
  await using mira = await Repository.clone({ url });
  await mira.publish({ "apps/a.yaml": "a: 1\n", "apps/b.yaml": "b: 1\n" }, "first");
  await mira.edit("apps/a.yaml", (text) => text.replace("1", "2"));
  await mira.deleteFiles("apps/b.yaml");
  const sha = await mira.commit("second");
  assert.equal(await mira.push(), sha);
  await using other = await Repository.clone({ url });
  assert.equal(await other.git("rev-parse", "HEAD"), sha);
  assert.equal(await other.read("apps/a.yaml"), "a: 2\n");
  await assert.rejects(other.read("apps/b.yaml"));
  assert.ok(server.requests("team/fleet") > 4);
});

test("a single commit can be fetched by its SHA, and history rewritten", async () => {
  await using server = await GitServer.start();
  const url = await server.create("one");
  await using clone = await Repository.clone({ url });
  const first = await clone.publish({ a: "1" }, "first");
  await clone.publish({ a: "2" }, "second");
  await clone.git("reset", "--hard", first);
  await clone.publish({ a: "3" }, "third").catch(() => undefined);
  assert.match(await clone.push({ force: true }), /^[0-9a-f]{40}$/);
  await using other = await Repository.clone({ url });
  await other.git("fetch", "--depth=1", "origin", first);
});

test("credentials are demanded where they are set, and nowhere else", async () => {
  await using server = await GitServer.start();
  const closed = await server.create("closed", { username: "bot", password: "s3cret" });
  const open = await server.create("open");
  await assert.rejects(Repository.clone({ url: closed }), /Authentication|could not read Username/);
  await using _inside = await Repository.clone({ url: closed.replace("://", "://bot:s3cret@") });
  await using _open = await Repository.clone({ url: open });
  await assert.rejects(Repository.clone({ url: server.urlOf("none") }), /not found/);
});

test("faults: an error, a refusal, silence, and a stop, each over when lifted", async () => {
  await using server = await GitServer.start();
  const url = await server.create("fleet");
  await using clone = await Repository.clone({ url });
  await clone.publish({ a: "1" }, "first");
  server.setFault("fleet", "500");
  await assert.rejects(clone.git("fetch"), /500/);
  server.setFault("fleet", "401");
  await assert.rejects(clone.git("fetch"), /Authentication|could not read Username/);
  server.setFault("fleet", "hang");
  const silent = fetch(`${url}/info/refs?service=git-upload-pack`, { signal: AbortSignal.timeout(150) });
  await assert.rejects(silent, { name: "TimeoutError" });
  server.setFault("fleet", "none");
  await clone.git("fetch");
  await server.stop();
  await assert.rejects(clone.git("fetch"), /Failed to connect|refused/i);
  await server.restart();
  await clone.git("fetch");
});

test("a push is told as GitHub tells it, with a signature over the body", async () => {
  await using server = await GitServer.start();
  const url = await server.create("team/fleet");
  let body = "";
  const receiver = createServer((request, response) => {
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => response.end());
  }).listen(0, "127.0.0.1");
  try {
    await once(receiver, "listening");
    const address = receiver.address();
    assert.ok(typeof address === "object" && address !== null);
    const heard = once(receiver, "request");
    const onPush = githubWebhook({ url: `http://127.0.0.1:${address.port}/hook`, secret: "hush" });
    await using clone = await Repository.clone({ url, onPush });
    const sha = await clone.publish({ a: "1" }, "first");
    const [request] = await within("the webhook", 2_000, heard);
    const wanted = createHmac("sha256", "hush").update(body).digest("hex");
    assert.equal(request.headers["x-hub-signature-256"], `sha256=${wanted}`);
    const event = JSON.parse(body);
    assert.deepEqual([event.ref, event.after, event.repository.clone_url], ["refs/heads/main", sha, url]);
  } finally {
    receiver.close();
  }
});
