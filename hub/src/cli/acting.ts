import { Fault } from "@capstan/proto";
import {
  DiffTargetsResponseSchema,
  RenderTargetResponseSchema,
  SyncLaneResponseSchema,
} from "@capstan/proto/application";
import { dataOf } from "./answer.ts";
import type { Call } from "./call.ts";
import { exit } from "./exit.ts";
import { counted } from "./look.ts";

import { diffMarkdown, diffScreen } from "./screens/diff.ts";
import { faultLines } from "./screens/fault.ts";
import { changeFlags, flag, type Verb } from "./verb.ts";
import { followRollout, follows } from "./watching.ts";

/** What people ask before a change, and `sync`. */
export const actingVerbs: readonly Verb[] = [
  {
    words: "diff",
    help: "what would change where, equal changes together; exit code 0 none, 1 differences, 2 trouble",
    flags: [
      flag.file,
      { flags: "--revision <revision>", help: "a revision of the sources, instead of documents" },
      { flags: "--lane <lane>", help: "what Git asks now against what is desired, of this lane" },
      flag.cluster,
      { flags: "-o, --output <format>", help: "wide, json, yaml, name or markdown" },
    ],
    examples: ["diff", "diff -f argocd/ -o markdown", "diff --revision my-branch", "diff --lane shop-web -c prod-eu-1"],
    run: diff,
  },
  {
    words: "render",
    args: "<target>",
    help: "a target's manifests as they are desired, or as a revision would make them; Secret values masked",
    flags: [flag.oneCluster, { flags: "--revision <revision>", help: "render this revision instead" }, flag.output],
    examples: ["render shop-web -c prod-eu-1", "render argocd/web --revision my-branch"],
    run: render,
  },
  {
    words: "sync",
    args: "<lane>",
    help: "apply now what is desired, or release a lane that waits for it; never jumps a stage or a gate",
    flags: [
      flag.cluster,
      { flags: "--force", help: "replace what cannot be changed in place" },
      { flags: "--wait", help: "follow the rollout to its end, also without a terminal" },
      { flags: "--no-wait", help: "do not follow it" },
      ...changeFlags,
    ],
    examples: ["sync shop-web", "sync team-apps:shop-web -c prod-eu-1"],
    run: sync,
  },
];

async function diff(call: Call): Promise<number> {
  const hub = await call.hub();
  const paths = call.list("file");
  const revision = call.text("revision") ?? "";
  if (paths.length > 0 && revision !== "") {
    throw new Fault("bad-input", { message: "expected -f or --revision, found both.", next: "Ask twice." });
  }
  const files = (await Promise.all(paths.map((path) => call.ports.files.documents(path)))).flat();
  const request = { files, revision, lane: call.text("lane") ?? "", clusters: [...call.list("cluster")] };
  const found = await hub.applications.diffTargets(request, call.signal);
  if (call.text("output") === "markdown") {
    call.ports.screen.out(
      diffMarkdown(found)
        .map((line) => `${line}\n`)
        .join(""),
    );
  } else {
    call.show({
      text: (look) => diffScreen(found, look),
      data: dataOf(DiffTargetsResponseSchema, found),
      names: found.groups.flatMap(({ targets }) => targets.map((target) => `target/${target.split(" on ")[0] ?? ""}`)),
    });
  }
  if (found.faults.length > 0) return exit.failed;
  return found.groups.length > 0 ? exit.differences : exit.done;
}

async function render(call: Call): Promise<number> {
  const hub = await call.hub();
  const request = { name: call.word(0), cluster: call.cluster, revision: call.text("revision") ?? "" };
  const found = await hub.applications.renderTarget(request, call.signal);
  for (const line of found.warnings.flatMap((fault) => faultLines(fault, call.look))) {
    call.ports.screen.err(`warning: ${line}\n`);
  }
  return call.show({
    text: () => [found.yaml.replace(/\n$/, "")],
    data: dataOf(RenderTargetResponseSchema, found),
    names: [`bundle/${found.digest}`],
  });
}

async function sync(call: Call): Promise<number> {
  const hub = await call.hub();
  const lane = call.word(0);
  const request = { lane, clusters: [...call.list("cluster")], force: call.flag("force"), change: call.change() };
  const done = await hub.applications.syncLane(request, call.signal);
  const would = call.flag("dryRun");
  call.show({
    text: () => [
      ...(done.rollout === "" ? [] : [`${lane} ${would ? "would move" : "moves"} by rollout ${done.rollout}`]),
      ...(done.targets.length === 0
        ? []
        : [`${would ? "would apply" : "applies"} ${counted(done.targets.length, "target")} again:`]),
      ...done.targets.slice(0, 20).map((target) => `  ${target}`),
      ...(done.targets.length > 20 ? [`  and ${done.targets.length - 20} more`] : []),
      ...(done.rollout === "" && done.targets.length === 0 ? ["nothing to do"] : []),
      ...(would ? ["nothing was changed (--dry-run)"] : []),
    ],
    data: dataOf(SyncLaneResponseSchema, done),
    names: done.targets.map((target) => `target/${target}`),
  });
  if (would || done.rollout === "" || !follows(call)) return exit.done;
  return followRollout(call, done.rollout, { throughHolds: false });
}
