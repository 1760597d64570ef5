import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { scratch } from "../git/testing.ts";
import { renewAdminFile } from "./admin-file.ts";

const first = { endpoints: ["hub.example.com:8443"], ca: "AQ==", token: "t" };

test("the first admin's file follows the hub's address and CA, and keeps its token to its owner", async () => {
  await using directory = await scratch();
  const file = join(directory.path, "admin.json");
  await renewAdminFile(directory.path, { endpoints: ["a:1"], cas: [] });
  await assert.rejects(readFile(file), "none is made where none was");
  await writeFile(file, `${JSON.stringify(first, null, 2)}\n`, { mode: 0o600 });
  const { mtimeMs } = await stat(file);
  await renewAdminFile(directory.path, { endpoints: first.endpoints, cas: [Uint8Array.of(1)] });
  assert.equal((await stat(file)).mtimeMs, mtimeMs, "what is right is not written again");
  await renewAdminFile(directory.path, { endpoints: ["127.0.0.1:9443"], cas: [Uint8Array.of(2), Uint8Array.of(1)] });
  const renewed: unknown = JSON.parse(await readFile(file, "utf8"));
  assert.deepEqual(renewed, { endpoints: ["127.0.0.1:9443"], ca: "Ag==", token: "t" });
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});
