import { realCluster, skipReason } from "../toolchain/skip.ts";
import { ensureTools } from "../toolchain/tools.ts";
import { sendGithubPush } from "../world/repository.ts";
import { notYet, until } from "../world/wait.ts";
import { World, webhookSecret } from "../world/world.ts";
import { type Intro, introText } from "./intro.ts";
import type { Seen } from "./view.ts";

const environments = ["dev", "staging", "prod"] as const;
/** Targets that the sample repository asks for on a cluster of each environment. */
const targetsEach = 6;
const nothing = "0".repeat(40);

/** A fleet on this machine: the world of the tests, with a clone of the sample repository to work in. */
export class Playground implements AsyncDisposable {
  readonly world: World;
  readonly intro: string;

  private constructor(world: World, intro: string) {
    this.world = world;
    this.intro = intro;
  }

  /** Starts all of it, on real API servers where their programs are there and nobody asks for simulated ones. */
  static async start(wish: { readonly simulated: boolean }): Promise<Playground> {
    const tools = await ensureTools(["helm", "kubectl", "natsServer"], { ifPresent: ["kubeApiserver", "etcd"] });
    const lacking = wish.simulated ? "" : skipReason(tools, realCluster) || "";
    const kind: Intro["kind"] = wish.simulated || lacking !== "" ? "simulated" : "real";
    const clusters = environments.map((env) => ({ id: `${env}-1`, labels: { env }, kind, pace: { readyAfter: 800 } }));
    // Short, so that a rollout is watched and not waited for.
    const config = { defaults: { stableFor: "2s", healthDeadline: "15s" } };
    const world = await World.start({ clusters, tools, hub: { config } });
    try {
      await prepareClone(world);
      await world.joinAll(kind === "real" ? "join" : "api");
      const first = clusters[0]?.id ?? "";
      const intro: Intro = {
        kind,
        clusters: clusters.map(({ id }) => id),
        reason: lacking,
        clone: world.repository.path,
        dataDir: world.hub.dataDir,
        kubeconfig: await world.cluster(first).adminKubeconfig(),
        kubectl: tools.kubectl,
        node: process.execPath,
      };
      return new Playground(world, introText(intro));
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Resolves when everything that the repository asks for is there and healthy. */
  async ready(bound: number): Promise<void> {
    const wanted = environments.length * targetsEach;
    await until(
      "a healthy fleet",
      async () => {
        const { targets } = (await this.see()).status;
        return (targets?.healthy === wanted && targets.synced === wanted) || notYet(targets);
      },
      { bound, every: 100 },
    );
  }

  async see(): Promise<Seen> {
    const { fleet, rollouts } = await this.world.hub.client();
    const [status, clusters, moving] = await Promise.all([
      fleet.getFleetStatus({}),
      fleet.listClusters({}),
      rollouts.listRollouts({}),
    ]);
    return { status, clusters: clusters.clusters, rollouts: moving.rollouts };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

/** A person pushes with Git itself: the Git server tells the hub, and commits need a name. */
async function prepareClone({ git, repository, hub }: World): Promise<void> {
  repository.onPush = undefined;
  git.onPush = (repositoryUrl) => {
    const push = { repositoryUrl, ref: "refs/heads/main", before: nothing, after: nothing };
    // A hub that is down hears of it at its next look.
    sendGithubPush({ url: `${hub.httpUrl}/webhook`, secret: webhookSecret }, push).then(
      (answer) => answer.arrayBuffer(),
      () => undefined,
    );
  };
  await repository.git("config", "user.name", "A visitor");
  await repository.git("config", "user.email", "visitor@example.com");
}
