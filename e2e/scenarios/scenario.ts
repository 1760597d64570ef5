import type { TestContext } from "node:test";
import type { FaultDetail } from "@capstan/proto/common";
import type { GetFleetStatusResponse } from "@capstan/proto/fleet";
import type { NatsConnection } from "nats";
import { ensureTools } from "../toolchain/tools.ts";
import type { ClusterInit, WorldCluster } from "../world/cluster.ts";
import { holdingOf } from "../world/holdings.ts";
import type { HubConfigPart } from "../world/hub-process.ts";
import { showLogsOnFailure } from "../world/process.ts";
import { Recorder } from "../world/recorder.ts";
import type { Files } from "../world/repository.ts";
import { notYet, until } from "../world/wait.ts";
import { World } from "../world/world.ts";
import { appFile, configApp, plainFleet } from "./plain-fleet.ts";

/** A fleet for a scenario. */
export interface ScenarioInit {
  readonly clusters: readonly ClusterInit[];
  readonly apps?: readonly string[];
  /** Lines below `spec` of the set. */
  readonly more?: string;
  readonly selfHeal?: boolean;
  readonly config?: HubConfigPart;
  /** The hub's data folder, where it is not to be one of its own. */
  readonly dataDir?: string;
  /** Joined at the start: all by default. */
  readonly join?: readonly string[];
  /** Called when the hub leads and nobody has joined; may give a connection to a store that is not embedded. */
  readonly prepare?: (world: World) => Promise<NatsConnection | undefined>;
  /** Written over the plain fleet's files; it is told the repository's URL. */
  readonly files?: (repoURL: string) => Files;
}

/** `count` simulated clusters called c-01, c-02…, all `env: prod`. */
export function simulated(count: number, labels: Readonly<Record<string, string>> = { env: "prod" }): ClusterInit[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `c-${String(at + 1).padStart(2, "0")}`,
    labels,
    kind: "simulated" as const,
  }));
}

/** Changes go out at once, so that a scenario about something else does not wait for stages. */
export const atOnce: HubConfigPart = { defaults: { strategy: "AllAtOnce", stableFor: "100ms" } };

/** A joined, healthy fleet with a recorder at work, and the few verbs that scenarios are told with. */
export class Scenario implements AsyncDisposable {
  readonly world: World;
  readonly apps: readonly string[];
  readonly #stack: AsyncDisposableStack;

  private constructor(world: World, apps: readonly string[], stack: AsyncDisposableStack) {
    this.world = world;
    this.apps = apps;
    this.#stack = stack;
  }

  static async start(context: TestContext, init: ScenarioInit): Promise<Scenario> {
    const { clusters, apps = ["shop"], config = atOnce, more = "", selfHeal = true, dataDir } = init;
    const hub = dataDir === undefined ? { config } : { config, dataDir };
    const stack = new AsyncDisposableStack();
    try {
      const declared = clusters.map(({ id, labels = {} }) => ({ id, labels }));
      const files = (repoURL: string) => ({
        ...plainFleet({ repoURL, clusters: declared, apps, more, selfHeal }),
        ...init.files?.(repoURL),
      });
      const world = stack.use(await World.start({ clusters, files, hub, tools: await ensureTools() }));
      showLogsOnFailure(context, () => world.children);
      stack.use(await Recorder.start(world, await init.prepare?.(world)));
      await Promise.all((init.join ?? declared.map(({ id }) => id)).map((id) => world.join(id)));
      return new Scenario(world, apps, stack);
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  /** Waits until so many targets are delivered, all of them healthy and as Git says. */
  settled(targets: number, bound = 15_000): Promise<GetFleetStatusResponse> {
    return until(
      `${targets} targets, all healthy and synced`,
      async () => {
        const status = await this.status();
        const { total = 0, undelivered = 0, healthy = 0, synced = 0 } = status.targets ?? {};
        const { clusters, connected, offline } = status;
        return (
          (total - undelivered === targets && healthy === targets && synced === targets && status) ||
          notYet({ clusters, connected, offline, targets: status.targets })
        );
      },
      { bound, every: 100 },
    );
  }

  async status(): Promise<GetFleetStatusResponse> {
    const hub = await this.world.hub.client();
    return hub.fleet.getFleetStatus({});
  }

  /** Publishes a new value of apps' ConfigMaps. */
  async release(value: string, apps: readonly string[] = this.apps): Promise<void> {
    const files = Object.fromEntries(apps.map((app) => [appFile(app), configApp(value)]));
    await this.publish(files, `Release ${value}`);
  }

  /** Commits, pushes, and tells the hub if it is there; recorded. */
  async publish(files: Files, subject: string): Promise<void> {
    await this.world.repository.write(files);
    await this.commit(subject);
  }

  /** As `publish`, for what was changed in the clone by hand. */
  async commit(subject: string): Promise<void> {
    const { repository, hub, history } = this.world;
    const tell = repository.onPush;
    if (hub.child?.running !== true) repository.onPush = undefined;
    try {
      await repository.commit(subject);
      history.record({ kind: "commit", sha: await repository.push() });
    } finally {
      repository.onPush = tell;
    }
  }

  /** The value that a cluster has of an app; undefined where the app is not there. */
  async valueOf(cluster: string | WorldCluster, app = this.apps[0] ?? ""): Promise<string | undefined> {
    const { client } = typeof cluster === "string" ? this.world.cluster(cluster) : cluster;
    const found = await client.get(`/api/v1/namespaces/${app}/configmaps/settings`);
    return (found?.["data"] as Readonly<Record<string, string>> | undefined)?.["value"];
  }

  /** Waits until the clusters (all by default) have a value of an app (all by default). */
  async arrived(value: string, where: Where = {}): Promise<void> {
    const { clusters = [...this.world.clusters.keys()], apps = this.apps, bound = 10_000 } = where;
    await until(
      `value ${value} on ${clusters.join(", ")}`,
      async () => {
        for (const cluster of clusters) {
          for (const app of apps) {
            const found = await this.valueOf(cluster, app);
            if (found !== value) return notYet(`${app} on ${cluster} is ${found}`);
          }
        }
        return true;
      },
      bound,
    );
  }

  /** The highest revision that each agent has taken, by cluster. */
  async highWaters(): Promise<ReadonlyMap<string, bigint>> {
    const found = new Map<string, bigint>();
    for (const { id, client } of this.world.clusters.values()) {
      const holding = await holdingOf(client);
      if (holding !== undefined) found.set(id, holding.highWater);
    }
    return found;
  }

  /** Waits until a set says something that fits, in its conditions or of itself or of its targets. */
  async complaint(set: string, pattern: RegExp, bound = 10_000): Promise<string> {
    const { applications } = await this.world.hub.client();
    return until(
      `${set} to say ${pattern}`,
      async () => {
        const { sets } = await applications.listSets({});
        const { targets } = await applications.listTargets({ set });
        const view = sets.find(({ name }) => name === set);
        const said = [
          ...(view?.conditions ?? []).map(({ message }) => message),
          ...[...(view?.faults ?? []), ...targets.flatMap(({ faults }) => faults)].map(faultText),
        ];
        return said.find((text) => pattern.test(text)) ?? notYet(said);
      },
      bound,
    );
  }

  /** Waits until the hub has read the newest commit: a label that it adds to the first cluster's document is shown. */
  async seenByHub(bound = 10_000): Promise<void> {
    const { repository, hub } = this.world;
    const mark = `m${await repository.git("rev-list", "--count", "HEAD")}`;
    await repository.edit("argocd/clusters.yaml", (text) =>
      text.replace(/labels:\n( {4}seen: .*\n)?/, `labels:\n    seen: ${mark}\n`),
    );
    await this.commit(`See ${mark}`);
    const { fleet } = await hub.client();
    await until(
      `the label ${mark}`,
      async () => {
        const { clusters } = await fleet.listClusters({});
        return clusters.some(({ labels }) => labels["seen"] === mark) || notYet(clusters.map(({ labels }) => labels));
      },
      bound,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function faultText({ message, next, where }: FaultDetail): string {
  return [message, next, ...Object.entries(where).map(([name, value]) => `${name}=${value}`)].join(" ");
}

/** Where a value is awaited, and for how many milliseconds. */
export interface Where {
  readonly clusters?: readonly string[];
  readonly apps?: readonly string[];
  readonly bound?: number;
}
