import { create } from "@bufbuild/protobuf";
import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Clock, type ClusterId, Fault, parseClusterId, parseDigest } from "@capstan/proto";
import { ListResultSchema } from "@capstan/proto/common";
import {
  type Cluster as ClusterMessage,
  ClusterSchema,
  FleetService,
  type GetFleetStatusResponse,
  HeldDeletionSchema,
} from "@capstan/proto/fleet";
import { checkMarks } from "../documents/labels.ts";
import { type Calls, checkEtag } from "./call.ts";
import { expectClusters, expectWatched, unknownCluster } from "./clusters-asked.ts";
import { page } from "./page.ts";
import type { GuardView } from "./port.ts";
import { masked } from "./read-mask.ts";
import { type Implementation, type Served, serve } from "./service.ts";
import { type ClusterSources, clusterView, etagOf, heldDeletion, modeFromWire } from "./views.ts";
import { type Watched, watch } from "./watch.ts";

/** What the fleet's service needs. */
export interface FleetServiceOptions extends ClusterSources {
  readonly calls: Calls;
  readonly clock: Clock;
  readonly guard: GuardView;
  /** What agents are told. */
  readonly endpoints: readonly string[];
  /** The one-screen summary. */
  summary(): GetFleetStatusResponse;
  /** Clusters as they change. */
  readonly changes: Watched;
  revoke(cluster: ClusterId, who: { readonly by: string; readonly reason: string }, signal: AbortSignal): Promise<void>;
  /** Forgets a cluster; returns the targets that it had. */
  forget(cluster: ClusterId, signal: AbortSignal): Promise<readonly string[]>;
  /** What a change of labels would move: one line each. */
  effects(
    cluster: ClusterId,
    labels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<readonly string[]>;
}

/** `FleetService`. */
export function fleetService(options: FleetServiceOptions): Served {
  return serve(FleetService, {
    ...lookCalls(options),
    ...changeCalls(options),
    ...endCalls(options),
    ...deletionCalls(options),
  });
}

type Methods = Implementation<typeof FleetService>;

function shown(id: ClusterId, options: FleetServiceOptions): ClusterMessage {
  const record = options.clusters.record(id);
  if (record === undefined) throw unknownCluster(id);
  return clusterView(record, options);
}

function lookCalls(
  options: FleetServiceOptions,
): Pick<Methods, "getFleetStatus" | "listClusters" | "getCluster" | "watchClusters"> {
  const { calls, clock, clusters } = options;
  return {
    async getFleetStatus(_request, context) {
      calls.look(context, "fleet.status", "fleet");
      return options.summary();
    },
    async listClusters({ options: list }, context) {
      calls.look(context, "cluster.list", "cluster");
      expectClusters(list?.clusters, options);
      const all = clusters.records().map((record) => clusterView(record, options));
      const { items, nextPageToken, total } = page(all, ({ id, labels }) => ({ id, labels, cluster: id }), list);
      return {
        clusters: masked(ClusterSchema, items, list),
        result: create(ListResultSchema, { nextPageToken, total, asOf: timestampFromMs(clock.now()) }),
      };
    },
    async getCluster({ id }, context) {
      calls.look(context, "cluster.get", `cluster/${id}`);
      return { cluster: shown(parseClusterId(id), options) };
    },
    async *watchClusters({ options: watching }, context) {
      calls.look(context, "cluster.watch", "cluster");
      expectWatched(watching, options);
      const list = () => clusters.records().map((record) => clusterView(record, options));
      const view = ({ id, labels }: ClusterMessage) => ({ id, labels, cluster: id });
      for await (const { type, item, id, token } of watch(options.changes, list, view, watching, context.signal)) {
        yield {
          type,
          token,
          ...(item === undefined ? (id === undefined ? {} : { cluster: { id } }) : { cluster: item }),
        };
      }
    },
  };
}

function changeCalls(options: FleetServiceOptions): Pick<Methods, "addCluster" | "updateCluster"> {
  const { calls, clusters, desk } = options;
  return {
    async addCluster({ id, labels, annotations, mode, ttl, change }, context) {
      const cluster = parseClusterId(id);
      const mutation = { action: "cluster.add", resource: `cluster/${cluster}`, change };
      return calls.change(context, mutation, async ({ name }, signal) => {
        checkMarks({ labels, annotations });
        const asked = modeFromWire(mode);
        const edit = { labels, annotations, ...(asked === undefined ? {} : { mode: asked }) };
        const says = Object.keys(labels).length + Object.keys(annotations).length > 0 || asked !== undefined;
        if (change?.dryRun === true) return { hubEndpoints: [...options.endpoints] };
        if (clusters.get(cluster) === undefined || says) await clusters.edit(cluster, edit, signal);
        const wish = { ttl: ttl === undefined ? undefined : durationMs(ttl), by: name };
        const token = await desk.joinToken(cluster, wish, signal);
        return {
          cluster: shown(cluster, options),
          token: token.text,
          expiresAt: timestampFromMs(token.expiresAt),
          hubEndpoints: [...options.endpoints],
        };
      });
    },
    async updateCluster({ id, labels, annotations, mode, cordoned, change }, context) {
      const cluster = parseClusterId(id);
      const mutation = { action: "cluster.update", resource: `cluster/${cluster}`, change };
      return calls.change(context, mutation, async (_caller, signal) => {
        const record = clusters.record(cluster);
        if (record === undefined) throw unknownCluster(cluster);
        checkEtag(change, etagOf(record), `cluster ${cluster}`);
        checkMarks({ labels, annotations });
        if (change?.dryRun === true) {
          return {
            cluster: shown(cluster, options),
            effects: [...(await options.effects(cluster, labels, context.signal))],
          };
        }
        const asked = modeFromWire(mode);
        await clusters.edit(
          cluster,
          {
            labels,
            annotations,
            ...(asked === undefined ? {} : { mode: asked }),
            ...(cordoned === undefined ? {} : { cordoned }),
          },
          signal,
        );
        return { cluster: shown(cluster, options) };
      });
    },
  };
}

function endCalls(options: FleetServiceOptions): Pick<Methods, "revokeCluster" | "removeCluster" | "admitCluster"> {
  const { calls, clusters } = options;
  return {
    async revokeCluster({ id, change }, context) {
      const cluster = parseClusterId(id);
      const mutation = { action: "cluster.revoke", resource: `cluster/${cluster}`, change };
      return calls.change(context, mutation, async ({ name }, signal) => {
        const before = shown(cluster, options);
        if (change?.dryRun === true) return { cluster: before };
        await options.revoke(cluster, { by: name, reason: change?.reason ?? "" }, signal);
        return { cluster: shown(cluster, options) };
      });
    },
    async removeCluster({ id, change }, context) {
      const cluster = parseClusterId(id);
      const mutation = { action: "cluster.remove", resource: `cluster/${cluster}`, change };
      return calls.change(context, mutation, async (_caller, signal) => {
        const { declaredIn } = shown(cluster, options);
        if (declaredIn !== "" && declaredIn !== "cli") {
          throw new Fault("conflict", {
            message: `cluster ${cluster} is declared in ${declaredIn}.`,
            next: "Remove the document there; the cluster is forgotten with it.",
          });
        }
        const held = options.desired.held(cluster)?.state.targets ?? [];
        const targets = held.map(({ namespace, name }) => `${namespace}/${name}`);
        return { targets: change?.dryRun === true ? targets : [...(await options.forget(cluster, signal))] };
      });
    },
    async admitCluster({ id, incarnation, change }, context) {
      const cluster = parseClusterId(id);
      const mutation = { action: "cluster.admit", resource: `cluster/${cluster}`, change };
      return calls.change(context, mutation, async (_caller, signal) => {
        if (change?.dryRun !== true) await clusters.admit(cluster, incarnation, signal);
        return { cluster: shown(cluster, options) };
      });
    },
  };
}

function deletionCalls(options: FleetServiceOptions): Pick<Methods, "listDeletions" | "approveDeletion"> {
  const { calls, clock, guard } = options;
  return {
    async listDeletions({ options: list }, context) {
      calls.look(context, "deletion.list", "deletion");
      const { items, nextPageToken, total } = page(guard.lists(), ({ digest }) => ({ id: digest }), list);
      return {
        deletions: masked(HeldDeletionSchema, items.map(heldDeletion), list),
        result: create(ListResultSchema, { nextPageToken, total, asOf: timestampFromMs(clock.now()) }),
      };
    },
    async approveDeletion({ id, change }, context) {
      const mutation = { action: "deletion.approve", resource: `deletion/${id}`, change };
      return calls.change(context, mutation, async ({ name }, signal) => {
        if ((change?.reason ?? "") === "") {
          throw new Fault("bad-input", { message: "an approval needs a reason.", next: "Give one: --reason TEXT" });
        }
        const digest = parseDigest(id);
        const shownList = guard.lists().find((list) => list.digest === digest);
        if (change?.dryRun === true && shownList !== undefined) return { deletion: heldDeletion(shownList) };
        return {
          deletion: heldDeletion(await guard.approve(digest, { by: name, reason: change?.reason ?? "" }, signal)),
        };
      });
    },
  };
}
