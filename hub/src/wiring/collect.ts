import type { Digest } from "@capstan/proto";
import { CollectReconciler } from "../collect/reconciler.ts";
import type { BundleVault } from "../distribution/port.ts";
import type { Wiring } from "./rooms.ts";

const hour = 3_600_000;

/** Collects bundles that nobody names any more; not while a rebuild waits for what clusters bring. */
export function makeCollect(at: Wiring): CollectReconciler {
  const { clock, chance, shelf, vault, stores } = at.ports;
  return new CollectReconciler({
    clock,
    chance,
    shelf,
    everyMs: hour,
    graceMs: hour,
    uses: {
      named: () => {
        const held = at.rooms.distribution.named();
        if (held === undefined || at.rebuilding() !== undefined || at.rooms.releases.surveying) return undefined;
        return new Set([...held, ...at.rooms.rollouts.named()]);
      },
      dropped: async (digests, signal) => {
        vault.forget();
        await stores.renders.drop(digests, signal);
      },
    },
    onFault: (fault) => at.logFault("collect", fault),
  });
}

/** The vault, telling the collector what is asked for: a release in the making may be about to name it. */
export function toldVault(vault: BundleVault, asked: (digest: Digest) => void): BundleVault {
  return {
    ...vault,
    store: (digest, content, signal) => {
      asked(digest);
      return vault.store(digest, content, signal);
    },
    has: (digest, signal) => {
      asked(digest);
      return vault.has(digest, signal);
    },
  };
}
