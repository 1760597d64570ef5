import { gatewayHealth, policyHealth, routeHealth } from "./attached.ts";
import { clouds } from "./kinds/clouds.ts";
import { data } from "./kinds/data.ts";
import { delivery } from "./kinds/delivery.ts";
import { platform } from "./kinds/platform.ts";
import { security } from "./kinds/security.ts";
import type { KindTable } from "./kinds/shapes.ts";
import type { GroupKind, Health, Manifest } from "./model.ts";
import { podHealth } from "./pod.ts";
import { changeTransferHealth, promotionStrategyHealth } from "./promotion.ts";
import type { RuleText } from "./rule.ts";
import {
  apiServiceHealth,
  autoscalerHealth,
  balancerHealth,
  claimHealth,
  definitionHealth,
  namespaceHealth,
  serviceHealth,
} from "./services.ts";
import {
  cassandraHealth,
  collectorHealth,
  gameServerSetHealth,
  koperatorHealth,
  kruiseDaemonSetHealth,
  kruiseSetHealth,
  rolloutHealth,
  sparkHealth,
  subscriptionHealth,
} from "./special.ts";
import {
  cronJobHealth,
  daemonSetHealth,
  deploymentHealth,
  jobHealth,
  replicaSetHealth,
  statefulSetHealth,
} from "./workloads.ts";

/** A verdict in code. */
export type Reader = (object: Manifest) => Health;

/** By `group/Kind`; the version does not matter. A `*` in group or kind stands for anything. */
const readers: Readonly<Record<string, Reader>> = {
  "apps/Deployment": deploymentHealth,
  "apps/StatefulSet": statefulSetHealth,
  "apps/DaemonSet": daemonSetHealth,
  "apps/ReplicaSet": replicaSetHealth,
  "extensions/Deployment": deploymentHealth,
  "extensions/DaemonSet": daemonSetHealth,
  "extensions/ReplicaSet": replicaSetHealth,
  "/Pod": podHealth,
  "batch/Job": jobHealth,
  "batch/CronJob": cronJobHealth,
  "/PersistentVolumeClaim": claimHealth,
  "/Service": serviceHealth,
  "/Namespace": namespaceHealth,
  "networking.k8s.io/Ingress": balancerHealth,
  "extensions/Ingress": balancerHealth,
  "apiregistration.k8s.io/APIService": apiServiceHealth,
  "autoscaling/HorizontalPodAutoscaler": autoscalerHealth,
  "apiextensions.k8s.io/CustomResourceDefinition": definitionHealth,
  "argoproj.io/Rollout": rolloutHealth,
  "apps.kruise.io/CloneSet": kruiseSetHealth,
  "apps.kruise.io/StatefulSet": kruiseSetHealth,
  "apps.kruise.io/DaemonSet": kruiseDaemonSetHealth,
  "game.kruise.io/GameServerSet": gameServerSetHealth,
  "gateway.networking.k8s.io/Gateway": gatewayHealth,
  "gateway.networking.k8s.io/*Route": routeHealth,
  "gateway.networking.k8s.io/*Policy": policyHealth,
  "gateway.envoyproxy.io/*Policy": policyHealth,
  "microgateway.airlock.com/*Policy": policyHealth,
  "opentelemetry.io/OpenTelemetryCollector": collectorHealth,
  "sparkoperator.k8s.io/SparkApplication": sparkHealth,
  "kafka.banzaicloud.io/KafkaCluster": koperatorHealth,
  "cassandra.rook.io/Cluster": cassandraHealth,
  "operators.coreos.com/Subscription": subscriptionHealth,
  "promoter.argoproj.io/PromotionStrategy": promotionStrategyHealth,
  "promoter.argoproj.io/ChangeTransferPolicy": changeTransferHealth,
};

const tables: readonly KindTable[] = [delivery, security, platform, clouds, data];

/** Kinds that have a reader in code, as `group/Kind` (`*` for anything). */
export const codedKinds: readonly string[] = Object.keys(readers);

/** Every rule with the kinds that it is for: kinds of one group, in the order in which they are asked. */
export interface TableRow {
  readonly group: string;
  readonly kinds: readonly string[];
  readonly rule: RuleText;
}

/** All rules of the tables. */
export function tableRows(): readonly TableRow[] {
  return tables.flatMap((table) =>
    Object.entries(table).flatMap(([group, kinds]) =>
      Object.entries(kinds).map(([names, rule]) => ({ group, kinds: names.split(","), rule })),
    ),
  );
}

/** The reader of a kind; exact names count before patterns. */
export function readerOf({ group, kind }: GroupKind): Reader | undefined {
  const exact = readers[`${group}/${kind}`];
  if (exact !== undefined) return exact;
  for (const pattern of patterns) if (pattern.group === group && kind.endsWith(pattern.ending)) return pattern.reader;
  return undefined;
}

const patterns = Object.entries(readers)
  .filter(([name]) => name.includes("/*"))
  .map(([name, reader]) => {
    const [group = "", ending = ""] = name.split("/*");
    return { group, ending, reader };
  });

/** The rule of a kind: of its own group, else of a group pattern; there by its name, else by `*`. */
export function ruleTextOf({ group, kind }: GroupKind): RuleText | undefined {
  const names = [group, ...wideNames(group)];
  for (const name of names) {
    for (const table of tables) {
      const kinds = table[name];
      if (kinds === undefined) continue;
      const rule = Object.entries(kinds).find(([list]) => list.split(",").includes(kind))?.[1] ?? kinds["*"];
      if (rule !== undefined) return rule;
    }
  }
  return undefined;
}

/** `iam.aws.crossplane.io` → `*.aws.crossplane.io`, `*.crossplane.io`, `*.io`. */
function wideNames(group: string): readonly string[] {
  const parts = group.split(".");
  return parts.slice(1).map((_, at) => `*.${parts.slice(at + 1).join(".")}`);
}
