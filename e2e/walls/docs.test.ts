import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import test from "node:test";
import { promisify } from "node:util";
import { root } from "../toolchain/program.ts";

const text = (path: string) => readFile(join(root, path), "utf8");
const sources = (pattern: string) =>
  globSync(pattern, { cwd: root }).filter((path) => !/\.test\.ts$|\/testing\/|\/testdata\/|\/gen\//.test(path));
const all = async (pattern: string) => (await Promise.all(sources(pattern).map(text))).join("\n");
const missing = (wanted: Iterable<string>, page: string) => [...new Set(wanted)].filter((one) => !page.includes(one));

test("every link between pages leads somewhere", async () => {
  const pages = [...globSync("docs/**/*.md", { cwd: root }), "README.md", "CONTRIBUTING.md", "e2e/world/README.md"];
  const dead: string[] = [];
  for (const page of pages) {
    for (const [, link = ""] of (await text(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [file = "", anchor] = link.split("#");
      const goal = file === "" ? page : relative(root, join(root, dirname(page), file));
      if (!existsSync(join(root, goal))) dead.push(`${page}: ${link}`);
      else if (anchor !== undefined && !anchorsOf(await text(goal)).has(anchor)) dead.push(`${page}: ${link}`);
    }
  }
  assert.deepEqual(dead, []);
});

test("docs/README.md links every page", async () => {
  const pages = globSync("docs/**/*.md", { cwd: root }).map((path) => relative("docs", path));
  const index = await text("docs/README.md");
  assert.deepEqual(
    pages.filter((page) => page !== "README.md" && !index.includes(`(${page})`)),
    [],
  );
});

test("docs/annotations.md has every capstan.dev name of hub and agent, and no other", async () => {
  const code = `${await all("hub/src/**/*.ts")}${await all("agent/src/**/*.ts")}`;
  const named = [...code.matchAll(/["'`](capstan\.dev\/[a-z0-9-]+)/g)].map(([, name = ""]) => name);
  const page = await text("docs/annotations.md");
  assert.deepEqual(missing(named, page), [], "in the code, not on the page");
  const told = [...page.matchAll(/`(capstan\.dev\/[a-z0-9-]+)`/g)].map(([, name = ""]) => name);
  assert.deepEqual(
    told.filter((name) => !code.includes(name)),
    [],
    "on the page, not in the code",
  );
});

test("docs/operations.md explains every key of the hub's config", async () => {
  const page = await text("docs/operations.md");
  const told = new Set([...page.matchAll(/^\| `([\w.[\]]+)` \|/gm)].map(([, key = ""]) => key.split(".").at(-1)));
  const fragments = ["hub/src/config/raw.ts", ...sources("hub/src/*/config.ts")];
  const keys = (await Promise.all(fragments.map(text))).flatMap((source) => keysOf(source));
  assert.ok(keys.length > 40, "the config's keys were found");
  const parents = new Set([
    "listen",
    "nats",
    "roots",
    "sources",
    "generators",
    "render",
    "defaults",
    "lease",
    "identity",
    "gates",
    "file",
    "env",
  ]);
  assert.deepEqual(
    keys.filter((key) => !told.has(key) && !parents.has(key) && !told.has(`${key}[]`) && !page.includes(`.${key}[]`)),
    [],
  );
});

test("docs/operations.md names every metric", async () => {
  const metrics = [...(await text("hub/src/api/metrics.ts")).matchAll(/"(capstan_[a-z_]+)"/g)].map(
    ([, name = ""]) => name,
  );
  assert.deepEqual(missing(metrics, await text("docs/operations.md")), []);
});

test("docs/cli.md has every verb of the command line with its flags, and no other", async () => {
  const main = join(root, "hub/src/main.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [main, "completion", "bash"]);
  const rows = [...stdout.matchAll(/^ +"([a-z ]+)"\) next="([^"]*--help)"/gm)];
  const verbs = new Map(rows.map(([, words = "", next = ""]) => [words, next.split(" ")]));
  const page = await text("docs/cli.md");
  const lines = [...page.matchAll(/^\| `capstan ([a-z ]+?)(?: [<[].*?)?` \|(.*)\|$/gm)];
  assert.deepEqual(new Set(lines.map(([, words]) => words)), new Set(verbs.keys()));
  const unknown = lines.flatMap(([, words = "", rest = ""]) => {
    const flags = [...rest.matchAll(/`(?:-\w, )*(--[a-z-]+)/g)].map(([, flag = ""]) => flag);
    return flags.filter((flag) => verbs.get(words)?.includes(flag) !== true).map((flag) => `${words} ${flag}`);
  });
  assert.deepEqual(unknown, [], "flags that the page tells of and the program does not have");
  const usual = ["--help", "--output", "--dry-run", "--yes", "--reason", "--watch", "--file"];
  const narrowing = ["--selector", "--cluster", "--namespace", "--project"];
  const untold = [...verbs].flatMap(([words, flags]) => {
    const line = lines.find(([, told]) => told === words)?.[0] ?? "";
    // A verb may have words of its own below it (`health test`): they have their own line.
    const own = flags.filter((flag) => flag.startsWith("-") && ![...usual, ...narrowing].includes(flag));
    return own.filter((flag) => !line.includes(flag));
  });
  assert.deepEqual(untold, [], "flags that the page does not tell of");
});

test("docs/nats/accounts.mjs makes what the hub's own server is given", async () => {
  const claims = await text("hub/src/platform/nats/accounts.ts");
  const script = await text("docs/nats/accounts.mjs");
  const subjects = [...claims.matchAll(/"(\$JS[^"]+|hint\.\*|get\.desired\.\$1)"/g)].map(([, subject = ""]) => subject);
  assert.equal(new Set(subjects).size, 4);
  assert.deepEqual(missing(subjects, script), []);
});

test("docs/coming-from-argocd.md tells of every sync option and refused field that the hub knows", async () => {
  const source = await text("hub/src/documents/unsupported.ts");
  const page = await text("docs/coming-from-argocd.md");
  const options = [...source.matchAll(/"([A-Z]\w+=[a-z]+)"/g)].map(([, option = ""]) => option);
  const fields = [...source.matchAll(/(?:refused|warned)\(\[(?:\.\.\.path, )?((?:"\w+"(?:, )?)+)\]/g)];
  const names = fields.map(([, list = ""]) => (list.match(/\w+/g) ?? []).at(-1) ?? "");
  assert.ok(options.length > 10 && names.length > 5, "the lists were found");
  assert.deepEqual(missing([...options, ...names], page), []);
});

test("docs/wire.md names every feature and every domain of signatures", async () => {
  const page = await text("docs/wire.md");
  const [, features = ""] = /features = \[([^\]]+)\]/.exec(await text("proto/src/wire/handshake.ts")) ?? [];
  const domains = [...(await text("proto/src/wire/envelope.ts")).matchAll(/"(capstan\.v1\.\w+)"/g)];
  const wanted = [...features.matchAll(/"([a-z-]+)"/g), ...domains].map(([, name = ""]) => name);
  assert.ok(wanted.length > 8, "the lists were found");
  assert.deepEqual(
    missing(
      wanted.filter((name) => name !== "capstan.v1.bundle"),
      page,
    ),
    [],
  );
});

/** Names of headings as links have them. */
function anchorsOf(page: string): Set<string> {
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\w\s-]/g, "")
        .trim()
        .replace(/\s/g, "-"),
    ),
  );
}

/** Keys of zod objects in a source, as they are written: `name: z.…`, `name: port.…`. */
function keysOf(source: string): string[] {
  const values = "z|port|path|duration|secret|listenFragment|natsFragment|rootFragment|[a-z]+Fragment";
  const found = [...source.matchAll(new RegExp(`^\\s+(\\w+): (?:${values})\\b`, "gm"))].map(([, key = ""]) => key);
  const inline = [...source.matchAll(/[{,] (\w+): (?:z\.|secret\b)/g)].map(([, key = ""]) => key);
  return [...new Set([...found, ...inline])];
}
