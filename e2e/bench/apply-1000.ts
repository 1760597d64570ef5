import { atMost, type Bench, figure, rate } from "./bench.ts";
import { knob } from "./fleet.ts";
import { objectsOf, pathOf, Thousand, targets } from "./thousand.ts";

const inFlight = 16;

/** One push of targets to one real API server, beside what a bare client needs for the same dry-runs and applies. */
export const bench: Bench = {
  summary: "1,000 targets × 4 objects in one push, all reported applied",
  built: true,
  async run(context) {
    await using thousand = await Thousand.start(context);
    const floor = await floorOf(thousand);
    context.say(`apply-1000: a bare client takes ${floor.toFixed(1)} s`);
    const { value: seconds, rss, cpu } = await thousand.watchUse(() => thousand.apply());
    const resting = knob("REST_SECONDS", 15);
    context.say(`apply-1000: applied after ${seconds.toFixed(1)} s; at rest for ${resting} s`);
    const rest = await thousand.watchUse(() => new Promise((resolve) => setTimeout(resolve, resting * 1_000)));
    return [
      atMost(4, { name: "all reported applied, beside the floor", value: seconds / floor, unit: "x" }),
      figure({ name: "all reported applied", value: seconds, unit: "s" }),
      figure({ name: "floor: a bare client's dry-runs and applies", value: floor, unit: "s" }),
      atMost(250, { name: "agent RSS during the push, most", value: rss / 2 ** 20, unit: "MiB" }),
      atMost(150, { name: "agent RSS at rest", value: thousand.used.rssBytes / 2 ** 20, unit: "MiB" }),
      figure({ name: "agent RSS in the rest, most", value: rest.rss / 2 ** 20, unit: "MiB" }),
      figure({ name: "agent CPU for the push", value: cpu, unit: "s" }),
    ];
  },
};

/** Seconds for a dry-run and an apply of as many equal objects, in a namespace of their own. */
async function floorOf(thousand: Thousand): Promise<number> {
  const { client } = thousand.cluster;
  await client.create("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "floor" } });
  const objects = Array.from({ length: targets() }, (_, index) => objectsOf(`floor${index}`)).flat();
  const send = async (index: number, query: string) => {
    const object = objects[index];
    if (object === undefined) return;
    const path = `${pathOf(object, "floor")}?fieldManager=floor&force=true${query}`;
    const { status } = await client.send("PATCH", path, { body: object, contentType: "application/apply-patch+yaml" });
    if (status >= 300) throw new Error(`the API server answered ${status} to ${path}`);
  };
  const began = performance.now();
  await rate(objects.length, inFlight, async (index) => {
    await send(index, "&dryRun=All");
    await send(index, "");
  });
  return (performance.now() - began) / 1_000;
}
