import { type Clock, type ObjectRef, objectKey, type TargetKey } from "@capstan/proto";
import type { Health } from "../health/model.ts";
import { addressOf, type KubeObject } from "../inventory/object.ts";
import { eventsOf } from "./events.ts";
import { readLogs, sourcesOf } from "./logs.ts";
import type { Mask } from "./mask.ts";
import { type LogOptions, type ShownEvent, type Tree, viewLimits } from "./model.ts";
import type { LiveObjects, OwnObjects } from "./port.ts";
import { childKinds, treeOf } from "./tree.ts";

/** What views are made with. */
export interface ViewsPorts {
  readonly live: LiveObjects;
  readonly own: OwnObjects;
  readonly clock: Clock;
}

/** Which logs, and how. */
export interface LogsAsked extends LogOptions {
  readonly pod: string;
  readonly container: string;
}

interface Found {
  readonly roots: readonly (readonly [ObjectRef, Health])[];
  readonly tree: Tree;
  readonly objects: readonly KubeObject[];
}

/** Looks into a target on request. Nothing is kept between two looks, and nothing is changed by one. */
export class Views {
  readonly #ports: ViewsPorts;

  constructor(ports: ViewsPorts) {
    this.#ports = ports;
  }

  /** The target's objects and what they own. */
  async tree(target: TargetKey, signal: AbortSignal): Promise<Tree> {
    return (await this.#find(target, signal)).tree;
  }

  /** Events of all that, newest first. */
  async events(target: TargetKey, limit: number, signal: AbortSignal): Promise<readonly ShownEvent[]> {
    const { roots, tree } = await this.#find(target, signal);
    const objects = new Set(tree.nodes.map(({ object }) => object));
    const all = [];
    // Events of objects without a namespace stand in `default`.
    for (const namespace of new Set([...namespacesOf(roots), "default"])) {
      all.push(...(await this.#ports.live.namespaceEvents(namespace, viewLimits.events, signal)));
    }
    const most = Math.min(limit === 0 ? viewLimits.usualEvents : limit, viewLimits.events);
    return eventsOf(all, objects, most);
  }

  /** Logs of the target's pods, in parts of lines of JSON. Throws `not-found` where there is nothing to read. */
  async *logs(target: TargetKey, asked: LogsAsked, mask: Mask, signal: AbortSignal): AsyncGenerator<string> {
    const { tree, objects } = await this.#find(target, signal);
    const shown = new Set(tree.nodes.map(({ object }) => object));
    const pods = objects.filter((object) => object.kind === "Pod" && shown.has(objectKey(addressOf(object))));
    const sources = sourcesOf(pods, asked);
    const tail = Math.min(asked.tail === 0 ? viewLimits.usualTail : asked.tail, viewLimits.tail);
    const { live, clock } = this.#ports;
    for await (const lines of readLogs({ live, clock, mask }, sources, { ...asked, tail }, signal)) {
      yield lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    }
  }

  async #find(target: TargetKey, signal: AbortSignal): Promise<Found> {
    const { live, own, clock } = this.#ports;
    const roots = [...own.objects(target)];
    const all = namespacesOf(roots);
    const objects: KubeObject[] = [];
    let more = all.length > viewLimits.namespaces;
    const kinds = childKinds(
      roots.map(([ref]) => ref),
      live.served(),
    );
    for (const namespace of all.slice(0, viewLimits.namespaces)) {
      for (const kind of kinds) {
        const found = await live.list({ ...kind, namespace, limit: viewLimits.objects }, signal);
        objects.push(...found.objects);
        more ||= found.more;
      }
    }
    return { roots, objects, tree: { nodes: treeOf(roots, objects, clock.now()), more } };
  }
}

function namespacesOf(roots: readonly (readonly [ObjectRef, Health])[]): readonly string[] {
  return [...new Set(roots.map(([{ namespace }]) => namespace).filter((namespace) => namespace !== ""))];
}
