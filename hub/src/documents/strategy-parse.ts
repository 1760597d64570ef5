import type { JsonObject } from "./model.ts";
import {
  amountAt,
  badField,
  durationAt,
  numberAt,
  objectAt,
  objectsAt,
  parseAmount,
  shown,
  textAt,
  textsAt,
  wordAt,
} from "./strategy-fields.ts";
import type {
  Amount,
  ClusterSelect,
  GroupSpec,
  LabelMatch,
  RolloutStrategySpec,
  StageOrder,
  StageSpec,
} from "./strategy-model.ts";
import { parseTasks } from "./strategy-tasks.ts";

/** More would be a list of clusters, not a strategy. */
const maxStages = 50;

/** `spec` of a RolloutStrategy. Throws `bad-input` with the field, what was expected and what to write. */
export function parseStrategySpec(spec: JsonObject): RolloutStrategySpec {
  const stages = objectsAt(spec, "stages").map((one, at) => parseStage(one, `spec.stages[${at}]`, at));
  if (stages.length === 0) {
    throw badField("spec.stages", "expected at least one stage, found none.", "Add a stage with a name.");
  }
  if (stages.length > maxStages) {
    throw badField(
      "spec.stages",
      `expected at most ${maxStages} stages, found ${stages.length}.`,
      "Join some of them.",
    );
  }
  uniqueNames(stages, "spec.stages");
  const rate = objectAt(spec, "rateLimit") ?? {};
  const per = objectAt(rate, "per");
  const field = "spec";
  return {
    stages,
    unmatched: wordAt(spec, "unmatched", { field, words: ["warn", "fail", "last-stage", "ignore"] }),
    maxConcurrency: positive(amountAt(spec, "maxConcurrency", field), "spec.maxConcurrency"),
    maxFailures: amountAt(spec, "maxFailures", field) ?? null,
    maxFailuresTotal: amountAt(spec, "maxFailuresTotal", field) ?? null,
    onFailure: wordAt(spec, "onFailure", { field, words: ["pause", "abort", "rollback", "continue"] }),
    rollbackScope: wordAt(spec, "rollbackScope", { field, words: ["touched", "stage", "failed"] }),
    supersede: wordAt(spec, "supersede", {
      field,
      words: ["replace-unstarted", "queue", "abort-running", "latest-verified"],
    }),
    progressDeadlineMs: durationAt(spec, "progressDeadline", field) ?? null,
    stableForMs: durationAt(spec, "stableFor", field) ?? null,
    offlineAfterMs: durationAt(spec, "offlineAfter", field) ?? null,
    offlinePolicy: wordAt(spec, "offlinePolicy", { field, words: ["defer", "fail", "skip"] }),
    rateLimit: {
      perMinute: numberAt(rate, "perMinute", { field: "spec.rateLimit", least: 1 }) ?? null,
      per: per === undefined ? null : ratePer(per),
    },
  };
}

function ratePer(per: JsonObject) {
  const field = "spec.rateLimit.per";
  const label = textAt(per, "label");
  const perMinute = numberAt(per, "perMinute", { field, least: 1 });
  if (label !== "" && perMinute !== undefined) return { label, perMinute };
  throw badField(field, "expected label and perMinute.", "Write for example {label: site, perMinute: 2}.");
}

function parseStage(given: JsonObject, field: string, at: number): StageSpec {
  const name = textAt(given, "name") || `stage-${at + 1}`;
  if (!/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$/.test(name)) {
    throw badField(
      `${field}.name`,
      `expected 1 to 63 letters, digits, blanks, . _ or -; found ${shown(name)}.`,
      "Rename it.",
    );
  }
  const groups = objectsAt(given, "groups").map((one, index) => parseGroup(one, `${field}.groups[${index}]`, index));
  uniqueNames(groups, `${field}.groups`);
  const partition = objectAt(given, "autoPartition");
  if (groups.length > 0 && partition !== undefined) {
    throw badField(
      field,
      "expected groups or autoPartition, found both.",
      "Choose one: groups move beside each other, parts one after another.",
    );
  }
  const stage: StageSpec = {
    name,
    select: parseSelect(objectAt(given, "select"), `${field}.select`),
    groups,
    order: parseOrder(objectAt(given, "order"), `${field}.order`),
    canary: parseCanary(given, field),
    partition: partition === undefined ? null : parsePartition(partition, `${field}.autoPartition`),
    maxConcurrency: positive(amountAt(given, "maxConcurrency", field), `${field}.maxConcurrency`),
    maxUnavailable: positive(amountAt(given, "maxUnavailable", field), `${field}.maxUnavailable`),
    maxFailures: amountAt(given, "maxFailures", field) ?? null,
    minSuccess: amountAt(given, "minSuccess", field) ?? null,
    soakMs: durationAt(given, "soak", field) ?? 0,
    before: parseTasks(objectsAt(given, "before"), `${field}.before`),
    after: parseTasks(objectsAt(given, "after"), `${field}.after`),
  };
  uniqueNames([...stage.before, ...stage.after], `${field}.before and after`);
  contradictions(stage, field);
  return stage;
}

/** Budgets that cannot both be kept. */
function contradictions({ minSuccess, maxFailures }: StageSpec, field: string): void {
  if (minSuccess === null || maxFailures === null || !("percent" in minSuccess) || !("percent" in maxFailures)) return;
  if (minSuccess.percent + maxFailures.percent <= 100) return;
  throw badField(
    field,
    `minSuccess ${minSuccess.percent}% and maxFailures ${maxFailures.percent}% contradict each other: together they are over 100%.`,
    "Lower one of the two.",
  );
}

function parseGroup(given: JsonObject, field: string, at: number): GroupSpec {
  return {
    name: textAt(given, "name") || `group-${at + 1}`,
    select: parseSelect(objectAt(given, "select"), `${field}.select`),
    maxConcurrency: positive(amountAt(given, "maxConcurrency", field), `${field}.maxConcurrency`),
    maxFailures: amountAt(given, "maxFailures", field) ?? null,
  };
}

function parseCanary(given: JsonObject, field: string): StageSpec["canary"] {
  const value = given["canary"];
  if (value === undefined || value === null) return null;
  const body = objectAt(given, "canary");
  const size = body === undefined ? parseAmount(value) : amountAt(body, "size", `${field}.canary`);
  if (size === undefined || ("count" in size ? size.count : size.percent) === 0) {
    throw badField(
      `${field}.canary`,
      `expected at least 1 cluster or a share above 0%, found ${shown(value)}.`,
      "Write canary: 1.",
    );
  }
  return { size, soakMs: body === undefined ? 0 : (durationAt(body, "soak", `${field}.canary`) ?? 0) };
}

function parsePartition(given: JsonObject, field: string): StageSpec["partition"] {
  const size = positive(amountAt(given, "size", field), `${field}.size`) ?? { percent: 25 };
  return { size, threshold: numberAt(given, "threshold", { field, least: 0 }) ?? 0 };
}

function parseOrder(given: JsonObject | undefined, field: string): StageOrder {
  if (given === undefined) return { by: "name" };
  const by = wordAt(given, "by", { field, words: ["name", "hash", "label"] });
  if (by !== "label") return { by };
  const label = textAt(given, "label");
  if (label !== "") return { by, label };
  throw badField(
    `${field}.label`,
    "expected the name of a label, found nothing.",
    "Write order: {by: label, label: wave}.",
  );
}

/** A selector over clusters; absent: every one. */
export function parseSelect(given: JsonObject | undefined, field: string): ClusterSelect {
  if (given === undefined) return { clusters: [], labels: [] };
  const simple = Object.entries(objectAt(given, "matchLabels") ?? {}).map(
    ([key, value]): LabelMatch => ({ key, operator: "In", values: [typeof value === "string" ? value : shown(value)] }),
  );
  const expressions = objectsAt(given, "matchExpressions").map((one, at): LabelMatch => {
    const place = `${field}.matchExpressions[${at}]`;
    const key = textAt(one, "key");
    if (key === "") throw badField(`${place}.key`, "expected the name of a label, found nothing.", "Name a label.");
    const operator = wordAt(one, "operator", { field: place, words: ["In", "NotIn", "Exists", "DoesNotExist"] });
    const values = textsAt(one, "values");
    if ((operator === "In" || operator === "NotIn") && values.length === 0) {
      throw badField(`${place}.values`, `expected values for ${operator}, found none.`, "List at least one.");
    }
    return { key, operator, values };
  });
  return { clusters: textsAt(given, "clusters"), labels: [...simple, ...expressions] };
}

/** A limit of nothing would stand still for ever. */
function positive(amount: Amount | undefined, field: string): Amount | null {
  if (amount === undefined) return null;
  if (("count" in amount ? amount.count : amount.percent) > 0) return amount;
  throw badField(
    field,
    "expected at least 1 or 1%: with 0 nothing would ever move.",
    "To hold a stage for a person, use before: [{approval: {}}].",
  );
}

function uniqueNames(list: readonly { readonly name: string }[], field: string): void {
  const seen = new Set<string>();
  for (const { name } of list) {
    if (seen.has(name))
      throw badField(field, `expected each name once, found ${shown(name)} twice.`, "Rename one of the two.");
    seen.add(name);
  }
}

/** Whether a selector takes a cluster. */
export function selectsCluster(
  select: ClusterSelect,
  cluster: { id: string; labels: Readonly<Record<string, string>> },
) {
  if (select.clusters.length > 0 && !select.clusters.includes(cluster.id)) return false;
  return select.labels.every((match) => {
    const value = cluster.labels[match.key];
    switch (match.operator) {
      case "In":
        return value !== undefined && match.values.includes(value);
      case "NotIn":
        return value === undefined || !match.values.includes(value);
      case "Exists":
        return value !== undefined;
      case "DoesNotExist":
        return value === undefined;
    }
  });
}
