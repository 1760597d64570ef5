import type { ApplyDocumentsResponse, DocumentResult } from "@capstan/proto/application";
import type { FaultDetail } from "@capstan/proto/common";
import { counted, type Look, toned, wrapped } from "../look.ts";
import { qualified } from "../names.ts";
import { type Column, table } from "../table.ts";
import { stateTone } from "../words.ts";
import { faultLines, placeText } from "./fault.ts";

const shortKinds: Readonly<Record<string, string>> = {
  ApplicationSet: "appset",
  Application: "app",
  AppProject: "project",
  Cluster: "cluster",
};

/** What became of applied documents, or would become: one line each, then warnings, then what is wrong. */
export function applyScreen(response: ApplyDocumentsResponse, dryRun: boolean, look: Look): string[] {
  const { results, faults } = response;
  const columns: readonly Column<DocumentResult>[] = [
    { head: "DOCUMENT", cell: documentName },
    { head: "OUTCOME", cell: ({ outcome }) => outcome, tone: ({ outcome }) => stateTone(outcome) },
    { head: "SUMMARY", cell: ({ summary }) => summary, gives: true },
    { head: "TARGETS", cell: targetsText, gives: true },
  ];
  const rows = results.length === 0 ? [] : table(columns, results, look).slice(1);
  const labelled = (word: string, result: DocumentResult, fault: FaultDetail) =>
    labelledLines(word, result, fault, look);
  return [
    ...rows,
    ...results.flatMap((result) => result.warnings.flatMap((fault) => labelled("warning", result, fault))),
    ...results.flatMap((result) => result.faults.flatMap((fault) => labelled("fault  ", result, fault))),
    ...faults.flatMap((fault) => faultLines(fault, look).map((line) => toned(look, "bad", line))),
    ...notes(results, look),
    ...endLine(response, dryRun),
  ];
}

/** Whether nothing was refused and all could be read. */
export function allWell({ results, faults }: ApplyDocumentsResponse): boolean {
  return (
    faults.length === 0 && results.every(({ outcome, faults: inner }) => outcome !== "refused" && inner.length === 0)
  );
}

/** `appset/team-apps` */
export function documentName({ kind, namespace, name }: Pick<DocumentResult, "kind" | "namespace" | "name">): string {
  const plain = namespace === "" || namespace === "argocd" ? name : qualified({ namespace, name });
  return `${shortKinds[kind] ?? kind.toLowerCase()}/${plain}`;
}

/** `24 targets, 24 new`; empty for documents that make none. */
function targetsText({ targets, newTargets, changedTargets, removedTargets, kind }: DocumentResult): string {
  if (targets + removedTargets === 0 && kind !== "ApplicationSet") return "";
  const parts = [
    [newTargets, "new"],
    [changedTargets, "changed"],
    [removedTargets, "leave"],
  ] as const;
  const counts = parts.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return [counted(targets, "target"), ...counts].join(", ");
}

function labelledLines(word: string, result: DocumentResult, fault: FaultDetail, look: Look): string[] {
  const place = placeText(fault.where);
  const text = `${word}  ${documentName(result)}${place === "" ? "" : ` ${place}`}  ${fault.message}${fault.next === "" ? "" : ` ${fault.next}`}`;
  const [first = "", ...rest] = wrapped(text, look.width - 9);
  const tone = word === "warning" ? "busy" : "bad";
  return [toned(look, tone, first), ...rest.map((line) => `         ${line}`)];
}

/** Each note once, with how many it speaks of. */
function notes(results: readonly DocumentResult[], look: Look): string[] {
  const all = new Map<string, DocumentResult[]>();
  for (const result of results) if (result.note !== "") all.set(result.note, [...(all.get(result.note) ?? []), result]);
  return [...all].flatMap(([note, of]) => {
    const [only] = of;
    const who = of.length === 1 && only !== undefined ? documentName(only) : counted(of.length, "document");
    return wrapped(`note     ${who}: ${note}`, look.width);
  });
}

function endLine({ results, faults }: ApplyDocumentsResponse, dryRun: boolean): string[] {
  if (dryRun) return ["nothing was changed (--dry-run)"];
  return results.length + faults.length === 0 ? ["no documents were found"] : [];
}
