import { cronFault } from "@capstan/proto";
import type { JsonObject } from "./model.ts";
import { badField, durationAt, numberAt, objectAt, shown, textAt, textsAt, wordAt } from "./strategy-fields.ts";
import type { Comparison, MetricTask, ScheduleTask, Task } from "./strategy-model.ts";

const kinds = ["approval", "wait", "schedule", "metric", "webhook", "notify"] as const;
type Kind = (typeof kinds)[number];

/** The tasks of one list of a stage. Throws `bad-input`, naming the task. */
export function parseTasks(given: readonly JsonObject[], field: string): readonly Task[] {
  return given.map((one, at) => parseTask(one, `${field}[${at}]`));
}

function parseTask(given: JsonObject, field: string): Task {
  const named = kinds.filter((kind) => objectAt(given, kind) !== undefined);
  const [kind] = named;
  if (kind === undefined || named.length > 1) {
    const found = named.length === 0 ? "none" : named.join(" and ");
    throw badField(
      field,
      `expected one of ${kinds.join(", ")}; found ${found}.`,
      "Name one, for example wait: {for: 1h}.",
    );
  }
  const body = objectAt(given, kind) ?? {};
  const common = {
    name: textAt(given, "name") || kind,
    timeoutMs: durationAt(given, "timeout", field) ?? null,
    onTimeout: wordAt(given, "onTimeout", { field, words: ["fail", "continue"] }),
  };
  return { ...common, ...workOf(kind, body, `${field}.${kind}`) } as Task;
}

function workOf(kind: Kind, body: JsonObject, field: string) {
  switch (kind) {
    case "approval":
      return {
        kind,
        quorum: numberAt(body, "quorum", { field, least: 1 }) ?? 1,
        groups: textsAt(body, "groups"),
        notAuthor: body["notAuthor"] !== false,
        expiresMs: durationAt(body, "expires", field) ?? null,
      };
    case "wait":
      return { kind, forMs: durationAt(body, "for", field) ?? missing(`${field}.for`, "a duration", "for: 1h") };
    case "schedule":
      return schedule(body, field);
    case "metric":
      return metric(body, field);
    case "webhook":
      return webhook(body, field);
    case "notify":
      return { kind, ...called(body, field), text: textAt(body, "text") };
  }
}

function webhook(body: JsonObject, field: string) {
  const made = { kind: "webhook" as const, ...called(body, field), callback: body["callback"] === true };
  if (!made.callback || made.secret !== "") return made;
  throw badField(
    `${field}.secret`,
    "expected a secret by which the caller is known when it calls back, found none.",
    "Name one of gates.secrets in the hub's config.",
  );
}

function called(body: JsonObject, field: string) {
  return { url: urlAt(body, field), secret: textAt(body, "secret") };
}

function schedule(body: JsonObject, field: string): Pick<ScheduleTask, "kind" | "at" | "window"> {
  const at = textAt(body, "at");
  const cron = textAt(body, "cron");
  if (at === "" && cron === "")
    missing(field, "a time (at) or a window (cron and duration)", 'at: "2026-12-01T08:00:00Z"');
  const time = at === "" ? null : Date.parse(at);
  if (Number.isNaN(time)) {
    throw badField(
      `${field}.at`,
      `expected a time with its zone, found ${shown(at)}.`,
      'Write "2026-12-01T08:00:00Z".',
    );
  }
  if (cron === "") return { kind: "schedule", at: time, window: null };
  const durationMs =
    durationAt(body, "duration", field) ?? missing(`${field}.duration`, "how long it is open", "duration: 8h");
  const fault = cronFault(cron, textAt(body, "timeZone") || "UTC");
  if (fault !== undefined)
    throw badField(`${field}.cron`, fault.message, "Write five cron fields and an IANA time zone.");
  return {
    kind: "schedule",
    at: time,
    window: { schedule: cron, timeZone: textAt(body, "timeZone") || "UTC", durationMs },
  };
}

function metric(body: JsonObject, field: string): Omit<MetricTask, "name" | "timeoutMs" | "onTimeout"> {
  const windowMs = durationAt(body, "window", field) ?? 60_000;
  const everyMs = durationAt(body, "every", field) ?? 15_000;
  if (everyMs < 1_000) throw badField(`${field}.every`, "expected at least 1s between readings.", "Write every: 15s.");
  return {
    kind: "metric",
    url: urlAt(body, field),
    query: textAt(body, "query") || missing(`${field}.query`, "a PromQL query", "query: sum(rate(errors[5m]))"),
    windowMs,
    everyMs,
    compare: comparison(textAt(body, "compare"), field),
    failures: numberAt(body, "failures", { field, least: 0 }) ?? 0,
    onInconclusive: wordAt(body, "onInconclusive", { field, words: ["wait", "fail", "continue"] }),
    secret: textAt(body, "secret"),
  };
}

function comparison(text: string, field: string): Comparison {
  const found = /^\s*(<=|>=|==|!=|<|>)\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*$/.exec(text);
  if (found === null) {
    throw badField(
      `${field}.compare`,
      `expected a comparison such as "< 0.01", found ${shown(text)}.`,
      "Write one of < <= > >= == != and a number.",
    );
  }
  return { operator: found[1] as Comparison["operator"], value: Number(found[2]) };
}

function urlAt(body: JsonObject, field: string): string {
  const text = textAt(body, "url");
  const url = URL.parse(text);
  if (url?.protocol === "http:" || url?.protocol === "https:") {
    if (url.username === "" && url.password === "") return text;
    throw badField(`${field}.url`, "expected a URL without a password.", "Name a secret of the hub's config instead.");
  }
  throw badField(`${field}.url`, `expected an http or https URL, found ${shown(text)}.`, "Write the whole URL.");
}

function missing(field: string, what: string, example: string): never {
  throw badField(field, `expected ${what}, found nothing.`, `Write for example ${example}.`);
}
