import { create } from "@bufbuild/protobuf";
import { Fault, type TargetKey } from "@capstan/proto";
import {
  type ApplyDocumentsResponse,
  ApplyDocumentsResponseSchema,
  type DocumentFile,
  type DocumentResult,
  DocumentResultSchema,
} from "@capstan/proto/application";
import type { FaultDetail } from "@capstan/proto/common";
import type { AppProject, Document } from "../documents/model.ts";
import { parseDocuments, type Warning } from "../documents/parse.ts";
import { documentKey } from "../documents/registry.ts";
import { asApplication, asApplicationSet, asAppProject } from "../documents/views.ts";
import type { Preview, PreviewRequest } from "../releases/preview.ts";
import type { World } from "./port.ts";
import type { Row } from "./rows.ts";
import type { Seen } from "./seen.ts";
import { faultDetail } from "./views.ts";
import { within } from "./within.ts";

/** How long looking ahead may take, in milliseconds; what is not looked at by then is said to be so. */
const lookAhead = 20_000;
const notInGit = "not in Git: lost if the hub's store is lost";

/** Who applies what, and whether it is only looked at. */
export interface Applying {
  readonly files: readonly DocumentFile[];
  readonly actor: string;
  readonly dryRun: boolean;
}

/**
 * Applies documents: each by itself, a wrong one does not stop its neighbours. What each would make is worked out beside
 * what stands (`preview`); a dry run stops there.
 */
export async function applyDocuments(
  { files, actor, dryRun }: Applying,
  world: World,
  at: { readonly seen: Seen; readonly signal: AbortSignal },
): Promise<ApplyDocumentsResponse> {
  const { intake, faults, warnings } = world.documents.read(files, actor);
  const created = new Set(
    intake.puts.map(documentKey).filter((key) => world.documents.registry.get(key) === undefined),
  );
  if (!dryRun) await world.documents.take(intake, at.signal);
  const projects = intake.puts.filter(({ kind }) => kind === "AppProject").map(asAppProject);
  const beside = { projects, taken: new Map<TargetKey, string>() };
  const results: DocumentResult[] = [];
  for (const document of [...intake.puts, ...intake.unchanged]) {
    const isPut = intake.puts.includes(document);
    const outcome = !isPut ? "unchanged" : created.has(documentKey(document)) ? "created" : "configured";
    const ahead = await lookAt(document, beside, { world, ...at });
    results.push(resultOf(document, outcome, { ahead, warnings: ofDocument(document, intake, warnings) }));
  }
  const refused = intake.conflicts.map((fault) => refusedResult(fault, files, world));
  return create(ApplyDocumentsResponseSchema, {
    results: [...results, ...refused],
    faults: faults.map((fault) => faultDetail(fault)),
  });
}

/** What a set or Application would make, against what stands. */
interface Ahead {
  readonly summary: string;
  readonly targets: number;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly faults: readonly Fault[];
  readonly warnings: readonly string[];
}

/** What other documents of the same call would bring; each that is looked at adds the names that it takes. */
interface Beside {
  readonly projects: readonly AppProject[];
  readonly taken: Map<TargetKey, string>;
}

async function lookAt(
  document: Document,
  beside: Beside,
  { world, seen, signal }: { readonly world: World; readonly seen: Seen; readonly signal: AbortSignal },
): Promise<Ahead | undefined> {
  if (document.kind !== "ApplicationSet" && document.kind !== "Application") return undefined;
  const owner = `${document.metadata.namespace}/${document.metadata.name}`;
  try {
    const given =
      document.kind === "ApplicationSet"
        ? { set: asApplicationSet(document) }
        : { application: asApplication(document) };
    const request: PreviewRequest = { owner, ...given, ...beside };
    const preview = await within(world.clock, { ms: lookAhead, signal }, (stop) =>
      world.releases.preview(request, stop),
    );
    for (const { target } of preview.targets) beside.taken.set(target.key, owner);
    return against(
      preview,
      seen.rows.filter((row) => row.owner === owner),
    );
  } catch (thrown) {
    signal.throwIfAborted();
    const fault = Fault.from(thrown);
    const slow = fault.code === "timeout" || fault.code === "cancelled";
    const told = slow ? new Fault("timeout", { message: `not looked at within ${lookAhead / 1000} s.` }) : fault;
    return { summary: "", targets: 0, added: 0, changed: 0, removed: 0, faults: [told], warnings: [] };
  }
}

/** Counts a preview against what desired states hold. Pure. */
export function against(preview: Preview, rows: readonly Row[]): Ahead {
  const held = new Map(rows.filter((row) => row.held !== undefined).map((row) => [placeOf(row), row.held] as const));
  const made = new Set<string>();
  const named = new Set<TargetKey>(preview.targetFaults.keys());
  let added = 0;
  let changed = 0;
  for (const { target, content } of preview.targets) {
    const place = placeOf(target);
    made.add(place);
    named.add(target.key);
    if (!held.has(place)) added += 1;
    else if (content !== undefined && content !== held.get(place)) changed += 1;
  }
  // What failed keeps what it has; a target that only changes its cluster leaves the old one.
  const gone = [...held.keys()].filter((place) => {
    if (made.has(place)) return false;
    const key = place.slice(0, place.indexOf(" ")) as TargetKey;
    return preview.complete ? !preview.targetFaults.has(key) : named.has(key) && !preview.targetFaults.has(key);
  });
  return {
    summary: preview.summary,
    targets: preview.targets.length,
    added,
    changed: preview.changes.update ? changed : 0,
    removed: preview.changes.remove ? gone.length : 0,
    faults: [...preview.faults, ...preview.targetFaults.values()],
    warnings: [...new Set(preview.targets.flatMap((each) => each.warnings))].slice(0, 10),
  };
}

function placeOf({ key, cluster }: { readonly key: TargetKey; readonly cluster: string }): string {
  return `${key} ${cluster}`;
}

function resultOf(
  { kind, metadata, origin }: Document,
  outcome: string,
  { ahead, warnings }: { readonly ahead: Ahead | undefined; readonly warnings: readonly Warning[] },
): DocumentResult {
  const where = { file: origin.file, line: origin.line };
  const told = [...warnings, ...(ahead?.warnings ?? []).map((message): Warning => ({ message, where }))].map(
    ({ message, where: place }) => faultDetail(new Fault("bad-input", { message, where: place })),
  );
  return create(DocumentResultSchema, {
    kind,
    namespace: metadata.namespace,
    name: metadata.name,
    outcome,
    summary: ahead?.summary ?? "",
    targets: ahead?.targets ?? 0,
    newTargets: ahead?.added ?? 0,
    changedTargets: ahead?.changed ?? 0,
    removedTargets: ahead?.removed ?? 0,
    warnings: told,
    faults: gathered((ahead?.faults ?? []).map((fault) => (fault.where.file === undefined ? fault.at(where) : fault))),
    note: origin.owner.startsWith("cli:") ? notInGit : "",
  });
}

/** Equal faults of many targets are told once, with their number. */
export function gathered(faults: readonly Fault[]): FaultDetail[] {
  const groups = new Map<string, { readonly first: Fault; count: number }>();
  for (const fault of faults) {
    const key = `${fault.code} ${fault.message}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: fault, count: 1 });
    else group.count += 1;
  }
  return [...groups.values()].map(({ first, count }) => {
    const detail = faultDetail(first);
    if (count > 1) detail.message += ` (and ${count - 1} more like it)`;
    return detail;
  });
}

/** The warnings of a file between this document's first line and the next document's. */
function ofDocument(
  document: Document,
  intake: { readonly puts: readonly Document[]; readonly unchanged: readonly Document[] },
  warnings: readonly Warning[],
): readonly Warning[] {
  const { file, line } = document.origin;
  const later = [...intake.puts, ...intake.unchanged]
    .filter(({ origin }) => origin.file === file && origin.line > line)
    .map(({ origin }) => origin.line);
  const end = Math.min(...later, Number.POSITIVE_INFINITY);
  return warnings.filter(({ where }) => where.file === file && where.line >= line && where.line < end);
}

function refusedResult(fault: Fault, files: readonly DocumentFile[], world: World): DocumentResult {
  const { file = "", line = 0 } = fault.where;
  const content = files.find(({ name }) => name === file)?.content ?? "";
  const { documents } = parseDocuments(content, { owner: "", file, revision: "" });
  const document = documents.find(({ origin }) => origin.line === line);
  const rival = document === undefined ? undefined : world.documents.registry.get(documentKey(document));
  return create(DocumentResultSchema, {
    kind: document?.kind ?? "",
    namespace: document?.metadata.namespace ?? "",
    name: document?.metadata.name ?? "",
    outcome: "refused",
    faults: [faultDetail(rival === undefined ? fault : managedElsewhere(rival).at({ file, line }))],
  });
}

/** A document that Git or an application owns is changed there. */
export function managedElsewhere({ kind, metadata, origin }: Document): Fault {
  const { owner, file, line } = origin;
  const name = `${kind} ${metadata.namespace === "" ? "" : `${metadata.namespace}/`}${metadata.name}`;
  const [type = "", by = ""] = owner.split(/:(.*)/s);
  const who = type === "root" ? `root ${by}` : type === "app" ? `application ${by}` : owner;
  return new Fault("name-conflict", {
    message: `${name} is managed by ${who} (${file}:${line}).`,
    next: type === "root" ? `Change it in Git, or remove it there first.` : "Give one of the two another name.",
  });
}
