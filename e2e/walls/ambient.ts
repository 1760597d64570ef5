import { houses } from "./plan.ts";
import { asNode, isTest, lineAt, type Node, placeOf, type Source, type Violation, walk } from "./source.ts";

/** What a core may not reach for, and what it uses instead. */
const clock = "take `now` as a field of the input, or a Clock in a shell";
const chance = "take a Chance as a field of the input";
const waiting = "return the instant to be called again (Outcome), or use Clock.sleep(ms, signal) in a shell";
const world = "declare a port and implement it under platform/";
const bytes = "use Uint8Array, TextEncoder and TextDecoder";
const order = "compare with < and >: localeCompare and local time follow the machine's settings";

const globals: Readonly<Record<string, string>> = {
  process: "take what you need from the environment as an argument; platform/process reads it once",
  performance: clock,
  setTimeout: waiting,
  setInterval: waiting,
  setImmediate: waiting,
  fetch: world,
  WebSocket: world,
  console: "return facts; the shell logs them",
  Buffer: bytes,
  require: world,
  globalThis: "name what you need, as an argument",
};

const members: Readonly<Record<string, string>> = {
  "Date.now": clock,
  "Math.random": chance,
  "crypto.randomUUID": chance,
  "crypto.getRandomValues": chance,
  "crypto.subtle": world,
  "AbortSignal.timeout": waiting,
  "import.meta": world,
};

const localMethods = [
  "localeCompare",
  "toLocaleString",
  "toLocaleDateString",
  "toLocaleTimeString",
  "getHours",
  "getMinutes",
  "getDay",
  "getDate",
  "getMonth",
  "getFullYear",
];

/** Wall 3: no clock, timer, chance, environment, or other hidden input in a core. */
export function ambientViolations(sources: readonly Source[]): Violation[] {
  return sources.filter((source) => isCore(source.path)).flatMap(inSource);
}

/** The system clock is the one place that reads the time; platform and main touch the world; the rest are cores. */
function isCore(path: string): boolean {
  const { workspace, room } = placeOf(path);
  if (room === undefined || houses[workspace] === undefined || isTest(path)) return false;
  return !["platform", "main.ts", "gen"].includes(room) && path !== "proto/src/time/system.ts";
}

function inSource(source: Source): Violation[] {
  const declared = declaredNames(source.program);
  const found: Violation[] = [];
  walk(source.program, (node, parent, field) => {
    const use = ambientUse(node, parent, field, declared);
    if (use === undefined) return;
    found.push({
      rule: "no-ambient-input",
      path: source.path,
      line: lineAt(source.text, node.start),
      message: `${use.what} makes a decision that nobody can replay; ${use.instead}`,
    });
  });
  return found;
}

interface Use {
  readonly what: string;
  readonly instead: string;
}

function ambientUse(node: Node, parent: Node | undefined, field: string | undefined, declared: ReadonlySet<string>) {
  if (node.type === "NewExpression" || node.type === "CallExpression") return currentDate(node, declared);
  if (node.type === "MetaProperty") return { what: "import.meta", instead: world } satisfies Use;
  if (node.type === "MemberExpression") return memberUse(node, declared);
  if (node.type !== "Identifier" || !isReference(parent, field)) return undefined;
  const name = String(node["name"]);
  const instead = Object.hasOwn(globals, name) && !declared.has(name) ? globals[name] : undefined;
  return instead === undefined ? undefined : ({ what: name, instead } satisfies Use);
}

/** `new Date()` and `Date()` read the clock; `new Date(instant)` only converts. */
function currentDate(node: Node, declared: ReadonlySet<string>): Use | undefined {
  const callee = asNode(node["callee"]);
  if (callee?.type !== "Identifier" || callee["name"] !== "Date" || declared.has("Date")) return undefined;
  const given = (node["arguments"] as readonly unknown[]).length;
  if (node.type === "NewExpression" && given > 0) return undefined;
  return { what: node.type === "NewExpression" ? "new Date()" : "Date()", instead: clock };
}

function memberUse(node: Node, declared: ReadonlySet<string>): Use | undefined {
  const property = asNode(node["property"]);
  const name = node["computed"] === true ? property?.["value"] : property?.["name"];
  if (typeof name !== "string") return undefined;
  if (localMethods.includes(name)) return { what: `.${name}`, instead: order };
  const object = asNode(node["object"]);
  if (object?.type !== "Identifier" || declared.has(String(object["name"]))) return undefined;
  const what = `${String(object["name"])}.${name}`;
  const instead = Object.hasOwn(members, what) ? members[what] : undefined;
  return instead === undefined ? undefined : { what, instead };
}

/** Whether an identifier stands for a value here, and is not the name of a field, a key, a type or a label. */
function isReference(parent: Node | undefined, field: string | undefined): boolean {
  if (parent === undefined) return true;
  if (parent.type.startsWith("TS") && !["TSAsExpression", "TSSatisfiesExpression"].includes(parent.type)) return false;
  if (parent.type === "MemberExpression") return field === "object" || parent["computed"] === true;
  if (field === "key") return parent["computed"] === true;
  return !/^(Import|Export).*Specifier$/.test(parent.type) && parent.type !== "LabeledStatement";
}

/** Every name that the file binds anywhere: a parameter called `process` is no global. */
function declaredNames(program: Node): ReadonlySet<string> {
  const names = new Set<string>();
  const bind = (value: unknown): void => {
    const node = asNode(value);
    if (node === undefined) return;
    if (node.type === "Identifier") names.add(String(node["name"]));
    else if (node.type === "ObjectPattern")
      for (const one of node["properties"] as Node[]) bind(one["value"] ?? one["argument"]);
    else if (node.type === "ArrayPattern") for (const one of node["elements"] as unknown[]) bind(one);
    else if (node.type === "AssignmentPattern") bind(node["left"]);
    else if (node.type === "RestElement") bind(node["argument"]);
  };
  walk(program, (node) => {
    if (node.type === "VariableDeclarator" || node.type === "ClassDeclaration") bind(node["id"]);
    if (Array.isArray(node["params"])) for (const one of node["params"]) bind(one);
    if (node.type === "FunctionDeclaration") bind(node["id"]);
    if (/^Import.*Specifier$/.test(node.type)) bind(node["local"]);
    if (node.type === "CatchClause") bind(node["param"]);
  });
  return names;
}
