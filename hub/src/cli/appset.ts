import type { JsonValue } from "@bufbuild/protobuf";
import { Fault } from "@capstan/proto";
import { DiffTargetsResponseSchema } from "@capstan/proto/application";
import type { JsonObject } from "../documents/model.ts";
import { parseDocuments } from "../documents/parse.ts";
import { type Finding, lintSet } from "../generators/lint.ts";
import type { GeneratedApplication } from "../generators/model.ts";
import { toYaml } from "../yaml/write.ts";
import { dataOf } from "./answer.ts";
import type { Call } from "./call.ts";
import { exit, faultLines } from "./exit.ts";
import { counted } from "./look.ts";
import { generateFiles, type OfflineSet, offlineFlags } from "./offline.ts";
import { diffScreen } from "./screens/diff.ts";
import { type Column, table } from "./table.ts";
import { findPlace } from "./template-place.ts";
import { flag, type Verb } from "./verb.ts";

const offline = [flag.file, offlineFlags.clusters, offlineFlags.repo, offlineFlags.strict, flag.output];

/** `appset generate`, `diff`, `explain` and `lint`. */
export const appsetVerbs: readonly Verb[] = [
  {
    words: "appset generate",
    help: "the Applications that a set's file makes; offline with --clusters and --repo, else for the hub's clusters",
    flags: offline,
    examples: [
      "appset generate -f set.yaml --clusters clusters.yaml --repo .",
      "appset generate -f set.yaml --repo https://git.example.com/fleet.git=../fleet -o yaml",
    ],
    run: showGenerated,
  },
  {
    words: "appset diff",
    help: "a set's file against the hub: targets added, removed, changed, moved; exit code 0 none, 1 differences, 2 trouble",
    flags: [flag.file, flag.cluster, flag.output],
    examples: ["appset diff -f set.yaml", "appset diff -f set.yaml -o wide  # with what changes in their objects"],
    run: diffSets,
  },
  {
    words: "appset explain",
    args: "<target>",
    help: "which element of which generator makes a target, with its parameters; from files with -f, else as the hub made it",
    flags: offline,
    examples: ["appset explain cart-eu-1", "appset explain cart-eu-1 -f set.yaml --clusters clusters.yaml --repo ."],
    run: explainTarget,
  },
  {
    words: "appset lint",
    help: "the traps in a set's file, with line and column; exit code 2 where there is one",
    flags: offline,
    examples: ["appset lint -f set.yaml --clusters clusters.yaml --repo ."],
    run: lintFiles,
  },
];

async function showGenerated(call: Call): Promise<number> {
  const sets = await generateFiles(call);
  const made = sets.flatMap(({ result }) => result.applications);
  call.show({
    text: (look) => (made.length === 0 ? ["no application"] : table(columns, made, look)),
    data: { apiVersion: "v1", kind: "List", items: made.map(manifestOf) },
    names: made.map(({ application }) => `application/${application.metadata.name}`),
  });
  return tellFaults(call, sets);
}

const columns: readonly Column<GeneratedApplication>[] = [
  { head: "APPLICATION", cell: ({ application }) => application.metadata.name },
  { head: "PROJECT", cell: ({ application }) => application.spec.project },
  {
    head: "DESTINATION",
    cell: ({ application: { spec } }) => spec.destination.name || spec.destination.server || "-",
  },
  { head: "NAMESPACE", cell: ({ application }) => application.spec.destination.namespace || "-" },
  { head: "SOURCE", cell: ({ application }) => sourceOf(application.spec as unknown as JsonObject), gives: true },
  { head: "GENERATOR", cell: ({ trace }) => trace.generator, wide: true },
];

function sourceOf(spec: JsonObject): string {
  const sources = (spec["sources"] ?? [spec["source"] ?? {}]) as readonly JsonObject[];
  const [first = {}] = sources;
  const what = [first["path"] ?? first["chart"], first["targetRevision"]].filter((part) => typeof part === "string");
  return `${what.join(" @ ")}${sources.length > 1 ? ` and ${sources.length - 1} more` : ""}`;
}

function manifestOf({ application }: GeneratedApplication): JsonValue {
  const { name, namespace, labels, annotations, finalizers } = application.metadata;
  const full = (value: object) => Object.keys(value).length > 0;
  return plain({
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: {
      name,
      namespace,
      ...(full(labels) ? { labels } : {}),
      ...(full(annotations) ? { annotations } : {}),
      ...(full(finalizers) ? { finalizers } : {}),
    },
    spec: application.spec,
  });
}

/** As JSON has it: a whole number beyond what JavaScript holds becomes a float. */
function plain(value: unknown): JsonValue {
  return JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? Number(inner) : inner)));
}

/** Faults and refused applications go to the error output: each once, with its generator and the first element. */
function tellFaults(call: Call, sets: readonly OfflineSet[]): number {
  let told = 0;
  for (const { document, result } of sets) {
    const rejected = result.rejected.map(({ fault, trace }) => ({ fault, element: trace.element }));
    const alike = new Map<string, { readonly fault: Fault; readonly element?: JsonObject; count: number }>();
    for (const one of [...result.faults, ...rejected]) {
      const known = alike.get(one.fault.message);
      if (known === undefined) alike.set(one.fault.message, { ...one, count: 1 });
      else known.count += 1;
    }
    for (const { fault, element, count } of alike.values()) {
      // A line without a file is one of the template, which the message tells.
      const { file, line } = document.origin;
      call.ports.screen.err(faultLines(fault.where.line === undefined ? fault.at({ file, line }) : fault));
      const more = count > 1 ? ` (and ${count - 1} more)` : "";
      if (element !== undefined) call.ports.screen.err(`  element: ${shortJson(element)}${more}\n`);
      told += 1;
    }
  }
  for (const { document, result } of sets) {
    if (result.listingNeeds.length === 0) continue;
    const { file, line } = document.origin;
    const fault = new Fault("unsupported", {
      message: "a generator of the set asks a server, which the hub alone does; its elements are missing here.",
      where: { file, line },
      next: "capstan appset diff -f FILE asks the hub.",
    });
    call.ports.screen.err(faultLines(fault));
    told += 1;
  }
  return told === 0 ? exit.done : exit.failed;
}

function shortJson(value: unknown): string {
  const text = JSON.stringify(plain(value));
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

async function diffSets(call: Call): Promise<number> {
  const paths = call.list("file");
  if (paths.length === 0)
    throw new Fault("bad-input", { message: "expected -f FILE, found none.", next: "Name the set's file." });
  const files = (await Promise.all(paths.map((path) => call.ports.files.documents(path)))).flat();
  for (const { name, content } of files) {
    const { faults } = parseDocuments(content, { owner: "cli:files", file: name, revision: "" });
    if (faults[0] !== undefined) throw faults[0];
  }
  const hub = await call.hub();
  const found = await hub.applications.diffTargets({ files, clusters: [...call.list("cluster")] }, call.signal);
  const groups = ["added", "removed", "changed", "moved"].flatMap((change) => {
    const targets = found.groups.filter((group) => group.change === change).flatMap((group) => group.targets);
    return targets.length === 0 ? [] : [{ change, targets: targets.sort() }];
  });
  call.show({
    text: (look) => {
      if (look.wide) return diffScreen(found, look);
      if (groups.length === 0) return ["no target is added, removed, changed or moved"];
      return groups.flatMap(({ change, targets }) => [
        `${counted(targets.length, "target")} ${change}`,
        ...targets.map((target) => `  ${target}`),
      ]);
    },
    data: dataOf(DiffTargetsResponseSchema, found),
    names: groups.flatMap(({ targets }) => targets.map((target) => `target/${target.split(" on ")[0] ?? ""}`)),
  });
  if (found.faults.length > 0) {
    for (const { message } of found.faults) call.ports.screen.err(`capstan: ${message}\n`);
    return exit.failed;
  }
  return groups.length > 0 ? exit.differences : exit.done;
}

async function explainTarget(call: Call): Promise<number> {
  if (call.list("file").length === 0) return explainOnHub(call);
  const name = call.word(0).split("/").at(-1) ?? "";
  const sets = await generateFiles(call);
  const all = sets.flatMap(({ document, result }) =>
    [...result.applications, ...result.rejected].map((one) => ({ one, document })),
  );
  const found = all.filter(({ one }) => one.application.metadata.name === name);
  if (found.length === 0) {
    tellFaults(call, sets);
    throw new Fault("not-found", {
      message: `the files make no application ${JSON.stringify(name)}; they make ${counted(all.length, "application")}.`,
      next: "capstan appset generate -o name lists them.",
    });
  }
  return call.show({
    text: () => found.flatMap(({ one, document }) => explained(one, `${document.origin.file}:${document.origin.line}`)),
    data: found.map(({ one, document }) =>
      plain({ set: document.metadata.name, file: document.origin.file, ...traceOf(one) }),
    ),
    names: found.map(({ one }) => `application/${one.application.metadata.name}`),
  });
}

function traceOf({ application, trace }: GeneratedApplication): JsonObject {
  return { application: application.metadata.name, generator: trace.generator, element: trace.element };
}

function explained({ application, trace }: GeneratedApplication, set: string): string[] {
  const parameters = toYaml(trace.element).trimEnd().split("\n");
  return [
    `${application.metadata.name} is made by ${trace.generator} of ${set}`,
    "",
    ...parameters.map((line) => `  ${line}`),
  ];
}

/** The hub keeps the generator and the element of each target. */
async function explainOnHub(call: Call): Promise<number> {
  const hub = await call.hub();
  const found = await hub.applications.getTarget({ name: call.word(0), cluster: "" }, call.signal);
  const madeBy = found.targets[0]?.madeBy ?? "";
  const space = madeBy.indexOf(" ");
  if (madeBy === "" || space < 0) {
    throw new Fault("not-found", {
      message: `${call.word(0)} is made by no set.`,
      next: "It is an Application of its own: capstan describe target says where it stands.",
    });
  }
  const generator = madeBy.slice(0, space);
  const element = JSON.parse(madeBy.slice(space + 1)) as JsonObject;
  const set = found.targets[0]?.set ?? "";
  return call.show({
    text: () => [
      `${call.word(0)} is made by ${generator} of ${set}`,
      "",
      ...toYaml(element)
        .trimEnd()
        .split("\n")
        .map((line) => `  ${line}`),
    ],
    data: plain({ set, application: call.word(0), generator, element }),
    names: [`application/${call.word(0)}`],
  });
}

interface PlacedFinding extends Finding {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

async function lintFiles(call: Call): Promise<number> {
  const sets = await generateFiles(call);
  const findings = sets.flatMap((one) => placed(one));
  call.show({
    text: () => (findings.length === 0 ? ["no trap found"] : findings.flatMap(findingLines)),
    data: findings.map(({ file, line, column, trap, message, next, path }) => {
      return plain({ file, line, column, trap, field: path.join("."), message, next });
    }),
    names: findings.map(({ file, line, column }) => `${file}:${line}:${column}`),
  });
  const code = tellFaults(
    call,
    sets.map((one) => ({ ...one, result: { ...one.result, rejected: [] } })),
  );
  return findings.length > 0 ? exit.failed : code;
}

function placed({ document, text, result }: OfflineSet): PlacedFinding[] {
  const unknown = (document.unknown ?? []).map(({ field, file, line, column }) => ({
    trap: "field",
    path: [field],
    file,
    line,
    column,
    message: `${field} is no field of an ApplicationSet, and has no effect.`,
    next: "Look for a typing error.",
  }));
  const { file } = document.origin;
  const found = lintSet(document.raw, result).map((finding) => ({
    ...finding,
    file,
    ...findPlace(text, document, finding),
  }));
  return [...unknown, ...found].sort((left, right) => left.line - right.line || left.column - right.column);
}

function findingLines({ file, line, column, trap, message, next }: PlacedFinding): string[] {
  return [`${file}:${line}:${column} ${trap}: ${message}`, `  ${next}`];
}
