import type { MessageInitShape } from "@bufbuild/protobuf";
import { Fault, isFaultCode, objectText, parseObjectKey } from "@capstan/proto";
import type { QuestionSchema } from "@capstan/proto/agent";
import { parseDurationMs } from "../targets/policy.ts";
import { parseOutput } from "./answer.ts";
import type { Call } from "./call.ts";
import { exit } from "./exit.ts";
import { toned } from "./look.ts";
import { type Column, table } from "./table.ts";
import { flag, type Verb } from "./verb.ts";
import { stateTone } from "./words.ts";

/** `tree`, `events` and `logs`: what an agent sees in its cluster now. */
export const liveVerbs: readonly Verb[] = [
  {
    words: "tree",
    args: "<target>",
    help: "a target's objects and what they own (ReplicaSets, Pods, EndpointSlices ...), as its agent sees them now",
    flags: [flag.oneCluster, flag.output],
    examples: ["tree shop-web -c prod-us-2", "tree shop-web -c prod-us-2 -o json"],
    run: tree,
  },
  {
    words: "events",
    args: "<target>",
    help: "Kubernetes events of a target's objects and of what they own, newest first",
    flags: [flag.oneCluster, { flags: "--limit <n>", help: "newest so many, at most 1000 (default: 50)" }, flag.output],
    examples: ["events shop-web -c prod-us-2", "events shop-web -c prod-us-2 --limit 200 -o json"],
    run: events,
  },
  {
    words: "logs",
    args: "<target>",
    help: "logs of a target's pods; only for those who may see them, and recorded in the audit",
    flags: [
      flag.oneCluster,
      { flags: "--pod <name>", help: "only of this pod (default: all of the target)" },
      { flags: "--container <name>", help: "only of this container (default: all)" },
      { flags: "--tail <n>", help: "newest so many lines of each container, at most 10000 (default: 200)" },
      { flags: "--since <duration>", help: "only lines that are not older, for example 10m" },
      { flags: "--previous", help: "of the instance before the last crash" },
      { flags: "--follow", help: "go on as lines come, until Ctrl-C" },
      { flags: "--timestamps", help: "show when each line was written" },
      flag.output,
    ],
    examples: [
      "logs shop-web -c prod-us-2",
      "logs shop-web -c prod-us-2 --previous --tail 50",
      "logs shop-web -c prod-us-2 --pod web-7d9f-x2k4p --since 10m --follow",
    ],
    run: logs,
  },
];

type Ask = NonNullable<MessageInitShape<typeof QuestionSchema>["ask"]>;

/** The answer's text in parts. Throws what the agent says it cannot answer, and why. */
async function* asked(call: Call, ask: Ask): AsyncGenerator<string> {
  const hub = await call.hub();
  const decoder = new TextDecoder();
  const request = { name: call.word(0), cluster: call.cluster, question: { ask } };
  for await (const { answer } of hub.applications.askAgent(request, call.signal)) {
    if (answer?.problem !== undefined) {
      const { code, message, next } = answer.problem;
      throw new Fault(isFaultCode(code) ? code : "cluster-refused", { message, ...(next === "" ? {} : { next }) });
    }
    if (answer !== undefined) yield decoder.decode(answer.body, { stream: true });
  }
}

async function whole(call: Call, ask: Ask): Promise<unknown> {
  let text = "";
  for await (const part of asked(call, ask)) text += part;
  return JSON.parse(text);
}

interface Node {
  readonly object: string;
  readonly parent?: string;
  readonly health?: string;
  readonly message?: string;
  readonly info?: string;
}

interface Drawn extends Node {
  /** With the lines of the tree in front. */
  readonly text: string;
}

const treeColumns: readonly Column<Drawn>[] = [
  { head: "OBJECT", cell: ({ text }) => text },
  { head: "HEALTH", cell: ({ health }) => health ?? "", tone: ({ health }) => stateTone(health ?? "") },
  {
    head: "",
    cell: ({ info = "", message = "" }) => [info, message].filter((each) => each !== "").join("  "),
    gives: true,
  },
];

async function tree(call: Call): Promise<number> {
  const found = (await whole(call, { case: "resourceTree", value: {} })) as {
    readonly nodes: readonly Node[];
    readonly more: boolean;
  };
  const rest = found.more ? ["there is more that was not looked at"] : [];
  return call.show({
    text: (look) =>
      found.nodes.length === 0
        ? ["it has no objects here"]
        : [...table(treeColumns, drawn(found.nodes), look), ...rest],
    data: { nodes: found.nodes.map((node) => ({ ...node })), more: found.more },
    names: found.nodes.map(({ object }) => object),
    asOf: call.ports.clock.now(),
  });
}

/** Nodes come parents first, each followed by what it owns. */
function drawn(nodes: readonly Node[]): readonly Drawn[] {
  const children = new Map<string, Node[]>();
  for (const node of nodes) children.set(node.parent ?? "", [...(children.get(node.parent ?? "") ?? []), node]);
  const lines: Drawn[] = [];
  const draw = (parent: string, front: string): void => {
    const owned = children.get(parent) ?? [];
    for (const [at, node] of owned.entries()) {
      const last = at === owned.length - 1;
      const own = parent === "" ? "" : `${front}${last ? "└─ " : "├─ "}`;
      lines.push({ ...node, text: `${own}${nodeText(node)}` });
      draw(node.object, parent === "" ? "" : `${front}${last ? "   " : "│  "}`);
    }
  };
  draw("", "");
  return lines;
}

/** Below a parent the namespace is the parent's. */
function nodeText({ object, parent }: Node): string {
  const ref = parseObjectKey(object);
  return parent === undefined ? objectText(ref) : `${ref.kind} ${ref.name}`;
}

interface SeenEvent {
  readonly at: string;
  readonly type: string;
  readonly reason: string;
  readonly object: string;
  readonly message: string;
  readonly count?: number;
}

const eventColumns: readonly Column<SeenEvent>[] = [
  { head: "WHEN", cell: ({ at }) => at.replace("T", " ").replace(/(\.\d+)?Z$/, "") || "-" },
  { head: "TYPE", cell: ({ type }) => type || "-", tone: ({ type }) => (type === "Warning" ? "bad" : undefined) },
  { head: "REASON", cell: ({ reason }) => reason },
  { head: "COUNT", cell: ({ count }) => String(count ?? 1), wide: true },
  { head: "OBJECT", cell: ({ object }) => object, gives: true },
  { head: "MESSAGE", cell: ({ message }) => message, gives: true },
];

async function events(call: Call): Promise<number> {
  const limit = numberOf(call, "limit", { fallback: 50, most: 1_000 });
  const found = (await whole(call, { case: "events", value: { limit } })) as readonly SeenEvent[];
  return call.show({
    text: (look) => (found.length === 0 ? ["no events"] : table(eventColumns, found, look)),
    data: found.map((event) => ({ ...event })),
    names: found.map(({ object }) => object),
    asOf: call.ports.clock.now(),
  });
}

interface LogLine {
  readonly pod?: string;
  readonly container?: string;
  readonly at?: string;
  readonly line?: string;
  readonly problem?: string;
  readonly left?: number;
}

async function logs(call: Call): Promise<number> {
  const output = parseOutput(call.text("output"));
  if (output === "yaml" || output === "name") {
    throw new Fault("bad-input", {
      message: `logs have no -o ${output}.`,
      next: "Use -o json: one line of JSON each.",
    });
  }
  const value = {
    pod: call.text("pod") ?? "",
    container: call.text("container") ?? "",
    tail: numberOf(call, "tail", { fallback: 200, most: 10_000 }),
    previous: call.flag("previous"),
    follow: call.flag("follow"),
    sinceSeconds: sinceOf(call),
  };
  const { screen } = call.ports;
  let rest = "";
  let failed = false;
  for await (const part of asked(call, { case: "logs", value })) {
    const lines = (rest + part).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) {
      if (output === "json") screen.out(`${text}\n`);
      else failed = shown(call, JSON.parse(text) as LogLine) || failed;
    }
  }
  return failed ? exit.failed : exit.done;
}

/** Shows a line; whether it tells of a log that could not be read. */
function shown(call: Call, line: LogLine): boolean {
  const { screen } = call.ports;
  const place = `${line.pod ?? ""} ${line.container ?? ""}`;
  if (line.left !== undefined) screen.err(`${line.left} lines were left out: more than is carried\n`);
  else if (line.problem !== undefined) screen.err(`${place}: ${line.problem}\n`);
  else screen.out(`${toned(call.look, "quiet", front(call, line, place))}${visible(line.line ?? "")}\n`);
  return line.problem !== undefined;
}

function front(call: Call, { at = "" }: LogLine, place: string): string {
  return `${call.flag("timestamps") ? `${at} ` : ""}${place} | `;
}

/** A program's output must not drive the reader's terminal: control characters but tabs are shown, not sent. */
function visible(line: string): string {
  return [...line].map((char) => (char !== "\t" && isControl(char) ? "\u{fffd}" : char)).join("");
}

function isControl(char: string): boolean {
  const code = char.codePointAt(0) ?? 0;
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

function sinceOf(call: Call): number {
  const text = call.text("since");
  if (text === undefined) return 0;
  const seconds = Math.ceil(parseDurationMs(text) / 1_000);
  if (seconds > 0) return seconds;
  throw new Fault("bad-input", {
    message: `expected --since as a duration, found ${JSON.stringify(text)}.`,
    next: "For example --since 10m.",
  });
}

function numberOf(call: Call, name: string, { fallback, most }: { readonly fallback: number; readonly most: number }) {
  const text = call.text(name);
  const value = text === undefined ? fallback : Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Fault("bad-input", { message: `expected --${name} as a whole number from 1 to ${most}, found ${text}.` });
}
