import { join, resolve } from "node:path";
import { create } from "@bufbuild/protobuf";
import type { Clock } from "@capstan/proto";
import { SealedKeySchema } from "@capstan/proto/desired";
import type { HubConfig } from "../../config/compile.ts";
import type { DesiredCrypto } from "../../distribution/port.ts";
import type { Sealing, Signer } from "../../identity/port.ts";
import type { Renderer } from "../../releases/port.ts";
import { RenderKeys } from "../../render/memo.ts";
import { defaultRenderLimits } from "../../render/model.ts";
import { prepareRender } from "../../render/render.ts";
import { serversOf } from "../../sources/config.ts";
import { gunzip, gzip, sha256Digest, sha256Hex } from "../crypto/digests.ts";
import { openMirror, secretReader } from "../git/open.ts";
import { HttpClient } from "../http/client.ts";
import { HttpExchange, proxiesOf } from "../http/exchange.ts";
import { openTools } from "../render/open.ts";
import type { Runner } from "../render/spawner.ts";

/** Compression, hashes, signatures and sealed keys for desired states. */
export function desiredCrypto(signer: Signer, sealing: Sealing): DesiredCrypto {
  return {
    gzip,
    gunzip,
    sha256: sha256Digest,
    sign: (bytes) => signer.sign(bytes),
    verify: (bytes, signature) => signer.verify(bytes, signature),
    seal: ({ digest, keyId }, { sealingKey }) => {
      const { ephemeralPublic, nonce, sealed } = sealing.sealKey({ digest, keyId }, sealingKey);
      return create(SealedKeySchema, { ephemeralPublic, nonce, sealed });
    },
  };
}

/** Mirrors of repositories below the data folder, and the reader of their secrets. */
export async function openRepositories(
  config: HubConfig,
  world: { readonly clock: Clock; readonly environment: NodeJS.ProcessEnv; readonly runner: Runner },
) {
  const { clock, environment, runner } = world;
  const directory = join(resolve(config.data), "git");
  const { privateHosts, plainRegistries } = config.sources;
  const servers = serversOf(config.sources);
  const http = new HttpClient(new HttpExchange({ environment, privateHosts, servers }));
  const path = environment["PATH"] ?? "";
  const reaching = { servers, proxies: proxiesOf(environment), http, plainRegistries };
  const { mirror, backend } = await openMirror({ directory, path, clock, runner, ...reaching });
  return { mirror, backend, secrets: secretReader(environment) };
}

/** Renders whose keys are remembered: the targets of a large fleet. */
const rememberedKeys = 50_000;

/** Helm and Kustomize in their sandbox, and plain directories. */
export async function openRenderer(
  config: HubConfig,
  world: { readonly clock: Clock; readonly path: string; readonly runner: Runner },
  signal: AbortSignal,
): Promise<{ readonly renderer: Renderer; readonly isolation: { readonly mode: string; readonly reason: string } }> {
  const directory = join(resolve(config.data), "render");
  const { tools, isolation } = await openTools({ directory, config: config.render, ...world }, signal);
  const ports = { tools, sha256: sha256Hex, limits: defaultRenderLimits };
  const keys = new RenderKeys(ports, rememberedKeys);
  const renderer: Renderer = {
    key: (request, stop) => keys.keyOf(request, stop),
    prepare: (request, stop) => prepareRender(request, ports, stop),
  };
  return { renderer, isolation };
}
