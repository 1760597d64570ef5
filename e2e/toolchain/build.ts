import { existsSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { build as bundle } from "esbuild";
import { root } from "./program.ts";

/** One binary: where it starts, what it is called, and whether its size matters at run time. */
interface Binary {
  readonly name: string;
  readonly entry: string;
  readonly minify: boolean;
}

// The agent runs beside every workload and pays memory for each byte of source; the hub keeps readable stack traces.
const binaries: readonly Binary[] = [
  { name: "capstan", entry: "hub/src/main.ts", minify: false },
  { name: "capstan-agent", entry: "agent/src/main.ts", minify: true },
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

async function make({ name, entry, minify }: Binary, out: string): Promise<void> {
  const { metafile } = await bundle({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: join(out, `${name}.mjs`),
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    minify,
    sourcemap: "linked",
    legalComments: "linked",
    metafile: true,
    logLevel: "warning",
    banner: { js: banner },
  });
  const wrapper = join(out, name);
  await writeFile(wrapper, wrapperText(name));
  await chmod(wrapper, 0o755);
  const bytes = metafile.outputs[`dist/${name}.mjs`]?.bytes ?? 0;
  process.stdout.write(`dist/${name}  ${(bytes / 1_048_576).toFixed(1)} MiB\n`);
}

/** A shell wrapper and not a `#!/usr/bin/env node`: it takes the Node that is named, and passes V8's memory flags. */
function wrapperText(name: string): string {
  const flags = name === "capstan-agent" ? " --max-semi-space-size=2 --optimize-for-size" : "";
  return `#!/bin/sh
# Follow links, so that a link in /usr/local/bin finds the bundle beside the real file.
self=$0
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
exec "\${CAPSTAN_NODE:-node}"${flags} "$(dirname "$self")/${name}.mjs" "$@"
`;
}
