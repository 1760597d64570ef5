import type { ClusterId, Fault } from "@capstan/proto";
import type { Cluster, ClusterRecord } from "../clusters/model.ts";
import type { Held } from "../distribution/model.ts";
import type { ClusterSpec, Mode } from "../documents/model.ts";
import type { HeldList } from "../guard/model.ts";
import type { PersonToken } from "../identity/model.ts";
import type { ClusterStatus } from "../status/model.ts";

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
}

export interface StatusView {
  of(cluster: ClusterId): ClusterStatus;
}

export interface DesiredView {
  held(cluster: ClusterId): Held | undefined;
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

/** Kept so that a document's mode and a cluster's are one type. */
export type DeclaredMode = NonNullable<ClusterSpec["mode"]>;
