import { createHash } from "node:crypto";
import process from "node:process";
import { type ClusterId, type Digest, targetKey } from "@capstan/proto";
import { parseStrategySpec } from "../../documents/strategy-parse.ts";
import { checkPlan } from "../../rollout/check.ts";
import { laneKey, type PlanInput, parseRunId } from "../../rollout/model.ts";
import { plan } from "../../rollout/plan.ts";
import { careful, stagedStrategy } from "../../rollout/strategy.ts";

// Plans one lane of CLUSTERS x TARGETS several times, and prints one line of JSON: milliseconds of each by the
// clock and by the processor (all threads; what a busy machine does not change), and the memory.
const [clusters = 1_000, targets = 200, rounds = 7] = process.argv.slice(2).map(Number);
const hash = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}` as Digest;
const ids = Array.from({ length: clusters }, (_, n) => `c${String(n).padStart(4, "0")}` as ClusterId);
const release = (content: string) =>
  ids.flatMap((cluster) =>
    Array.from({ length: targets }, (_, n) => ({
      target: targetKey("argocd", `t${n}-${cluster}`),
      cluster,
      content: `sha256:${content.repeat(64)}` as Digest,
    })),
  );
const lane = laneKey("apps", "web");
const region = { matchLabels: { region: "r1" } };
const spec = parseStrategySpec({
  stages: [
    { name: "staging", select: { matchLabels: { env: "staging" } }, canary: 1 },
    { name: "prod", canary: "1%", groups: [{ name: "one", select: region }], order: { by: "hash" }, minSuccess: "95%" },
  ],
});
const input: PlanInput = {
  run: parseRunId("bench-1"),
  origin: { kind: "release" },
  now: 1_000,
  actor: "bench",
  reason: "",
  release: {
    id: hash("release"),
    lane,
    cause: { commit: "", author: "", subject: "", repository: "" },
    targets: release("a"),
  },
  previous: null,
  current: release("b"),
  clusters: ids.map((id, n) => ({
    id,
    connected: true,
    labels: { env: n % 10 === 0 ? "staging" : "prod", region: `r${n % 3}` },
  })),
  strategy: stagedStrategy("bench", spec, careful()),
};
const took: number[] = [];
const worked: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  const before = performance.now();
  const used = process.cpuUsage();
  const made = plan(input, hash);
  took.push(performance.now() - before);
  const { user, system } = process.cpuUsage(used);
  worked.push((user + system) / 1_000);
  const wrong = round === 0 ? checkPlan(made, hash) : [];
  if (wrong.length > 0) throw new Error(wrong[0]);
}
process.stdout.write(`${JSON.stringify({ took, worked, rss: process.memoryUsage().rss })}\n`);
