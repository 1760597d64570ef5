import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Question } from "./templates.ts";

/** What Go makes of a question. */
export interface OracleAnswer {
  readonly output?: string;
  readonly stage?: "parse" | "exec" | "fasttemplate" | "panic" | "timeout" | "question";
  readonly error?: string;
}

/** Asks the reference program, which `e2e/template-oracle` builds. A question that ends it counts as `timeout`. */
export async function ask(program: string, questions: readonly Question[]): Promise<OracleAnswer[]> {
  const answers: OracleAnswer[] = [];
  while (answers.length < questions.length) {
    answers.push(...(await askOnce(program, questions.slice(answers.length))));
    // Go has no bound on what a circle of maps prints: its stack overflows, and the next begins after it.
    if (answers.length < questions.length) answers.push({ stage: "timeout" });
  }
  return answers;
}

async function askOnce(program: string, questions: readonly Question[]): Promise<OracleAnswer[]> {
  const child = spawn(program, [], { stdio: ["pipe", "pipe", "ignore"] });
  const answers: OracleAnswer[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve());
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(questions.map((question) => `${JSON.stringify(question)}\n`).join(""));
  for await (const line of createInterface({ input: child.stdout })) answers.push(JSON.parse(line));
  await ended;
  return answers;
}
