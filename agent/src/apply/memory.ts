import type { Fight } from "../drift/damp.ts";

/** What the last dry-run or write said of an object. */
export interface Verdict {
  /** Of the prepared manifest that was compared. */
  readonly hash: string;
  /** Of the live object at that moment (`drift/fingerprint.ts`). */
  readonly fingerprint: string;
  /** `false`: it differs, and was left so. */
  readonly clean: boolean;
}

/**
 * What the agent remembers of managed objects between passes: the last verdict, and the live fingerprint as the watch
 * tells it. While both are unchanged a pass sends no request for the object. It may be lost at any time: then everything
 * is compared once more. About 300 bytes an object.
 */
export class ObjectMemory {
  readonly #verdicts = new Map<string, Verdict>();
  readonly #live = new Map<string, string>();
  readonly #fights = new Map<string, Fight>();
  readonly #blind = new Set<string>();
  readonly #writing = new Set<string>();
  readonly #namespaces = new Map<string, ReadonlySet<string>>();

  verdict(key: string): Verdict | undefined {
    return this.#verdicts.get(key);
  }

  remember(key: string, verdict: Verdict): void {
    this.#verdicts.set(key, verdict);
  }

  /** The watch saw the object. */
  saw(key: string, fingerprint: string): void {
    this.#live.set(key, fingerprint);
  }

  /** The watch no longer vouches for the object: it is gone, or the watch is lost. */
  lost(key: string): void {
    this.#live.delete(key);
  }

  /** The watch of a kind (`group/Kind`) is lost, or there again: while it is lost, what it showed vouches for nothing. */
  setBlind(kind: string, blind: boolean): void {
    if (blind) this.#blind.add(kind);
    else this.#blind.delete(kind);
  }

  /** Whether the object is known to be as this manifest wants it, without asking the server. */
  knownClean(key: string, hash: string): boolean {
    const verdict = this.#verdicts.get(key);
    if (verdict?.clean !== true || verdict.hash !== hash || this.#live.get(key) !== verdict.fingerprint) return false;
    return this.#blind.size === 0 || !this.#blind.has(key.split("/", 2).join("/"));
  }

  /** Whether the live object, as the watch shows it, has a verdict already, good or bad. */
  vouched(key: string): boolean {
    const live = this.#live.get(key);
    return live !== undefined && this.#verdicts.get(key)?.fingerprint === live;
  }

  /** A write of the object is under way: its event may arrive before its answer. */
  beginWrite(key: string): void {
    this.#writing.add(key);
  }

  endWrite(key: string): void {
    this.#writing.delete(key);
  }

  isWriting(key: string): boolean {
    return this.#writing.has(key);
  }

  fight(key: string): Fight | undefined {
    return this.#fights.get(key);
  }

  corrected(key: string, fight: Fight): void {
    this.#fights.set(key, fight);
  }

  /** Whether a namespace is known to be there with what somebody (`wish`) wanted of it. */
  hasNamespace(name: string, wish: string): boolean {
    return this.#namespaces.get(name)?.has(wish) === true;
  }

  namespaceSeen(name: string, wish: string): void {
    this.#namespaces.set(name, new Set(this.#namespaces.get(name)).add(wish));
  }

  /** A request was answered that the namespace is missing. */
  namespaceLost(name: string): void {
    this.#namespaces.delete(name);
  }

  /** Forgets all about an object that is no longer managed. */
  forget(key: string): void {
    this.#verdicts.delete(key);
    this.#live.delete(key);
    this.#fights.delete(key);
  }
}
