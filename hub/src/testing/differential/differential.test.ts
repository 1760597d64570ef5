import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import fc from "fast-check";
import { difference, patientEngine } from "./compare.ts";
import { ask } from "./oracle.ts";
import { fastQuestions, type Question, questions } from "./templates.ts";

/** Built by e2e/toolchain where Go is present. */
const oracle = process.env["CAPSTAN_TEMPLATE_ORACLE"];
const skip = oracle === undefined || oracle === "" ? "the reference is built from Go, and there is no go here" : false;
const isFull = process.env["CAPSTAN_FULL"] === "1";
/** One seed in CI, so that a run says the same of the same code; a fresh one in the full run, told where it fails. */
const seed = Number(process.env["CAPSTAN_SEED"] ?? (isFull ? Date.now() % 2 ** 31 : 42));

async function compare(asked: readonly Question[]): Promise<void> {
  const answers = await ask(oracle ?? "", asked);
  const engine = patientEngine();
  const differences = asked.flatMap((question, index) => {
    const answer = answers[index];
    const found = answer === undefined ? "no answer" : difference(engine, question, answer);
    return found === undefined ? [] : [`${JSON.stringify(question)}\n    ${found}`];
  });
  const shortest = differences.sort((left, right) => left.length - right.length).slice(0, 5);
  assert.equal(differences.length, 0, `${differences.length} differ (CAPSTAN_SEED=${seed})\n${shortest.join("\n")}`);
  // Most templates run through: else their functions would never be compared.
  const ran = answers.filter(({ output }) => output !== undefined).length;
  assert.ok(ran > asked.length / 2, `only ${ran} of ${asked.length} ran`);
}

test("generated templates come out as Go's text/template and sprig write them", { skip, timeout: 600_000 }, () =>
  compare(fc.sample(questions, { numRuns: isFull ? 8_000 : 1_000, seed })),
);

test("generated texts of the old mode come out as fasttemplate fills them", { skip, timeout: 600_000 }, () =>
  compare(fc.sample(fastQuestions, { numRuns: isFull ? 2_000 : 300, seed })),
);
