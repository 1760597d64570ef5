import { Fault } from "@capstan/proto";
import { ActOnTargetResponseSchema } from "@capstan/proto/application";
import { dataOf } from "./answer.ts";
import type { Call } from "./call.ts";
import { exit } from "./exit.ts";
import { changeFlags, flag, type Verb } from "./verb.ts";

/** What can be done, to what, and how it is told. */
const actions = [
  [
    "restart",
    "start the pods of a Deployment, StatefulSet, DaemonSet or Rollout anew, a few at a time",
    "Deployment/web",
  ],
  ["suspend", "stop a CronJob, Job, Deployment's or Rollout's progress until it is resumed", "CronJob/report"],
  ["resume", "let go on what was suspended", "CronJob/report"],
  ["promote", "Argo Rollout: end the pause that it stands at", "Rollout/web"],
  ["promote-full", "Argo Rollout: skip all steps that are left", "Rollout/web"],
  ["abort", "Argo Rollout: go back to the stable version", "Rollout/web"],
  ["retry", "Argo Rollout: try again after an abort", "Rollout/web"],
] as const;

const object = "[object]";
const flags = [flag.oneCluster, ...changeFlags];

/** `action VERB TARGET [KIND/NAME]`: one object, once, by its agent. */
export const actionVerbs: readonly Verb[] = [
  {
    words: "action scale",
    args: `<target> ${object}`,
    help: "set the replicas of a Deployment, StatefulSet, ReplicaSet or Rollout that Git leaves to others",
    flags: [{ flags: "--replicas <n>", help: "how many" }, ...flags],
    examples: ["action scale shop-web Deployment/web --replicas 5 -c prod-us-2"],
    run: (call) => act(call, "scale", replicasOf(call)),
  },
  ...actions.map(
    ([verb, help, example]): Verb => ({
      words: `action ${verb}`,
      args: `<target> ${object}`,
      help,
      flags,
      examples: [`action ${verb} shop-web ${example} -c prod-us-2`],
      run: (call) => act(call, verb, 0),
    }),
  ),
];

async function act(call: Call, verb: string, replicas: number): Promise<number> {
  const [name = "", meant = ""] = call.words;
  const what = `${verb} ${meant === "" ? "its only object that knows this verb" : meant} of ${name}`;
  await call.confirm([`${what}${call.cluster === "" ? "" : ` on ${call.cluster}`}`], "Do it?");
  const hub = await call.hub();
  const action = { verb, object: meant, replicas };
  const found = await hub.applications.actOnTarget(
    { name, cluster: call.cluster, action, change: call.change() },
    call.signal,
  );
  const { target, done, message } = found;
  const late = "asked; its agent has not answered yet, and does it when it reads its desired state";
  const said = message !== "" ? message : done ? "done" : late;
  call.show({
    text: () => [`${target}: ${said}`],
    data: dataOf(ActOnTargetResponseSchema, found),
    names: [`target/${target.split(" on ")[0] ?? ""}`],
  });
  return done || call.flag("dryRun") ? exit.done : exit.deferredRemain;
}

function replicasOf(call: Call): number {
  const text = call.needed("replicas", "--replicas");
  const count = Number(text);
  if (/^\d+$/.test(text) && count <= 100_000) return count;
  throw new Fault("bad-input", { message: `expected --replicas as a whole number, found ${JSON.stringify(text)}.` });
}
