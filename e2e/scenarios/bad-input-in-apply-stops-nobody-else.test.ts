import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { TempDir } from "../world/temp.ts";
import { badInputs } from "./bad-input.ts";
import { neighbourSet } from "./plain-fleet.ts";
import { Scenario, simulated } from "./scenario.ts";

interface Told {
  readonly code: string;
  readonly message: string;
  readonly next: string;
  readonly where: Readonly<Record<string, string>>;
}

interface Applied {
  readonly results: readonly { readonly name: string; readonly outcome: string; readonly faults?: readonly Told[] }[];
  readonly faults: readonly Told[];
}

test("I apply one file with every mistake in it: each is named with place and cure, its neighbours go on", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(2) });
  await using folder = await TempDir.make("apply");
  const { git, hub, repository, history } = scenario.world;
  await scenario.settled(2);
  const locked = await git.create("locked", { username: "fleet", password: "reader" });
  const mistakes = badInputs({ repoURL: repository.url, locked, absent: git.urlOf("absent") });
  const files = mistakes.flatMap((mistake) => Object.entries(mistake.files));
  const isDocument = ([path]: readonly [string, string]) => path.startsWith("argocd/");
  // What they deploy stands in Git; the documents themselves come by hand, good ones before and behind them.
  await scenario.publish(Object.fromEntries(files.filter((one) => !isDocument(one))), "What the mistakes deploy");
  await scenario.seenByHub();
  const good = (name: string, cluster: string) =>
    neighbourSet({ repoURL: repository.url, path: "apps/shop", clusters: [cluster], set: name });
  const documents = new Map(files.filter(isDocument));
  const text = [good("first", "c-01"), ...documents.values(), good("last", "c-02")].join("---\n");
  const file = folder.at("all.yaml");
  await writeFile(file, text);
  const lineOf = (content: string) => text.slice(0, text.indexOf(content)).split("\n").length;

  const tried = await hub.cli(["apply", "-f", file, "--dry-run", "-o", "json"], { bound: 120_000 });
  assert.equal(tried.code, 2, tried.stderr);
  const { results, faults } = JSON.parse(tried.stdout) as Applied;
  const told = [...faults, ...results.flatMap((one) => one.faults ?? [])];
  for (const { code, says, files: own, subject, at } of mistakes) {
    const found = told.filter((fault) => fault.code === code && says.every((pattern) => pattern.test(textOf(fault))));
    assert.equal(found.length, 1, `${subject ?? code} in ${told.map(textOf).join("\n")}`);
    const [fault] = found;
    assert.ok(fault !== undefined && fault.next !== "", `${subject} has a cure`);
    // A mistake in a document is told at its place in the file; one in what it deploys, at that file in Git.
    const starts = Object.entries(own)
      .filter(isDocument)
      .map(([, content]) => lineOf(content));
    const { file: place = "", line, column } = fault.where;
    if (at !== undefined) {
      assert.deepEqual([place, line], [file, String((starts[0] ?? 0) + at.line - 1)], textOf(fault));
      if (at.column !== undefined) assert.equal(column, String(at.column));
    } else if (place === file) {
      assert.ok(starts.includes(Number(line)), textOf(fault));
    } else {
      assert.match(place, new RegExp(`^bad/${subject}`));
    }
  }
  assert.equal(await scenario.valueOf("c-01", "first"), undefined, "a dry run changes nothing");

  const applied = await hub.cli(["apply", "-f", file], { bound: 120_000 });
  assert.equal(applied.code, 2, applied.stderr);
  const screen = applied.stdout.replace(/\s+/g, " ");
  assert.match(screen, /appset\/first created/);
  assert.match(screen, /appset\/last created/);
  for (const { message } of told) assert.ok(screen.includes(message.replace(/\s+/g, " ")), `${message}\n${screen}`);
  await scenario.arrived("1", { clusters: ["c-01"], apps: ["first"] });
  await scenario.arrived("1", { clusters: ["c-02"], apps: ["last"] });
  for (const { subject, code } of mistakes) {
    if (subject === undefined) continue;
    const why = await hub.cli(["why", subject, "-o", "json"]);
    assert.equal(why.code, 0, why.stderr);
    assert.match(why.stdout, new RegExp(`"${code}"`), `${subject}: ${why.stdout}`);
  }

  // What the root brings goes on as well, and a file that is right has nothing to say.
  await scenario.release("2");
  await scenario.arrived("2");
  await writeFile(file, good("first", "c-01"));
  const right = await hub.cli(["apply", "-f", file]);
  assert.equal(right.code, 0, right.stdout + right.stderr);
  assert.match(right.stdout, /appset\/first +unchanged/);
  history.assertHolds();
});

function textOf({ code, message, next, where }: Told): string {
  const places = Object.entries(where).map(([name, value]) => `${name} ${value}`);
  return `${code}: ${message} ${next} (${places.join(", ")})`;
}
