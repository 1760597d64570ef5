import type { KubeWorld } from "./kube-world.ts";

/** What a killed process leaves: nothing after its k-th request is sent. */
class Killed extends Error {}

/** Ends an agent after so many steps. */
export type Kill = (world: KubeWorld, count: number) => void;

/** Dies before its next request is sent. */
export const killAfter: Kill = (world, count) => {
  let left = count;
  world.intercept = () => {
    if (left-- <= 0) throw new Killed("killed");
  };
};

/** Dies when the cluster has done what its last request asked, before it hears so. */
export const killUnanswered: Kill = (world, count) => {
  let left = count;
  let dead = false;
  const mortal = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get(of, name) {
        const method = Reflect.get(of, name) as unknown;
        if (typeof method !== "function") return method;
        return async (...given: unknown[]) => {
          if (dead) throw new Killed("dead");
          dead = --left < 0;
          const answer: unknown = await method.apply(of, given);
          if (dead) throw new Killed("killed");
          return answer;
        };
      },
    });
  const { cluster, inventory } = world.ports;
  Object.assign(world.ports, { cluster: mortal(cluster), inventory: mortal(inventory) });
};
