import type { Clock, ClusterId, Digest, Fault, Feature, Instant, TargetKey } from "@capstan/proto";
import type { Answer, Question } from "@capstan/proto/agent";
import type { Cluster, ClusterRecord } from "../clusters/model.ts";
import type { Held } from "../distribution/model.ts";
import type { Document, DocumentKind, Mode } from "../documents/model.ts";
import type { Warning } from "../documents/parse.ts";
import type { Intake } from "../documents/registry.ts";
import type { HeldList } from "../guard/model.ts";
import type { PersonToken } from "../identity/model.ts";
import type { OwnerState } from "../releases/model.ts";
import type { Preview, PreviewRequest } from "../releases/preview.ts";
import type { Wanted } from "../rollout/lane-run.ts";
import type {
  Emergency,
  Facts,
  Intent,
  LaneKey,
  Pin,
  Reason,
  RollbackScope,
  RunId,
  RunState,
  VerbResult,
} from "../rollout/model.ts";
import type { SourceState } from "../sources/model.ts";
import type { ClusterStatus } from "../status/model.ts";
import type { Change, TargetContent } from "../targets/content.ts";

/** Who a client certificate names. Times are milliseconds since 1970. */
export interface Peer {
  readonly cluster: ClusterId;
  /** Hex SHA-256 over the SubjectPublicKeyInfo of its TLS key. */
  readonly tlsKey: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Past its end, clock skew allowed. */
  readonly expired: boolean;
}

/** What the services see of the registry. */
export interface ClustersView {
  records(): readonly ClusterRecord[];
  record(id: ClusterId): ClusterRecord | undefined;
  get(id: ClusterId): Cluster | undefined;
  edit(
    id: ClusterId,
    edit: {
      readonly labels?: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
      readonly mode?: Mode;
      readonly cordoned?: boolean;
    },
    signal: AbortSignal,
  ): Promise<ClusterRecord>;
  admit(id: ClusterId, incarnation: string, signal: AbortSignal): Promise<ClusterRecord>;
  remove(id: ClusterId, signal: AbortSignal): Promise<void>;
}

/** What the services see of live sessions and reports. */
export interface LiveView {
  isConnected(cluster: ClusterId): boolean;
  skew(cluster: ClusterId): Fault | undefined;
  /** Two agents that live under the cluster's identity. */
  clones(cluster: ClusterId): Fault | undefined;
}

export interface StatusView {
  of(cluster: ClusterId): ClusterStatus;
}

export interface DesiredView {
  held(cluster: ClusterId): Held | undefined;
}

/** Desired states, and what may be asked of them. */
export interface DistributionView extends DesiredView {
  all(): Iterable<[ClusterId, Held]>;
  /** The change that waits to be written. */
  waiting(cluster: ClusterId, target: TargetKey): Change | undefined;
  assign(cluster: ClusterId, target: TargetKey, change: Change): void;
}

/** Sets and Applications as they were worked out. */
export interface ReleasesView {
  states(): Iterable<OwnerState>;
  state(owner: string): OwnerState | undefined;
  /** What documents or revisions would make, worked out beside what is; changes nothing. */
  preview(request: PreviewRequest, signal: AbortSignal): Promise<Preview>;
}

/** A lane as it moves. */
export interface LaneStanding {
  readonly lane: LaneKey;
  readonly wanted: Wanted | undefined;
  readonly run: RunState | undefined;
  /** Ended runs before it, newest first. */
  readonly past: readonly RunState[];
  readonly pin: Pin | undefined;
  readonly reason: Reason | null;
}

/** Rollouts, and a person's verbs on them. */
export interface RolloutsView {
  lanes(): readonly LaneStanding[];
  lane(key: LaneKey): LaneStanding | undefined;
  laneOf(run: RunId): LaneKey | undefined;
  facts(lane: LaneKey): Facts;
  /** A content that the lane's wanted release or one of its last runs names. */
  contentOf(lane: LaneKey, content: Digest): TargetContent | undefined;
  act(
    key: LaneKey,
    verb: (state: RunState, intent: Intent) => VerbResult,
    intent: Omit<Intent, "now">,
    signal: AbortSignal,
  ): Promise<RunState>;
  /** Lets the wanted release of a lane go, once. */
  release(key: LaneKey, by: string, signal: AbortSignal): Promise<Digest | undefined>;
  rollBack(
    key: LaneKey,
    request: { readonly scope: RollbackScope; readonly to: string | undefined },
    intent: Omit<Intent, "now">,
    signal: AbortSignal,
  ): Promise<{ readonly run: RunState; readonly pin: Pin }>;
  /** The run that a rollback would start. */
  planRollBack(
    key: LaneKey,
    request: { readonly scope: RollbackScope; readonly to: string | undefined },
    intent: Omit<Intent, "now">,
  ): RunState;
  unpin(key: LaneKey, signal: AbortSignal): Promise<Wanted | undefined>;
  /** The run that the wanted release would start, perhaps by another strategy. */
  planWanted(key: LaneKey, strategy: string): RunState;
  startEmergency(key: LaneKey, emergency: Emergency, signal: AbortSignal): Promise<RunState>;
}

/** The documents of the fleet. */
export interface DocumentsView {
  readonly registry: {
    get(key: string): Document | undefined;
    all(kind?: DocumentKind): Document[];
  };
  read(
    files: readonly { readonly name: string; readonly content: string }[],
    actor: string,
  ): { readonly intake: Intake; readonly faults: readonly Fault[]; readonly warnings: readonly Warning[] };
  take(intake: Intake, signal: AbortSignal): Promise<void>;
  roots(): readonly {
    readonly root: {
      readonly name: string;
      readonly repoURL: string;
      readonly revision: string;
      readonly path: string;
    };
    readonly commit: string;
    readonly documents: number;
    readonly faults: readonly Fault[];
    readonly warnings: readonly Warning[];
  }[];
}

/** Repositories as they stand. */
export interface RepositoriesView {
  watch(repositoryURL: string, revision: string): () => void;
  current(repositoryURL: string, revision: string): SourceState | undefined;
  faultOf(repositoryURL: string, revision: string): Fault | undefined;
  settle(repositoryURL: string, signal: AbortSignal): Promise<void>;
}

/** Live questions to agents. */
export interface AskView {
  /** Whether a connected agent knows the feature; undefined where the cluster has no session. */
  speaks(cluster: ClusterId, feature: Feature): boolean | undefined;
  ask(cluster: ClusterId, question: Omit<Question, "id" | "$typeName">, signal: AbortSignal): AsyncIterable<Answer>;
}

/** The manifests of a stored bundle, as they were rendered. */
export interface BundlesView {
  read(digest: Digest, signal: AbortSignal): Promise<Uint8Array | undefined>;
}

/** Everything that the services for people look at. */
export interface World {
  readonly clock: Clock;
  readonly clusters: ClustersView;
  readonly live: LiveView;
  readonly status: StatusView;
  readonly desired: DistributionView;
  readonly desk: DeskView;
  readonly releases: ReleasesView;
  readonly rollouts: RolloutsView;
  readonly documents: DocumentsView;
  readonly guard: GuardView;
  readonly repositories: RepositoriesView;
  readonly agents: AskView;
  readonly bundles: BundlesView;
  readonly changes: {
    term(): string;
    sequence(): number;
    changed(signal: AbortSignal): Promise<void>;
    readonly clock?: Pick<Clock, "monotonic" | "sleep">;
  };
  /** A fresh id of 128 random bits. */
  newId(): string;
  /** Since when a rebuild waits for a person. */
  rebuildingSince(): Instant | undefined;
}

export interface DeskView {
  readonly pin: string;
  isRevoked(cluster: ClusterId): boolean;
  joinToken(
    cluster: ClusterId,
    wish: { readonly ttl: number | undefined; readonly by: string },
    signal: AbortSignal,
  ): Promise<{ readonly text: string; readonly expiresAt: number }>;
}

/** Tokens of people and programs. */
export interface PeopleView {
  people(): readonly PersonToken[];
  personToken(
    wish: { readonly name: string; readonly roles: readonly string[]; readonly ttl: number | undefined },
    signal: AbortSignal,
  ): Promise<{ readonly text: string; readonly stored: PersonToken }>;
  dropToken(id: string, signal: AbortSignal): Promise<void>;
}

export interface GuardView {
  lists(): readonly HeldList[];
  /** Approves what a person deletes by name. */
  approveNamed(
    scope: string,
    list: readonly { readonly target: TargetKey; readonly cluster: ClusterId }[],
    who: { readonly by: string; readonly reason: string },
    signal: AbortSignal,
  ): Promise<void>;
  approve(
    digest: HeldList["digest"],
    who: { readonly by: string; readonly reason: string },
    signal: AbortSignal,
  ): Promise<HeldList>;
}

/** How a mutating call is recorded: intent before, outcome after (promise 12). */
export type Audited = <T>(
  call: {
    readonly actor: string;
    readonly action: string;
    readonly resource: string;
    readonly detail?: Readonly<Record<string, string>>;
  },
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
) => Promise<T>;
