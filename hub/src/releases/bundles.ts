import type { RenderRequest } from "../render/model.ts";
import type { StoredBundleRef } from "../targets/content.ts";
import type { BundleKeeper, Renderer, RenderMemory } from "./port.ts";

/** What makes bundles and keeps them. */
export interface BundlesOptions {
  readonly renderer: Renderer;
  readonly memory: RenderMemory;
  readonly bundles: BundleKeeper;
}

/** The bundle of each render: remembered by its key, so that nothing redeploys by itself, and made once where many ask. */
export class Bundles {
  readonly #options: BundlesOptions;
  /** Renders under way by key. */
  readonly #rendering = new Map<string, Promise<StoredBundleRef>>();

  constructor(options: BundlesOptions) {
    this.#options = options;
  }

  /** Renders where nothing is remembered, or what was is no longer stored. Throws the render's fault. */
  async of(request: RenderRequest, signal: AbortSignal): Promise<StoredBundleRef> {
    const { renderer, memory, bundles } = this.#options;
    const key = await renderer.key(request, signal);
    const known = memory.get(key);
    if (known !== undefined && (await bundles.has(known.digest, signal))) return known;
    const underWay = this.#rendering.get(key);
    if (underWay !== undefined) return underWay;
    const rendering = this.#render(request, signal).finally(() => this.#rendering.delete(key));
    this.#rendering.set(key, rendering);
    return rendering;
  }

  async #render(request: RenderRequest, signal: AbortSignal): Promise<StoredBundleRef> {
    const prepared = await this.#options.renderer.prepare(request, signal);
    const bundle = await prepared.run(signal);
    const stored = await this.#options.bundles.store(bundle.digest, bundle.bytes, signal);
    await this.#options.memory.put(prepared.key, stored, signal);
    return stored;
  }
}
