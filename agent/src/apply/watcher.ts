import { type Clock, type Fault, type ObjectRef, objectKey, type TargetKey } from "@capstan/proto";
import type { UserRule } from "@capstan/proto/rules";
import { type GroupKind, isPlainKind, readHealth } from "@capstan/proto/verdict";
import { fingerprint } from "../drift/fingerprint.ts";
import { aggregateHealth, sameHealth } from "../health/aggregate.ts";
import { covers, type Judges } from "../health/judges.ts";
import type { Health, TargetHealth } from "../health/model.ts";
import { isOpen } from "../inventory/hooks.ts";
import type { Inventory } from "../inventory/model.ts";
import { addressOf, type KindRef, type KubeObject, type ObjectAddress } from "../inventory/object.ts";
import type { ObjectMemory } from "./memory.ts";
import { ownerOf } from "./ownership.ts";
import { explained, PodCauses } from "./pod-causes.ts";
import type { PodLooks, Watches, WatchSink } from "./port.ts";
import { kindText } from "./survey.ts";

/**
 * What the watcher tells. `suspect`: these objects (by key) of the target may differ from their bundle: call `applyTarget`
 * with `only`. `health`: the target's verdict changed. `trouble`: a kind cannot be watched now; it is tried again.
 */
export type TargetEvent =
  | { readonly kind: "suspect"; readonly target: TargetKey; readonly objects: ReadonlySet<string> }
  | { readonly kind: "health"; readonly target: TargetKey; readonly health: TargetHealth }
  | { readonly kind: "trouble"; readonly watched: KindRef; readonly fault: Fault };

/** What the watcher works with. */
export interface WatcherPorts {
  readonly watches: Watches;
  readonly memory: ObjectMemory;
  readonly clock: Clock;
  /** Asks the pods of unhealthy workloads what is wrong; without it, only the workloads' own status tells. */
  readonly looks?: PodLooks;
  /** Judges by the rules of targets' projects; without it, only by what is known of kinds. */
  readonly judges?: Judges;
}

/** How long changes are gathered before they are told, in milliseconds; and how soon a lost kind is asked for again. */
const gatherMs = 150;
const unservedMs = 10_000;

interface Tracked {
  readonly address: ObjectAddress;
  readonly target: TargetKey;
}

const missing: Health = { status: "Missing", message: "it is not there, or lost its label" };
const unseen: Health = { status: "Progressing", message: "not seen yet" };

interface Followed {
  readonly kind: KindRef;
  stop: AbortController;
  readonly keys: Set<string>;
  synced: boolean;
  /** Set while a list is delivered: what of `keys` it has named so far. */
  named: Set<string> | undefined;
}

/**
 * Follows exactly what is managed: one watch a kind in use, with the body only where health needs it, of objects that
 * carry our label. Per object it keeps a verdict and a fingerprint, never the object. It is told of targets by their
 * inventories and tells what to look at again.
 */
export class TargetWatcher {
  readonly #ports: WatcherPorts;
  readonly #causes: PodCauses | undefined;
  readonly #tracked = new Map<string, Tracked>();
  readonly #targets = new Map<TargetKey, Set<string>>();
  /** Per target: what only waits to go. Its end is told, its health does not count. */
  readonly #left = new Map<TargetKey, ReadonlySet<string>>();
  /** Per target: objects of hooks that run. What becomes of them is told, and their health does not count. */
  readonly #hooks = new Map<TargetKey, ReadonlySet<string>>();
  /** Also of objects that are not tracked yet: their inventory is told only when their pass ends. */
  readonly #health = new Map<string, Health>();
  readonly #kinds = new Map<string, Followed>();
  readonly #told = new Map<TargetKey, TargetHealth>();
  readonly #suspects = new Map<TargetKey, Set<string>>();
  readonly #changed = new Set<TargetKey>();
  #running: { readonly tell: (event: TargetEvent) => void; readonly signal: AbortSignal } | undefined;
  #gathering = false;

  constructor(ports: WatcherPorts) {
    this.#ports = ports;
    const { looks, clock } = ports;
    this.#causes = looks === undefined ? undefined : new PodCauses({ looks, clock });
  }

  /** Follows what this inventory lists from now on; called after every pass with `ApplyResult.inventory`. */
  track(inventory: Inventory): void {
    const { target, entries } = inventory;
    const hooks = [...inventory.hooks.values()].filter(isOpen).map(({ address }) => address);
    const all = new Map([...entries, ...hooks.map((address) => [objectKey(address), address] as const)]);
    const keys = this.#targets.get(target) ?? new Set<string>();
    for (const key of keys) if (!all.has(key)) this.#drop(key);
    this.#left.set(target, inventory.left);
    this.#hooks.set(target, new Set(hooks.map(objectKey)));
    for (const [key, address] of all) this.#adopt(key, address, target);
    this.#targets.set(target, new Set(all.keys()));
    this.#noteChange(target);
  }

  /** Health rules of the target's project from now on. Kinds that they change are listed again, and judged by them. */
  async judgeBy(target: TargetKey, rules: readonly UserRule[]): Promise<void> {
    const changed = (await this.#ports.judges?.set(target, rules)) ?? [];
    if (changed.length === 0) return;
    for (const followed of this.#kinds.values()) {
      if (!changed.some((rule: GroupKind) => covers(rule, followed.kind))) continue;
      followed.stop.abort();
      followed.stop = new AbortController();
      this.#follow(followed);
    }
  }

  /** The target is gone from this cluster. */
  untrack(target: TargetKey): void {
    this.#ports.judges?.drop(target);
    for (const key of this.#targets.get(target) ?? []) this.#drop(key);
    this.#targets.delete(target);
    this.#left.delete(target);
    this.#hooks.delete(target);
    this.#told.delete(target);
    this.#suspects.delete(target);
  }

  /** The target's verdict now; objects whose kind has not been listed yet count as progressing. */
  health(target: TargetKey): TargetHealth {
    const keys = this.#targets.get(target) ?? new Set<string>();
    return aggregateHealth([...keys].flatMap((key) => this.#verdictOf(key)));
  }

  /** Each object's verdict, for a look into a target. */
  *objects(target: TargetKey): Iterable<readonly [ObjectRef, Health]> {
    for (const key of this.#targets.get(target) ?? []) yield* this.#verdictOf(key);
  }

  /** Watches until the signal aborts. Nothing is watched before, and nothing is told after. */
  async run(tell: (event: TargetEvent) => void, signal: AbortSignal): Promise<void> {
    this.#running = { tell, signal };
    for (const followed of this.#kinds.values()) this.#follow(followed);
    void this.#causes?.run((key) => this.#explained(key), signal);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#running = undefined;
    for (const followed of this.#kinds.values()) followed.stop.abort();
  }

  #adopt(key: string, address: ObjectAddress, target: TargetKey): void {
    const known = this.#tracked.get(key);
    if (known?.target === target && known.address.version === address.version) return;
    if (known !== undefined) this.#drop(key);
    this.#tracked.set(key, { address, target });
    const text = kindText(address);
    let followed = this.#kinds.get(text);
    if (followed === undefined) {
      const { group, version, kind } = address;
      followed = {
        kind: { group, version, kind },
        stop: new AbortController(),
        keys: new Set(),
        synced: false,
        named: undefined,
      };
      this.#kinds.set(text, followed);
      this.#follow(followed);
    }
    followed.keys.add(key);
    if (followed.synced && !this.#health.has(key)) this.#suspect(key, target);
  }

  #drop(key: string): void {
    const tracked = this.#tracked.get(key);
    if (tracked === undefined) return;
    this.#tracked.delete(key);
    this.#health.delete(key);
    this.#causes?.lost(key);
    this.#ports.memory.lost(key);
    const text = kindText(tracked.address);
    const followed = this.#kinds.get(text);
    followed?.keys.delete(key);
    if (followed === undefined || followed.keys.size > 0) return;
    followed.stop.abort();
    this.#kinds.delete(text);
  }

  /** One watch for as long as the kind is in use. A kind that is not served (any more) is asked for again. */
  #follow(followed: Followed): void {
    const running = this.#running;
    if (running === undefined) return;
    const signal = AbortSignal.any([followed.stop.signal, running.signal]);
    const ruled = this.#ports.judges?.isRuled(followed.kind) === true;
    const body = { body: ruled || !isPlainKind(followed.kind) };
    const go = async () => {
      while (!signal.aborted) {
        await this.#ports.watches.follow(followed.kind, body, this.#sinkOf(followed), signal);
        if (signal.aborted) return;
        this.#vanish(followed);
        await this.#ports.clock.sleep(unservedMs, signal).catch(() => undefined);
      }
    };
    void go();
  }

  #sinkOf(followed: Followed): WatchSink {
    return {
      begin: () => {
        followed.named = new Set();
      },
      set: (object) => this.#saw(followed, object),
      gone: (object) => this.#lost(objectKey(addressOf(object))),
      synced: () => this.#synced(followed),
      steady: () => this.#ports.memory.setBlind(`${followed.kind.group}/${followed.kind.kind}`, false),
      trouble: (fault) => {
        this.#ports.memory.setBlind(`${followed.kind.group}/${followed.kind.kind}`, true);
        this.#running?.tell({ kind: "trouble", watched: followed.kind, fault });
      },
    };
  }

  #saw(followed: Followed, object: KubeObject): void {
    const key = objectKey(addressOf(object));
    followed.named?.add(key);
    const now = fingerprint(object.metadata);
    this.#ports.memory.saw(key, now);
    const health = this.#ports.judges?.read(ownerOf(object), object) ?? readHealth(object);
    const before = this.#health.get(key);
    this.#health.set(key, health);
    this.#causes?.saw(key, object, health);
    const tracked = this.#tracked.get(key);
    if (tracked === undefined) return;
    if (before?.status !== health.status || before.message !== health.message) this.#noteChange(tracked.target);
    if (before?.status !== health.status && this.#isHook(tracked.target, key)) this.#suspect(key, tracked.target);
    // Never compared yet: the first pass over its target does that.
    const verdict = this.#ports.memory.verdict(key);
    if (verdict !== undefined && verdict.fingerprint !== now) this.#suspect(key, tracked.target);
  }

  /** Its pods told something new. */
  #explained(key: string): void {
    const tracked = this.#tracked.get(key);
    if (tracked !== undefined) this.#noteChange(tracked.target);
  }

  #lost(key: string): void {
    this.#causes?.lost(key);
    this.#ports.memory.lost(key);
    const tracked = this.#tracked.get(key);
    if (tracked === undefined) {
      this.#health.delete(key);
      return;
    }
    this.#health.set(key, missing);
    this.#noteChange(tracked.target);
    const awaited = this.#left.get(tracked.target)?.has(key) === true || this.#isHook(tracked.target, key);
    if (awaited || this.#ports.memory.verdict(key) !== undefined) this.#suspect(key, tracked.target);
  }

  #synced(followed: Followed): void {
    followed.synced = true;
    const named = followed.named ?? new Set();
    followed.named = undefined;
    for (const key of followed.keys) if (!named.has(key)) this.#lost(key);
  }

  #vanish(followed: Followed): void {
    for (const key of followed.keys) this.#lost(key);
  }

  #verdictOf(key: string): readonly (readonly [ObjectRef, Health])[] {
    const tracked = this.#tracked.get(key);
    if (tracked === undefined || this.#left.get(tracked.target)?.has(key) === true) return [];
    if (this.#isHook(tracked.target, key)) return [];
    return [[tracked.address, explained(this.#health.get(key) ?? unseen, this.#causes?.line(key) ?? "")]];
  }

  #isHook(target: TargetKey, key: string): boolean {
    return this.#hooks.get(target)?.has(key) === true;
  }

  /** The health of one followed object, as the watch last told it. */
  healthOf(key: string): Health | undefined {
    return this.#tracked.has(key) ? this.#health.get(key) : undefined;
  }

  #suspect(key: string, target: TargetKey): void {
    const keys = this.#suspects.get(target) ?? new Set();
    keys.add(key);
    this.#suspects.set(target, keys);
    this.#gather();
  }

  #noteChange(target: TargetKey): void {
    this.#changed.add(target);
    this.#gather();
  }

  /** What a whole list did not name, and no event since, is not there. */
  #noteMissing(): void {
    for (const [target, keys] of this.#suspects) {
      for (const key of keys) {
        const tracked = this.#tracked.get(key);
        if (tracked === undefined || this.#health.has(key)) continue;
        this.#health.set(key, missing);
        this.#changed.add(target);
      }
    }
  }

  /** Tells what has gathered, a moment after the first change. */
  #gather(): void {
    const running = this.#running;
    if (this.#gathering || running === undefined) return;
    this.#gathering = true;
    this.#ports.clock.sleep(gatherMs, running.signal).then(
      () => {
        this.#gathering = false;
        this.#tell(running.tell);
      },
      () => {
        this.#gathering = false;
      },
    );
  }

  #tell(tell: (event: TargetEvent) => void): void {
    this.#noteMissing();
    for (const target of this.#changed) {
      if (!this.#targets.has(target)) continue;
      const health = this.health(target);
      if (sameHealth(this.#told.get(target), health)) continue;
      this.#told.set(target, health);
      tell({ kind: "health", target, health });
    }
    this.#changed.clear();
    const suspects = [...this.#suspects];
    this.#suspects.clear();
    for (const [target, keys] of suspects) {
      // Our own writes come back as events: by now their verdicts are known, or they are under way and wait.
      const open = [...keys].filter((key) => this.#tracked.has(key) && !this.#ports.memory.vouched(key));
      for (const key of open) if (this.#ports.memory.isWriting(key)) this.#suspect(key, target);
      const objects = new Set(open.filter((key) => !this.#ports.memory.isWriting(key)));
      if (objects.size > 0) tell({ kind: "suspect", target, objects });
    }
  }
}
