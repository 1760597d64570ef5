import { Fault } from "@capstan/proto";
import type { Document, DocumentKind } from "./model.ts";

/** `Kind/namespace/name`: what a document is found by. */
export type DocumentKey = string;

/** The key of a document. */
export function documentKey(of: { readonly kind: DocumentKind; readonly metadata: Document["metadata"] }): DocumentKey {
  return `${of.kind}/${of.metadata.namespace}/${of.metadata.name}`;
}

/** What taking documents in would change. Nothing is changed by making it. */
export interface Intake {
  /** New or different. */
  readonly puts: readonly Document[];
  /** Of this owner, and no longer among its documents. */
  readonly deletes: readonly Document[];
  readonly unchanged: readonly Document[];
  /** Names that another owner keeps, and names given twice. */
  readonly conflicts: readonly Fault[];
}

/** How an owner's documents are taken in. */
export interface IntakeOptions {
  readonly owner: string;
  /** `replace`: what the owner no longer has is deleted (roots). `add`: nothing is (the CLI). */
  readonly mode: "replace" | "add";
  /** Files that could not be read whole: documents that came from them stay as they are (promise 3). */
  readonly unreadable: ReadonlySet<string>;
  /** Whether somebody looks after a document; one that nobody does may be taken over. Absent: all are. */
  isKept?(document: Document): boolean;
}

/** All documents of the fleet by kind and name. The first owner of a name keeps it. */
export class DocumentRegistry {
  readonly #documents = new Map<DocumentKey, Document>();

  get(key: DocumentKey): Document | undefined {
    return this.#documents.get(key);
  }

  all(kind?: DocumentKind): Document[] {
    const documents = [...this.#documents.values()];
    return kind === undefined ? documents : documents.filter((document) => document.kind === kind);
  }

  put(document: Document): void {
    this.#documents.set(documentKey(document), document);
  }

  delete(key: DocumentKey): void {
    this.#documents.delete(key);
  }

  clear(): void {
    this.#documents.clear();
  }

  /** What an owner's documents would change. */
  intake(documents: readonly Document[], options: IntakeOptions): Intake {
    const puts: Document[] = [];
    const unchanged: Document[] = [];
    const conflicts: Fault[] = [];
    const seen = new Map<DocumentKey, Document>();
    for (const document of documents) {
      const key = documentKey(document);
      const before = this.#documents.get(key);
      const mine = before === undefined || before.origin.owner === options.owner || options.isKept?.(before) === false;
      const rival = seen.get(key) ?? (mine ? undefined : before);
      if (rival !== undefined) {
        conflicts.push(conflict(document, rival));
        continue;
      }
      seen.set(key, document);
      const same = before?.origin.owner === options.owner && sameContent(before, document);
      if (same) unchanged.push(document);
      else puts.push(document);
    }
    return { puts, unchanged, conflicts, deletes: options.mode === "add" ? [] : this.#gone(seen, options) };
  }

  #gone(seen: ReadonlyMap<DocumentKey, Document>, options: IntakeOptions): Document[] {
    return this.all().filter(
      (document) =>
        document.origin.owner === options.owner &&
        !seen.has(documentKey(document)) &&
        !options.unreadable.has(document.origin.file),
    );
  }
}

function sameContent(a: Document, b: Document): boolean {
  return JSON.stringify(a.raw, bigints) === JSON.stringify(b.raw, bigints);
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

function conflict(document: Document, rival: Document): Fault {
  const { kind, metadata, origin } = document;
  const theirs = `${rival.origin.owner}, ${rival.origin.file}:${rival.origin.line}`;
  return new Fault("name-conflict", {
    message: `${kind} ${metadata.namespace}/${metadata.name} belongs to ${theirs} already; this one is left out.`,
    where: { file: origin.file, line: origin.line },
    next: "Give one of the two another name, or remove it from one place.",
  });
}
