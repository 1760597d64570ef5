import { again, type Chance, type Clock, done, Fault, KeyedLoop, type Outcome } from "@capstan/proto";
import type { Document, DocumentKind } from "./model.ts";
import { type FileOrigin, parseDocuments, type Warning } from "./parse.ts";
import type { DocumentListener, DocumentStore, Root, RootReader } from "./port.ts";
import { DocumentRegistry, documentKey, type Intake, type IntakeOptions } from "./registry.ts";

/** What keeping documents needs. */
export interface DocumentsOptions {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly store: DocumentStore;
  readonly roots: readonly Root[];
  readonly reader: RootReader;
  readonly listener: DocumentListener;
  onFault(root: string, fault: Fault): void;
}

/** How a root stands. */
export interface RootState {
  readonly root: Root;
  readonly commit: string;
  readonly documents: number;
  readonly faults: readonly Fault[];
  readonly warnings: readonly Warning[];
}

/** What an application renders, by path. */
export interface RenderedFile {
  readonly path: string;
  readonly text: string;
  readonly revision: string;
}

/** All that an application renders. */
export interface Rendered {
  readonly files: readonly RenderedFile[];
  /** What it no longer renders goes. */
  readonly prune: boolean;
  /** Whether the application's project lets it make this. */
  permits(document: Document): boolean;
}

/** Documents as read from files, with what applying them would change. */
export interface Reading {
  readonly intake: Intake;
  readonly faults: readonly Fault[];
  readonly warnings: readonly Warning[];
}

/** The documents of the fleet: from roots (kept in step with Git), from people, and from applications of applications. */
export class DocumentsReconciler {
  readonly registry = new DocumentRegistry();
  readonly #options: DocumentsOptions;
  readonly #loop: KeyedLoop;
  readonly #states = new Map<string, RootState>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: DocumentsOptions) {
    this.#options = options;
    this.#loop = new KeyedLoop({
      clock: options.clock,
      chance: options.chance,
      concurrency: 2,
      backoff: { base: 1000, factor: 2, cap: 60_000 },
      handle: (name, signal) => this.#follow(name, signal),
      onFault: (name, fault) => this.#failed(name, fault),
    });
  }

  /** Reads what was stored; call at the start of a term. */
  async load(signal: AbortSignal): Promise<void> {
    this.registry.clear();
    for (const document of await this.#options.store.load(signal)) this.registry.put(document);
  }

  roots(): readonly RootState[] {
    return this.#options.roots.map((root) => this.#states.get(root.name) ?? untouched(root));
  }

  /** A repository moved: the roots in it are read anew. */
  repositoryChanged(isSame: (repositoryURL: string) => boolean): void {
    for (const root of this.#options.roots) if (isSame(root.repoURL)) this.#loop.add(root.name);
  }

  /** Follows the roots until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const watches = this.#options.roots.map((root) => this.#options.reader.watch(root));
    for (const root of this.#options.roots) this.#loop.add(root.name);
    await this.#loop.run(signal);
    for (const stop of watches) stop();
  }

  /** What files given by a person would change. A document that a root manages is refused, naming the root. */
  read(files: readonly { readonly name: string; readonly content: string }[], actor: string): Reading {
    const owner = `cli:${actor}`;
    const parsed = files.map(({ name, content }) => parseDocuments(content, { owner, file: name, revision: "" }));
    const documents = parsed.flatMap((each) => each.documents).map((document) => this.#adopt(document));
    const intake = this.#intake(documents, { owner, mode: "add", unreadable: new Set() });
    return { intake, faults: parsed.flatMap((each) => each.faults), warnings: parsed.flatMap((each) => each.warnings) };
  }

  /**
   * Makes an intake true: store first, then memory, then the listener. Throws `conflict` where somebody else took one of
   * its names since it was made.
   */
  take(intake: Intake, signal: AbortSignal): Promise<void> {
    return this.#exclusive(() => this.#take(intake, signal));
  }

  async #take(intake: Intake, signal: AbortSignal): Promise<void> {
    const changed = [...intake.puts, ...intake.deletes];
    for (const document of changed) this.#assertOwn(document);
    await this.#options.store.save(intake.puts, signal);
    await this.#options.store.delete(intake.deletes, signal);
    for (const document of intake.puts) this.registry.put(document);
    for (const document of intake.deletes) this.registry.delete(documentKey(document));
    if (changed.length > 0) this.#options.listener.changed(changed.map(documentKey), changed);
  }

  #assertOwn(document: Document): void {
    const now = this.registry.get(documentKey(document));
    if (now === undefined || now.origin.owner === document.origin.owner || !this.#isKept(now)) return;
    throw new Fault("conflict", {
      message: `${documentKey(document)} was taken by ${now.origin.owner} meanwhile.`,
      next: "Look again, and try again.",
    });
  }

  /** Changes happen one after the other: each is worked out from what the one before it left. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Whether somebody looks after the document: a root that was taken away, or an Application that is gone, does not. */
  #isKept({ origin: { owner } }: Document): boolean {
    if (owner.startsWith("root:")) return this.#options.roots.some(({ name }) => owner === `root:${name}`);
    if (owner.startsWith("app:")) return this.registry.get(`Application/${owner.slice("app:".length)}`) !== undefined;
    return true;
  }

  /**
   * Documents that an application renders; what is none of the hub's kinds is refused by name. What it no longer renders
   * goes only where it prunes, as in Argo CD.
   */
  takeFrom(owner: string, { files, prune, permits }: Rendered, signal: AbortSignal): Promise<readonly Fault[]> {
    const parsed = files.map(({ path, text, revision }) => parseDocuments(text, { owner, file: path, revision }));
    const paths = files.map(({ path }) => path);
    const unreadable = unreadableFiles(paths, parsed);
    const all = parsed.flatMap((each) => each.documents);
    const refused = all.filter((document) => !permits(document));
    return this.#exclusive(async () => {
      const documents = all.filter((document) => !refused.includes(document));
      const intake = this.#intake(documents, { owner, mode: prune ? "replace" : "add", unreadable });
      await this.#take(intake, signal);
      return [...parsed.flatMap((each) => each.faults), ...refused.map(notPermitted), ...intake.conflicts];
    });
  }

  #intake(documents: readonly Document[], options: Omit<IntakeOptions, "isKept">): Intake {
    return this.registry.intake(documents, { ...options, isKept: (document) => this.#isKept(document) });
  }

  /** A document by kind and name; a namespace left empty matches where the name is unique. */
  find(kind: DocumentKind, namespace: string, name: string): Document | undefined {
    const found = this.registry.all(kind).filter(({ metadata }) => {
      return metadata.name === name && (namespace === "" || metadata.namespace === namespace);
    });
    return found.length === 1 ? found[0] : undefined;
  }

  /** A person may change what a person applied, whoever it was. */
  #adopt(document: Document): Document {
    const before = this.registry.get(documentKey(document));
    if (before?.origin.owner.startsWith("cli:") !== true) return document;
    return { ...document, origin: { ...document.origin, owner: before.origin.owner } };
  }

  async #follow(name: string, signal: AbortSignal): Promise<Outcome> {
    const root = this.#options.roots.find((each) => each.name === name);
    if (root === undefined) return done;
    const read = await this.#options.reader.read(root);
    if (read === undefined) return again(5000, "waiting for the first fetch");
    const origin = (file: string): FileOrigin => ({ owner: `root:${name}`, file, revision: read.commit });
    const parsed = read.files.map(({ path, text }) =>
      typeof text === "string"
        ? parseDocuments(text, origin(path))
        : { documents: [], faults: [Fault.from(text, "bad-input").at({ file: path })], warnings: [] },
    );
    const paths = read.files.map(({ path }) => path);
    const unreadable = unreadableFiles(paths, parsed);
    const intake = await this.#exclusive(async () => {
      const documents = parsed.flatMap((each) => each.documents);
      const made = this.#intake(documents, { owner: `root:${name}`, mode: "replace", unreadable });
      await this.#take(made, signal);
      return made;
    });
    this.#states.set(name, {
      root,
      commit: read.commit,
      documents: intake.puts.length + intake.unchanged.length,
      faults: [...parsed.flatMap((each) => each.faults), ...intake.conflicts],
      warnings: parsed.flatMap((each) => each.warnings),
    });
    return done;
  }

  #failed(name: string, fault: Fault): void {
    const root = this.#options.roots.find((each) => each.name === name);
    if (root !== undefined) {
      const before = this.#states.get(name) ?? untouched(root);
      this.#states.set(name, { ...before, faults: [fault] });
    }
    this.#options.onFault(name, fault);
  }
}

function notPermitted({ kind, metadata, origin }: Document): Fault {
  return new Fault("not-allowed", {
    message: `its project does not permit ${kind} ${metadata.namespace}/${metadata.name}; it is left out.`,
    where: { file: origin.file, line: origin.line },
    next: "Permit the kind and its namespace in the AppProject, or keep the document elsewhere.",
  });
}

/** Files with a fault: what came from them before stays. */
function unreadableFiles(
  paths: readonly string[],
  parsed: readonly { readonly faults: readonly Fault[] }[],
): Set<string> {
  return new Set(paths.filter((_, index) => (parsed[index]?.faults.length ?? 0) > 0));
}

function untouched(root: Root): RootState {
  return { root, commit: "", documents: 0, faults: [], warnings: [] };
}
