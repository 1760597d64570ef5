import type { JsonValue } from "@bufbuild/protobuf";
import { Fault } from "@capstan/proto";
import { type UserRule, UserRules } from "@capstan/proto/rules";
import { groupKindOf, type Health, healthOrder, type Manifest, readHealth } from "@capstan/proto/verdict";
import { checkHealthRules } from "../documents/health-rules.ts";
import { parseDocuments } from "../documents/parse.ts";
import type { Call } from "./call.ts";
import { exit, faultLines } from "./exit.ts";
import { counted } from "./look.ts";
import { manifestsOf, type Piece, piecesOf } from "./manifests.ts";
import { type Column, table } from "./table.ts";
import { flag, type Verb } from "./verb.ts";
import { failsOf, type Judge, type Outcome, outcomesOf } from "./verdicts.ts";
import { stateTone } from "./words.ts";

const rulesFlag = {
  flags: "--rules <file>",
  help: "judge by the health rules of the AppProjects in this file as well",
};

/** `health` and `health test`: both work on files alone, with the very verdicts of the agents. */
export const healthVerbs: readonly Verb[] = [
  {
    words: "health",
    args: "<files...>",
    help: "the health of each manifest with a status, offline, as an agent would judge it",
    flags: [rulesFlag, flag.output],
    examples: [
      "health deployment.yaml",
      "health live.yaml -o json",
      "health widgets.yaml --rules project.yaml",
      "health - < live.yaml  # kubectl get all -A -o yaml | capstan health -",
    ],
    run: showHealth,
  },
  {
    words: "health test",
    args: "<folder>",
    help: "compare verdicts with those that a folder's files expect",
    flags: [rulesFlag, flag.output],
    examples: ["health test health/"],
    run: testHealth,
  },
];

interface Judged {
  readonly object: Manifest;
  readonly health: Health;
  readonly piece: Piece;
}

async function showHealth(call: Call): Promise<number> {
  const texts = (await Promise.all(call.words.map((path) => call.ports.files.documents(path)))).flat();
  const judge = await judgeOf(call);
  const judged: Judged[] = [];
  const faults: Fault[] = [];
  for (const piece of piecesOf(texts)) {
    try {
      judged.push(...manifestsOf(piece).map((object) => ({ object, health: judge(object), piece })));
    } catch (thrown) {
      faults.push(Fault.from(thrown));
    }
  }
  if (judged.length > 0 || faults.length === 0) {
    call.show({
      text: (look) => (judged.length === 0 ? ["no manifest in there"] : table(columns, judged, look)),
      data: judged.map(recordOf),
      names: judged.map(({ object }) => nameOf(object)),
    });
  }
  for (const fault of faults) call.ports.screen.err(faultLines(fault));
  return faults.length > 0 ? exit.failed : exitOfHealth(judged.map(({ health }) => health));
}

/** What is known of kinds, after the rules of projects where a file of them is given. Throws at the first bad document. */
async function judgeOf(call: Call): Promise<Judge> {
  const file = call.text("rules");
  if (file === undefined) return readHealth;
  const rules: UserRule[] = [];
  for (const { name, content } of await call.ports.files.documents(file)) {
    const { documents, faults } = parseDocuments(content, { owner: "", file: name, revision: "" });
    if (faults[0] !== undefined) throw faults[0];
    rules.push(
      ...documents.filter(({ kind }) => kind === "AppProject").flatMap((one) => checkHealthRules(one.metadata)),
    );
  }
  const own = new UserRules(rules);
  return (object) => own.read(object) ?? readHealth(object);
}

/** 0 when all is well, 2 when something is wrong, 3 when something only waits. */
function exitOfHealth(all: readonly Health[]): number {
  const worst = Math.max(0, ...all.map(({ status }) => healthOrder.indexOf(status)));
  if (worst >= healthOrder.indexOf("Missing")) return exit.failed;
  return worst >= healthOrder.indexOf("Progressing") ? exit.held : exit.done;
}

const columns: readonly Column<Judged>[] = [
  { head: "HEALTH", cell: ({ health }) => health.status, tone: ({ health }) => stateTone(health.status) },
  { head: "OBJECT", cell: ({ object }) => nameOf(object) },
  { head: "NAMESPACE", cell: ({ object }) => object.metadata.namespace ?? "-" },
  { head: "WHERE", cell: ({ piece }) => `${piece.file}:${piece.line}`, wide: true },
  { head: "MESSAGE", cell: ({ health }) => health.message || "-", gives: true },
];

function nameOf(object: Manifest): string {
  const { group, kind } = groupKindOf(object);
  return `${group === "" ? kind : `${kind}.${group}`}/${object.metadata.name || "-"}`;
}

function recordOf({ object, health, piece }: Judged): JsonValue {
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    namespace: object.metadata.namespace ?? "",
    name: object.metadata.name,
    status: health.status,
    message: health.message,
    file: piece.file,
    line: piece.line,
  };
}

async function testHealth(call: Call): Promise<number> {
  const outcomes = outcomesOf(await call.ports.files.documents(call.word(0)), await judgeOf(call));
  if (outcomes.length === 0) {
    throw new Fault("bad-input", {
      message: "expected at least one verdict to compare, found none.",
      where: { file: call.word(0) },
      next: "A pair is a document with expect, and the object under object. See docs/health.md.",
    });
  }
  const failed = outcomes.filter((one) => failsOf(one) !== "");
  call.show({
    text: () => [
      ...failed.map((one) => `${one.title}: ${failsOf(one)}`),
      `${counted(outcomes.length, "verdict")}, ${failed.length === 0 ? "all as expected" : `${failed.length} not as expected`}`,
    ],
    data: outcomes.map(outcomeRecord),
    names: failed.map(({ title }) => title),
  });
  return failed.length === 0 ? exit.done : exit.failed;
}

function outcomeRecord(outcome: Outcome): JsonValue {
  const { title, expected, found } = outcome;
  const fails = failsOf(outcome);
  return {
    pair: title,
    expected: { status: expected.status, ...(expected.message === undefined ? {} : { message: expected.message }) },
    found: found instanceof Fault ? { fault: found.code, message: found.message } : { ...found },
    passed: fails === "",
    ...(fails === "" ? {} : { why: fails }),
  };
}
