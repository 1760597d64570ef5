import assert from "node:assert/strict";
import { test } from "node:test";
import type { FaultDetail } from "@capstan/proto/common";
import { notYet, until } from "../world/wait.ts";
import { type BadInput, badInputs } from "./bad-input.ts";
import { Scenario, simulated } from "./scenario.ts";

test("many mistakes side by side are each named with place and cure, and what is right goes on", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(2) });
  const { git, hub, repository, history } = scenario.world;
  const { applications } = await hub.client();
  const locked = await git.create("locked", { username: "fleet", password: "reader" });
  const mistakes = badInputs({ repoURL: repository.url, locked, absent: git.urlOf("absent") });
  await scenario.settled(2);
  await scenario.publish(Object.assign({}, ...mistakes.map(({ files }) => files)), "Everything at once");
  await scenario.release("2");

  const told = async (): Promise<readonly FaultDetail[]> => {
    const { roots } = await applications.listRoots({});
    const { sets } = await applications.listSets({});
    const { targets } = await applications.listTargets({});
    return [...roots, ...sets, ...targets].flatMap(({ faults }) => faults);
  };
  await until(
    "every mistake to be told",
    async () => {
      const faults = await told();
      const missing = mistakes.filter((mistake) => !faults.some((fault) => tells(fault, mistake)));
      return missing.length === 0 || notYet({ missing, faults: faults.map(lineOf) });
    },
    20_000,
  );
  await scenario.arrived("2");

  for (const { subject, code, says } of mistakes) {
    if (subject === undefined) continue;
    const { headline, reasons } = await applications.explain({ subject });
    const found = reasons.filter(({ rule }) => rule === code);
    assert.equal(found.length, 1, `${subject}: ${headline}: ${reasons.map(({ message }) => message).join("; ")}`);
    const [reason] = found;
    const line = [reason?.subject, reason?.message, ...(reason?.unblock ?? []), ...(reason?.details ?? [])].join(" ");
    for (const pattern of says) assert.match(`${headline} ${line}`, pattern);
    assert.equal(reason?.unblock.length, 1, `${subject} has a cure`);
    assert.doesNotMatch(headline, /where Git asks/);
  }
  const why = await hub.cli(["why", "twin-b"]);
  assert.equal(why.code, 0, why.stderr);
  assert.match(why.stdout.replace(/\s+/g, " "), /argocd\/twin is taken by argocd\/twin-a.*Give one of the two/);

  // The good goes on, and so it does once more when all is mended.
  await scenario.release("3");
  await scenario.arrived("3");
  await repository.deleteFiles(...mistakes.flatMap(({ files }) => Object.keys(files)));
  await scenario.commit("Away with all of it");
  await until("nothing to tell", async () => (await told()).length === 0 || notYet((await told()).map(lineOf)), 10_000);
  history.assertHolds();
});

function tells(fault: FaultDetail, { code, says, files, at }: BadInput): boolean {
  const { file = "", line, column } = fault.where;
  const placed =
    at === undefined ||
    (file in files && Number(line) === at.line && (at.column === undefined || Number(column) === at.column));
  return fault.code === code && fault.next !== "" && placed && says.every((pattern) => pattern.test(lineOf(fault)));
}

function lineOf({ code, message, next, where }: FaultDetail): string {
  const places = Object.entries(where).map(([name, value]) => `${name} ${value}`);
  return `${code}: ${message} ${next} (${places.join(", ")})`;
}
