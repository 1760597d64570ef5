import { type Clock, type ClusterId, Fault } from "@capstan/proto";
import { checkMarks } from "../documents/labels.ts";
import type { Enrolment, Trust } from "../identity/model.ts";
import {
  type Cluster,
  type ClusterFacts,
  type ClusterRecord,
  type Declaration,
  effective,
  emptyDeclaration,
  newRecord,
} from "./model.ts";
import type { ClusterRecordStore } from "./port.ts";

/** What the registry needs. */
export interface ClustersOptions {
  readonly store: ClusterRecordStore;
  readonly clock: Clock;
  /** What a `Cluster` document says of an id, and where it stands. */
  documented(id: ClusterId): { readonly declaration: Declaration; readonly where: string } | undefined;
  /** Ids that documents name. */
  documentedIds(): Iterable<ClusterId>;
  /** Told when something that generators or people see of a cluster changed. */
  onChange(id: ClusterId): void;
}

/** What a change by a person names; what it does not name stays. An empty value removes a key. */
export interface ClusterEdit {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly mode?: Declaration["mode"];
  readonly cordoned?: boolean;
}

/** What a cluster's agent says of both as its session begins. */
export interface Hailing {
  readonly incarnation: string;
  readonly facts: ClusterFacts | undefined;
  /** Of the agent's program. */
  readonly version: string;
  readonly trust: Trust | undefined;
}

/** What became of a hello. */
export type Greeting =
  | { readonly kind: "welcome"; readonly record: ClusterRecord }
  /** Nothing names the cluster, or its incarnation is another: it is shown, and gets nothing until a person admits it. */
  | { readonly kind: "unknown"; readonly record: ClusterRecord; readonly fault: Fault };

/** The clusters by id. One writer a record: every change goes through here. */
export class ClustersReconciler {
  readonly #options: ClustersOptions;
  readonly #records = new Map<ClusterId, ClusterRecord>();
  /** Changes of one record happen one after the other: each reads what the one before it wrote. */
  readonly #turns = new Map<ClusterId, Promise<unknown>>();

  constructor(options: ClustersOptions) {
    this.#options = options;
  }

  /** Reads the registry; call at the start of a term. */
  async load(signal: AbortSignal): Promise<void> {
    this.#records.clear();
    for (const record of await this.#options.store.load(signal)) this.#records.set(record.id, record);
  }

  record(id: ClusterId): ClusterRecord | undefined {
    return this.#records.get(id) ?? (this.#options.documented(id) ? this.#new(id) : undefined);
  }

  /** Every record, and an empty one for each id that only a document names; by id. */
  records(): ClusterRecord[] {
    const ids = new Set([...this.#records.keys(), ...this.#options.documentedIds()]);
    return [...ids].sort().map((id) => this.#records.get(id) ?? this.#new(id));
  }

  /** The cluster as people declared it; undefined where nothing names it. */
  get(id: ClusterId): Cluster | undefined {
    const record = this.record(id);
    return record === undefined ? undefined : effective(record, this.#options.documented(id));
  }

  /** All that something names, by id. */
  all(): Cluster[] {
    return this.records()
      .map((record) => effective(record, this.#options.documented(record.id)))
      .filter((cluster) => cluster !== undefined);
  }

  /** Makes a cluster known by a person, or changes what one said of it. Throws `conflict` where a document says it, `bad-input`. */
  async edit(id: ClusterId, edit: ClusterEdit, signal: AbortSignal): Promise<ClusterRecord> {
    checkMarks(edit);
    const documented = this.#options.documented(id);
    const says = edit.labels !== undefined || edit.annotations !== undefined || edit.mode !== undefined;
    if (documented !== undefined && says && !isEmptyEdit(edit)) {
      throw new Fault("conflict", {
        message: `cluster ${id} is declared in ${documented.where}; labels, annotations and mode are set there.`,
        next: "Change the document, or remove it first.",
      });
    }
    return this.#change(id, signal, (before) => {
      const declared = before.declared ?? emptyDeclaration(id);
      return {
        ...before,
        declared: {
          ...declared,
          labels: merged(declared.labels, edit.labels),
          annotations: merged(declared.annotations, edit.annotations),
          mode: edit.mode ?? declared.mode,
          cordoned: edit.cordoned ?? declared.cordoned,
        },
      };
    });
  }

  /** An agent enrolled: a new identity in force. The first incarnation is taken as it is. */
  async enrolled(enrolment: Enrolment, signal: AbortSignal): Promise<ClusterRecord> {
    return this.#change(enrolment.cluster, signal, (before) => {
      const known = before.incarnation === undefined || before.incarnation === enrolment.incarnation;
      return {
        ...before,
        enrolment,
        incarnation: before.incarnation ?? enrolment.incarnation,
        claimed: known ? undefined : enrolment.incarnation,
      };
    });
  }

  /** A session began: what the cluster says of itself is kept; another incarnation waits for a person. */
  async greet(id: ClusterId, hello: Hailing, signal: AbortSignal): Promise<Greeting> {
    const record = await this.#change(id, signal, (before) => {
      const incarnation = before.incarnation ?? hello.incarnation;
      const foreign = incarnation !== hello.incarnation;
      return {
        ...before,
        incarnation,
        claimed: foreign ? hello.incarnation : undefined,
        facts: foreign ? before.facts : (hello.facts ?? before.facts),
        agentVersion: hello.version,
        ...(hello.trust === undefined || foreign ? {} : { trust: hello.trust }),
      };
    });
    const foreign = record.incarnation !== hello.incarnation;
    if (foreign) return { kind: "unknown", record, fault: otherIncarnation(record) };
    if (this.get(id) === undefined) return { kind: "unknown", record, fault: unnamed(id) };
    return { kind: "welcome", record };
  }

  /** What its agent trusts now. */
  async trusts(id: ClusterId, trust: Trust, signal: AbortSignal): Promise<void> {
    await this.#change(id, signal, (before) => ({ ...before, trust }));
  }

  /** A person accepts the incarnation that waits, or a cluster that nothing named. */
  async admit(id: ClusterId, incarnation: string, signal: AbortSignal): Promise<ClusterRecord> {
    return this.#change(id, signal, (before) => {
      const waiting = before.claimed ?? before.incarnation;
      if (waiting !== incarnation) {
        throw new Fault("bad-input", {
          message: `cluster ${id} waits with incarnation ${JSON.stringify(waiting ?? "none")}, not ${JSON.stringify(incarnation)}.`,
          next: `Look at it with: capstan cluster show ${id}`,
        });
      }
      const remembered = { ...emptyDeclaration(id), labels: before.remembered ?? {} };
      const declared = before.declared ?? (this.#options.documented(id) ? undefined : remembered);
      return { ...before, incarnation, claimed: undefined, declared };
    });
  }

  /** Its labels, as the last desired state that it was given has them: they are taken again when a person admits it. */
  async remember(id: ClusterId, labels: Readonly<Record<string, string>>, signal: AbortSignal): Promise<ClusterRecord> {
    return this.#change(id, signal, (before) => ({ ...before, remembered: labels }));
  }

  async remove(id: ClusterId, signal: AbortSignal): Promise<void> {
    await this.#exclusive(id, async () => {
      await this.#options.store.delete(id, signal);
      this.#records.delete(id);
    });
    this.#options.onChange(id);
  }

  #new(id: ClusterId): ClusterRecord {
    return newRecord(id, this.#options.clock.now());
  }

  /** Nothing is written where nothing changed. */
  #change(
    id: ClusterId,
    signal: AbortSignal,
    change: (before: ClusterRecord) => ClusterRecord,
  ): Promise<ClusterRecord> {
    return this.#exclusive(id, async () => {
      const known = this.#records.get(id);
      const next = change(known ?? this.#new(id));
      if (known !== undefined && same(known, next)) return known;
      await this.#options.store.save(next, signal);
      this.#records.set(id, next);
      this.#options.onChange(id);
      return next;
    });
  }

  async #exclusive<T>(id: ClusterId, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(work, work);
    this.#turns.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(id) === turn) this.#turns.delete(id);
    }
  }
}

function isEmptyEdit(edit: ClusterEdit): boolean {
  const none = (map: Readonly<Record<string, string>> | undefined) => Object.keys(map ?? {}).length === 0;
  return none(edit.labels) && none(edit.annotations) && edit.mode === undefined;
}

function merged(before: Readonly<Record<string, string>>, edit: Readonly<Record<string, string>> | undefined) {
  return Object.fromEntries(Object.entries({ ...before, ...edit }).filter(([, value]) => value !== ""));
}

function same(a: ClusterRecord, b: ClusterRecord): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function otherIncarnation(record: ClusterRecord): Fault {
  return new Fault("wrong-incarnation", {
    message: `cluster ${record.id} was joined from another Kubernetes cluster (kube-system UID ${record.incarnation}); this one has ${record.claimed}.`,
    where: { cluster: record.id },
    next: `If it was rebuilt on purpose: capstan cluster admit ${record.id}`,
  });
}

function unnamed(id: ClusterId): Fault {
  return new Fault("unknown-cluster", {
    message: `nothing names cluster ${id}; it keeps what it runs and gets nothing.`,
    where: { cluster: id },
    next: `To take it in: capstan cluster admit ${id}`,
  });
}
