import { Fault, type Instant, objectText, type TargetKey } from "@capstan/proto";
import { withHooks } from "../inventory/diff.ts";
import { type HookRecord, isOpen } from "../inventory/hooks.ts";
import type { KubeObject, ObjectAddress } from "../inventory/object.ts";
import type { Book } from "./book.ts";
import {
  type HookPhase,
  hookAddress,
  hookEnd,
  hookFinalizer,
  hookObject,
  hookRunAnnotation,
  isHookObject,
  type PreparedHook,
  tokenOf,
} from "./hooks.ts";
import type { HookEvent, HookRetry, ServiceAccount } from "./model.ts";
import type { Outcomes } from "./outcomes.ts";
import { isOwnedBy } from "./ownership.ts";
import { pooled } from "./pool.ts";
import type { ApplyPorts } from "./ports.ts";
import { endsPass } from "./refusal.ts";

/** What runs of hooks work with. */
export interface HookContext {
  readonly ports: ApplyPorts;
  readonly book: Book;
  readonly target: TargetKey;
  readonly account: ServiceAccount;
  readonly propagation: "background" | "foreground" | "orphan";
  readonly strict: boolean;
  readonly retry: HookRetry;
  readonly outcomes: Outcomes;
  readonly signal: AbortSignal;
}

/** How some hooks stand together. */
export type Standing =
  | { readonly kind: "through" }
  | { readonly kind: "waits"; readonly reason: string }
  | { readonly kind: "failed" };

/**
 * Runs hooks, each once in a run, whatever dies between two requests: a try is written down before its object is made, the
 * object names the try, a finalizer keeps it until its end is written down too, and only then it may go. Never blocks: what
 * runs still is looked at by the next pass.
 */
export class HookRunner {
  readonly #context: HookContext;
  readonly events: HookEvent[] = [];

  constructor(context: HookContext) {
    this.#context = context;
  }

  /** Looks at all that was still open, of this run or an older one. */
  async tend(): Promise<void> {
    const open = this.#all().filter(({ record }) => isOpen(record));
    if (open.length === 0) return;
    const changes = new Map<string, HookRecord>();
    await this.#each(open, async ({ id, record }) => {
      const { account, ports, signal } = this.#context;
      const live = await ports.cluster.read(account, record.address, signal);
      changes.set(id, this.#seen(id, record, live));
    });
    await this.#save(changes);
    await this.#letGo([...changes.keys()]);
  }

  /** Begins what has not begun in this run, and tries again what failed and is due. */
  async begin(run: string, hooks: readonly PreparedHook[]): Promise<void> {
    const due = hooks.flatMap((hook) => {
      const attempt = this.#attemptOf(run, hook);
      if (attempt === undefined) return [];
      const token = tokenOf(run, attempt);
      return [{ hook, attempt, token, address: hookAddress(hook, token) }];
    });
    const clear: typeof due = [];
    await this.#each(due, async (one) => {
      if (await this.#clearWay(one.hook, one.token)) clear.push(one);
    });
    await this.#save(new Map(clear.map(({ hook, attempt, token }) => [hook.id, begun(run, hook, { attempt, token })])));
    const made = new Map<string, HookRecord>();
    await this.#each(clear, async ({ hook, token }) => {
      const record = this.#records.get(hook.id);
      if (record !== undefined) made.set(hook.id, this.#seen(hook.id, record, await this.#make(hook, token)));
    });
    await this.#save(made);
    await this.#letGo([...made.keys()]);
  }

  /** How the hooks of a step stand; a failed one is told once, as its object's failure. */
  standing(run: string, hooks: readonly PreparedHook[]): Standing {
    let waits: string | undefined;
    for (const hook of hooks) {
      const record = this.#records.get(hook.id);
      const name = `${hook.phase} hook ${objectText(record?.address ?? hook.prepared.address)}`;
      if (record?.run === run && record.state === "succeeded") continue;
      if (record?.run === run && record.state === "failed") {
        this.#context.outcomes.fail(record.address, failedFault(name, record));
        return { kind: "failed" };
      }
      if (this.#context.outcomes.hasFailed(record?.address ?? hook.prepared.address)) return { kind: "failed" };
      waits ??= `${name} ${record?.message ? `runs: ${record.message}` : "has not ended"}`;
    }
    return waits === undefined ? { kind: "through" } : { kind: "waits", reason: waits };
  }

  /** After a run: deletes what its policies let go, and forgets what is gone of other runs. */
  async finish(run: string): Promise<void> {
    const changes = new Map<string, HookRecord | undefined>();
    await this.#each(this.#all(), async ({ id, record }) => {
      if (isOpen(record)) return;
      const policy = record.state === "succeeded" ? "HookSucceeded" : "HookFailed";
      let { gone } = record;
      if (!gone && record.deletes.includes(policy)) gone = await this.#remove(record.address, record.uid);
      if (gone && record.run !== run) changes.set(id, undefined);
      else if (gone !== record.gone) changes.set(id, { ...record, gone });
    });
    await this.#save(changes, "soon");
  }

  /** Deletes every object that hooks left behind. False: something is still there. */
  async removeAll(): Promise<boolean> {
    const changes = new Map<string, undefined>();
    await this.#each(this.#all(), async ({ id, record }) => {
      const gone = record.gone || (await this.#remove(record.address, record.uid));
      if (gone) changes.set(id, undefined);
    });
    await this.#save(changes, "soon");
    return this.#records.size === 0;
  }

  /** Takes our finalizers off what hooks left behind: nothing of it is ours any more. False: something failed. */
  async abandon(): Promise<boolean> {
    const { ports, account, signal } = this.#context;
    let left = 0;
    await this.#each(this.#all(), async ({ record }) => {
      left++;
      const live = await ports.cluster.readMeta(account, record.address, signal);
      const uid = live?.metadata.uid ?? "";
      await ports.cluster.dropFinalizer(account, record.address, { uid, finalizer: hookFinalizer }, signal);
      left--;
    });
    return left === 0;
  }

  get #records(): ReadonlyMap<string, HookRecord> {
    return this.#context.book.inventory.hooks;
  }

  #all(ids?: readonly string[]) {
    const chosen = [...this.#records].filter(([id]) => ids?.includes(id) ?? true);
    return chosen.map(([id, record]) => ({ id, record, address: record.address }));
  }

  /** Which try is to begin now, or to be gone on with; undefined: none. */
  #attemptOf(run: string, hook: PreparedHook): number | undefined {
    const record = this.#records.get(hook.id);
    if (record?.run !== run) return 0;
    if (record.state === "begun") return record.attempt;
    if (record.state !== "failed") return undefined;
    const { retry, ports } = this.#context;
    if (retry.limit >= 0 && record.attempt >= retry.limit) return undefined;
    const wait = Math.min(retry.longestMs, retry.firstMs * retry.factor ** Math.min(record.attempt, 64));
    return ports.clock.now() >= record.endedAt + wait ? record.attempt + 1 : undefined;
  }

  /** Takes away what an older try left. False: it is not gone yet. */
  async #clearWay(hook: PreparedHook, token: string): Promise<boolean> {
    const { outcomes } = this.#context;
    const address = hookAddress(hook, token);
    const old = this.#records.get(hook.id);
    const places = [address, ...(old === undefined || old.gone || sameName(old.address, address) ? [] : [old.address])];
    for (const place of places) {
      const live = await this.#context.ports.cluster.readMeta(this.#context.account, place, this.#context.signal);
      if (live === undefined || live.metadata.annotations?.[hookRunAnnotation] === token) continue;
      const stays = place === address && !hook.deletes.includes("BeforeHookCreation");
      if (stays) continue;
      if (!isOwnedBy(live, this.#context.target) && !isHookObject(live)) {
        outcomes.fail(place, foreignFault(hook, place));
        return false;
      }
      if (await this.#remove(place, live.metadata.uid ?? "")) continue;
      outcomes.add(place, "deleting", {
        reason: `the ${hook.phase} hook of this name runs when the older one is gone`,
      });
      return false;
    }
    return true;
  }

  async #make(hook: PreparedHook, token: string): Promise<KubeObject> {
    const { ports, account, signal, strict } = this.#context;
    const live = await ports.cluster.read(account, hookAddress(hook, token), signal);
    if (live?.metadata.annotations?.[hookRunAnnotation] === token) return live;
    return ports.cluster.apply(account, hookObject(hook, token), { dryRun: false, strict }, signal);
  }

  /** What a record becomes now that its object was looked at. */
  #seen(id: string, record: HookRecord, live: KubeObject | undefined): HookRecord {
    const token = tokenOf(record.run, record.attempt);
    const its = live?.metadata.annotations?.[hookRunAnnotation] === token;
    const finalizers = live?.metadata.finalizers ?? [];
    const held = its && finalizers.includes(hookFinalizer);
    const ended = record.state === "succeeded" || record.state === "failed";
    if (ended) return { ...record, held, gone: record.gone || !its };
    if (live === undefined || !its) {
      if (record.state === "begun") return record;
      return this.#ended(id, {
        ...record,
        state: "failed",
        message: "it was deleted before it ended",
        held,
        gone: true,
      });
    }
    const { state, message } = hookEnd(live);
    const next = { ...record, uid: live.metadata.uid ?? "", held, state, message: message.slice(0, 300) };
    if (state === "running") {
      if (record.state === "begun") this.events.push({ ref: record.address, id, state, message });
      return next;
    }
    return this.#ended(id, next);
  }

  #ended(id: string, record: HookRecord): HookRecord {
    const endedAt: Instant = this.#context.ports.clock.now();
    this.events.push({ ref: record.address, id, state: record.state, message: record.message });
    return { ...record, endedAt };
  }

  /** The end is written down: takes our finalizer off. */
  async #letGo(ids: readonly string[]): Promise<void> {
    const changes = new Map<string, HookRecord>();
    await this.#each(this.#all(ids), async ({ id, record }) => {
      if (!record.held || record.state === "running" || record.state === "begun") return;
      const { ports, account, signal } = this.#context;
      await ports.cluster.dropFinalizer(account, record.address, { uid: record.uid, finalizer: hookFinalizer }, signal);
      changes.set(id, { ...record, held: false });
    });
    await this.#save(changes, "soon");
  }

  /** True: it is gone. Its finalizer is taken off first: nobody else would. */
  async #remove(address: ObjectAddress, uid: string): Promise<boolean> {
    const { ports, account, propagation, signal } = this.#context;
    const live = await ports.cluster.readMeta(account, address, signal);
    if (live === undefined || (uid !== "" && live.metadata.uid !== uid)) return true;
    const now = live.metadata.uid ?? "";
    if (live.metadata.finalizers?.includes(hookFinalizer) === true) {
      await ports.cluster.dropFinalizer(account, address, { uid: now, finalizer: hookFinalizer }, signal);
    }
    if (live.metadata.deletionTimestamp !== undefined) {
      return (await ports.cluster.readMeta(account, address, signal))?.metadata.uid !== now;
    }
    return (await ports.cluster.remove(account, address, { uid: now, propagation }, signal)) !== "deleting";
  }

  async #save(changes: ReadonlyMap<string, HookRecord | undefined>, urgency: "now" | "soon" = "now"): Promise<void> {
    const { book } = this.#context;
    const real = new Map([...changes].filter(([id, record]) => record !== this.#records.get(id)));
    await book.write(withHooks(book.inventory, real), urgency);
  }

  /** A fault about one hook fails that hook; one about the cluster or the pass ends the pass. */
  async #each<Item extends { readonly address: ObjectAddress }>(
    items: readonly Item[],
    work: (item: Item) => Promise<void>,
  ): Promise<void> {
    const { ports, signal, outcomes } = this.#context;
    await pooled(items, ports.concurrency, async (item) => {
      try {
        await work(item);
      } catch (thrown) {
        const fault = Fault.from(thrown);
        if (signal.aborted || endsPass(fault)) throw fault;
        outcomes.fail(item.address, fault);
      }
    });
  }
}

function begun(run: string, hook: PreparedHook, at: { readonly attempt: number; readonly token: string }): HookRecord {
  return {
    address: hookAddress(hook, at.token),
    run,
    attempt: at.attempt,
    state: "begun",
    uid: "",
    endedAt: 0,
    message: "",
    deletes: hook.deletes,
    held: false,
    gone: false,
  };
}

function sameName(a: ObjectAddress, b: ObjectAddress): boolean {
  return a.name === b.name && a.namespace === b.namespace;
}

function failedFault(name: string, record: HookRecord): Fault {
  return new Fault("hook-failed", {
    message: `${name} failed${record.message === "" ? "" : `: ${record.message}`}; what comes after it was not applied.`,
    where: { object: objectText(record.address) },
    next: "See its logs and mend it; it is tried again as the retry policy says, by a new commit, or by `capstan sync`.",
  });
}

function foreignFault(hook: { readonly phase: HookPhase }, address: ObjectAddress): Fault {
  return new Fault("object-owned", {
    message: `the ${hook.phase} hook ${objectText(address)} cannot run: an object of its name exists that is no hook of this target.`,
    where: { object: objectText(address) },
    next: "Delete that object, or give the hook another name.",
  });
}
