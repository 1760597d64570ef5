import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ClusterId, Fault, type Instant, targetKey } from "@capstan/proto";
import { FactsSchema } from "@capstan/proto/agent";
import { type FaultDetail, FaultDetailSchema } from "@capstan/proto/common";
import { Mode as WireMode } from "@capstan/proto/desired";
import {
  type Cluster as ClusterMessage,
  ClusterSchema,
  ClusterState,
  type HeldDeletion,
  HeldDeletionSchema,
  TargetCountsSchema,
} from "@capstan/proto/fleet";
import type { ClusterRecord } from "../clusters/model.ts";
import type { Mode } from "../documents/model.ts";
import type { HeldList } from "../guard/model.ts";
import { count, noCounts } from "../status/count.ts";
import { etagOfText } from "./etag.ts";
import type { ClustersView, DesiredView, DeskView, LiveView, StatusView } from "./port.ts";

/** What is looked at to show a cluster. */
export interface ClusterSources {
  readonly clusters: ClustersView;
  readonly live: LiveView;
  readonly status: StatusView;
  readonly desired: DesiredView;
  readonly desk: DeskView;
}

const wireModes: Record<Mode, WireMode> = {
  Observe: WireMode.OBSERVE,
  AdoptIfNoDiff: WireMode.ADOPT_IF_NO_DIFF,
  Enforce: WireMode.ENFORCE,
};

/** A mode from the wire; undefined where none is set. */
export function modeFromWire(mode: WireMode): Mode | undefined {
  return (Object.keys(wireModes) as Mode[]).find((name) => wireModes[name] === mode);
}

/** A fault as it is shown: never its cause. */
export function faultDetail(fault: Fault, since?: Instant): FaultDetail {
  const where = Object.fromEntries(Object.entries(fault.where).map(([name, value]) => [name, String(value)]));
  return create(FaultDetailSchema, {
    code: fault.code,
    message: fault.message,
    next: fault.next ?? "",
    where,
    ...(since === undefined ? {} : { since: timestampFromMs(since) }),
  });
}

/** A held removal as it is shown and approved. */
export function heldDeletion({ digest, rules, list, scope }: HeldList): HeldDeletion {
  return create(HeldDeletionSchema, {
    id: digest,
    rule: rules.map(({ rule }) => rule).join(", "),
    items: list.map(({ target, cluster }) => `${target} on ${cluster}`),
    cause: `${scope}: ${rules.map(({ text }) => text).join("; ")}`,
  });
}

/** A cluster as people see it. */
export function clusterView(record: ClusterRecord, from: ClusterSources): ClusterMessage {
  const { id, facts } = record;
  const named = from.clusters.get(id);
  const status = from.status.of(id);
  const { state, problems } = stateOf(record, from);
  return create(ClusterSchema, {
    id,
    labels: { ...named?.labels },
    annotations: { ...named?.annotations },
    mode: wireModes[named?.mode ?? "AdoptIfNoDiff"],
    incarnation: record.incarnation ?? "",
    ...(facts === undefined ? {} : { facts: create(FactsSchema, copied(facts)) }),
    state,
    ...(status.lastSeen === 0
      ? {}
      : { lastSeen: timestampFromMs(status.lastSeen), stateSince: timestampFromMs(status.lastSeen) }),
    desiredRevision: from.desired.held(id)?.state.revision ?? 0n,
    heldRevision: status.heldRevision,
    agentVersion: record.agentVersion,
    cordoned: named?.cordoned ?? false,
    declaredIn: named?.declaredIn ?? "",
    argocdName: named?.argocd.name ?? "",
    argocdServer: named?.argocd.server ?? "",
    etag: etagOf(record),
    targets: create(TargetCountsSchema, countsOf(id, from)),
    problems: problems.map((fault) => faultDetail(fault)),
  });
}

/** What a conditional change of a cluster is compared with. */
export function etagOf(record: ClusterRecord): string {
  const { declared, incarnation, claimed } = record;
  return etagOfText(JSON.stringify({ declared, incarnation, claimed }));
}

/** Counts over what the cluster's desired state names: a target without a report is unknown, not absent. */
export function countsOf(id: ClusterId, { desired, status }: Pick<ClusterSources, "desired" | "status">) {
  const counts = noCounts();
  const reports = status.of(id).targets;
  for (const { namespace, name, generation } of desired.held(id)?.state.targets ?? []) {
    count(counts, reports.get(targetKey(namespace, name)), generation);
  }
  return counts;
}

function stateOf(record: ClusterRecord, from: ClusterSources): { state: ClusterState; problems: Fault[] } {
  const { id } = record;
  const problems = [from.live.clones(id), from.live.skew(id)].filter((fault) => fault !== undefined);
  if (from.desk.isRevoked(id)) return { state: ClusterState.REVOKED, problems };
  if (record.claimed !== undefined) return { state: ClusterState.UNKNOWN, problems: [...problems, claimed(record)] };
  if (from.clusters.get(id) === undefined) return { state: ClusterState.UNKNOWN, problems };
  if (from.live.isConnected(id)) return { state: ClusterState.CONNECTED, problems };
  return { state: record.enrolment === undefined ? ClusterState.PENDING : ClusterState.OFFLINE, problems };
}

function claimed({ id, claimed: other }: ClusterRecord): Fault {
  return new Fault("wrong-incarnation", {
    message: `an agent calls itself ${id} from another Kubernetes cluster (kube-system UID ${other}).`,
    where: { cluster: id },
    next: `If it was rebuilt on purpose: capstan cluster admit ${id}`,
  });
}

function copied(facts: NonNullable<ClusterRecord["facts"]>) {
  return {
    ...facts,
    apiVersions: [...facts.apiVersions],
    writableNamespaces: [...facts.writableNamespaces],
    otherManagers: [...facts.otherManagers],
  };
}
