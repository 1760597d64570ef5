import process from "node:process";
import { Playground } from "./playground.ts";
import { Screen } from "./screen.ts";
import { viewLines } from "./view.ts";

const lookEvery = 500;
const readyWithin = 60_000;

const stop = new AbortController();
const ended = new Promise<void>((resolve) => {
  stop.signal.addEventListener("abort", () => resolve(), { once: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(130); // asked twice: what is left is ended on the way out
    stop.abort();
  });
}
process.exitCode = await play(process.argv.slice(2));

async function play(args: readonly string[]): Promise<number> {
  const unknown = args.filter((arg) => arg !== "--simulated");
  if (unknown.length > 0) {
    process.stderr.write(`playground: expected --simulated or nothing, found ${unknown.join(" ")}\n`);
    return 64;
  }
  const began = performance.now();
  await using playground = await Playground.start({ simulated: args.includes("--simulated") });
  if (stop.signal.aborted) return 130;
  const screen = new Screen(process.stdout);
  screen.say(playground.intro);
  const watching = watch(playground, screen);
  try {
    const ready = await Promise.race([isReady(playground), ended]);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    if (ready !== undefined) screen.say(`${ready ? "ready" : "still not all healthy"} after ${seconds} s\n\n`);
    await ended;
  } finally {
    stop.abort();
    await watching;
  }
  screen.say("ending everything ...\n");
  return 0;
}

async function isReady(playground: Playground): Promise<boolean> {
  try {
    await playground.ready(readyWithin);
    return true;
  } catch {
    return false; // a slow machine: what is there is shown, and the rest comes
  }
}

/** Shows the fleet until the end; a hub that does not answer (somebody plays with it) is shown as it was. */
async function watch(playground: Playground, screen: Screen): Promise<void> {
  while (!stop.signal.aborted) {
    try {
      screen.show(viewLines(await playground.see(), process.stdout.isTTY ? "full" : "brief"));
    } catch {
      screen.show(["the hub does not answer"]);
    }
    await Promise.race([new Promise((resolve) => setTimeout(resolve, lookEvery)), ended]);
  }
}
