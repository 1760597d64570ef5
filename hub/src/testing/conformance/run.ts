import type { TemplateEngine } from "../../template/engine.ts";
import { checkSet } from "./check-set.ts";
import { checkTemplate } from "./check-template.ts";
import { isSetPair, type Pair, parsePair } from "./pair.ts";

/** One file of pairs, a JSON object a line. */
export interface PairFile {
  readonly name: string;
  readonly text: string;
}

interface Failure {
  /** The pair's id, or `file:line` where it cannot be read. */
  readonly id: string;
  readonly difference: string;
}

/** What one topic came to. */
export interface TopicResult {
  readonly topic: string;
  readonly passed: number;
  readonly failures: readonly Failure[];
}

/** Checks all pairs of the files, and groups what came out by topic, in order of first sight. */
export function runPairs(engine: TemplateEngine, files: readonly PairFile[]): TopicResult[] {
  const topics = new Map<string, { passed: number; failures: Failure[] }>();
  const note = (topic: string, failure?: Failure) => {
    const known = topics.get(topic) ?? { passed: 0, failures: [] };
    topics.set(topic, known);
    if (failure === undefined) known.passed += 1;
    else known.failures.push(failure);
  };
  for (const { name, text } of files) {
    for (const [index, line] of text.split("\n").entries()) {
      if (line.trim() === "") continue;
      const pair = readPair(line);
      if (typeof pair === "string") note("unreadable", { id: `${name}:${index + 1}`, difference: pair });
      else {
        const difference = checkPair(engine, pair);
        note(pair.topic, difference === undefined ? undefined : { id: pair.id, difference });
      }
    }
  }
  return [...topics].map(([topic, { passed, failures }]) => ({ topic, passed, failures }));
}

/** What is wrong with our answer to one pair; undefined: nothing. An answer that is no fault is wrong too. */
export function checkPair(engine: TemplateEngine, pair: Pair): string | undefined {
  try {
    return isSetPair(pair) ? checkSet(engine, pair) : checkTemplate(engine, pair);
  } catch (thrown) {
    return `crashed: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
}

function readPair(line: string): Pair | string {
  try {
    return parsePair(line);
  } catch (thrown) {
    return `is no pair: ${thrown instanceof Error ? thrown.message.replaceAll(/\s+/g, " ") : String(thrown)}`;
  }
}

const shownFailures = 3;

/** The report for people; its last line is `N passed, N failed`. */
export function report(results: readonly TopicResult[]): { readonly text: string; readonly failed: number } {
  const passed = results.reduce((sum, one) => sum + one.passed, 0);
  const failed = results.reduce((sum, one) => sum + one.failures.length, 0);
  const width = Math.max(0, ...results.map(({ topic }) => topic.length));
  const lines = results.flatMap((one) => [
    `${one.topic.padEnd(width)}  ${one.passed} passed, ${one.failures.length} failed`,
    ...one.failures.slice(0, shownFailures).map(({ id, difference }) => `  ${id}: ${shortened(difference)}`),
    ...(one.failures.length > shownFailures ? [`  and ${one.failures.length - shownFailures} more`] : []),
  ]);
  return { text: `${[...lines, `${passed} passed, ${failed} failed`].join("\n")}\n`, failed };
}

function shortened(text: string): string {
  return text.length > 600 ? `${text.slice(0, 600)}…` : text;
}
