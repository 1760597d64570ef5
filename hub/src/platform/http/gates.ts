import { assertNever, Fault } from "@capstan/proto";
import type { MetricTask, NotifyTask, WebhookTask } from "../../documents/strategy-model.ts";
import type { Answer } from "../../rollout/gate-verbs.ts";
import { verdictOf } from "../../rollout/gates.ts";
import type { Errand } from "../../rollout/model.ts";
import type { GateWorld } from "../../rollout/port.ts";
import type { SecretReader, SecretReference } from "../../sources/port.ts";

/** What asking the world needs. */
export interface GateOptions {
  readonly secrets: SecretReader;
  /** The hub's secrets by the names that gates use. */
  readonly references: Readonly<Record<string, SecretReference>>;
  /** Where webhooks call back; empty: they are told no address. */
  readonly callbackURL: string;
  /** A server that has not answered by then is not there, milliseconds. */
  readonly patienceMs?: number;
}

/** More than that is no answer to an instant query of one number. */
const answerLimit = 1024 * 1024;

/** Prometheus' HTTP API, and calls of webhooks, over fetch. */
export function gateWorld(options: GateOptions): GateWorld {
  const world = new Gates(options);
  return { ask: (errand, lane, signal) => world.ask(errand, lane, signal) };
}

class Gates {
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  async ask(errand: Errand, lane: string, signal: AbortSignal): Promise<Answer> {
    const { work } = errand;
    switch (work.kind) {
      case "metric":
        return this.#metric(work, signal);
      case "webhook":
        return this.#call(work, { errand, lane, text: "" }, signal);
      case "notify":
        return this.#call(work, { errand, lane, text: work.text }, signal);
      default:
        return assertNever(work, "work");
    }
  }

  async #metric(task: MetricTask, signal: AbortSignal): Promise<Answer> {
    const url = new URL(task.url);
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/api/v1/query`;
    url.searchParams.set("query", task.query);
    const { status, body } = await this.#fetch(url, { headers: await this.#headers(task.secret) }, signal);
    if (status !== 200) return { verdict: "unclear", text: `${url.host} answered ${status}: ${errorOf(body)}` };
    return readingOf(task, body, url.host);
  }

  /** Redirects are not followed: they would carry the secret elsewhere. */
  async #call(
    task: WebhookTask | NotifyTask,
    told: { readonly errand: Errand; readonly lane: string; readonly text: string },
    signal: AbortSignal,
  ): Promise<Answer> {
    const { errand, lane, text } = told;
    const [run, stage, index, attempt] = errand.id.split("/");
    const callback = `${this.#options.callbackURL.replace(/\/+$/, "")}/gates/${run}/${stage}/${index}`;
    const wantsCallback = task.kind === "webhook" && task.callback && this.#options.callbackURL !== "";
    const body = JSON.stringify({
      kind: task.kind,
      gate: task.name,
      lane,
      rollout: run,
      ...(text === "" ? {} : { text }),
      ...(wantsCallback ? { callback } : {}),
    });
    const url = new URL(task.url);
    const headers = {
      ...(await this.#headers(task.secret)),
      "content-type": "application/json",
      "idempotency-key": `${run}/${stage}/${index}/${attempt}`,
    };
    const answer = await this.#fetch(url, { method: "POST", headers, body }, signal);
    if (answer.status >= 200 && answer.status < 300)
      return { verdict: "sent", text: `${url.host} answered ${answer.status}` };
    return { verdict: "unclear", text: `${url.host} answered ${answer.status}` };
  }

  async #fetch(url: URL, init: RequestInit, signal: AbortSignal): Promise<{ status: number; body: string }> {
    const patience = this.#options.patienceMs ?? 10_000;
    const late = AbortSignal.timeout(patience);
    try {
      const response = await fetch(url, { ...init, redirect: "manual", signal: AbortSignal.any([signal, late]) });
      return { status: response.status, body: await bounded(response) };
    } catch (cause) {
      const why = late.aborted ? `did not answer within ${patience / 1000} s` : "cannot be reached";
      throw new Fault("timeout", { message: `${url.host} ${why}`, cause });
    }
  }

  async #headers(secret: string): Promise<Record<string, string>> {
    if (secret === "") return {};
    return { authorization: `Bearer ${await this.#secret(secret)}` };
  }

  #secret(name: string): Promise<string> {
    const reference = this.#options.references[name];
    if (reference !== undefined) return this.#options.secrets.read(reference);
    throw new Fault("bad-config", {
      message: `expected a secret ${name} in the hub's config, found ${Object.keys(this.#options.references).join(", ") || "none"}`,
      next: "Add it under gates.secrets.",
    });
  }
}

async function bounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > answerLimit) throw new Fault("too-large", { message: `the answer is longer than ${answerLimit} bytes` });
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** What Prometheus says of a query that did not work. */
function errorOf(body: string): string {
  const { error } = jsonOf(body) as { error?: unknown };
  return typeof error === "string" ? error.slice(0, 200) : "no cause was told";
}

/** Every series of the answer must hold; no series at all, or no number, says nothing. */
function readingOf(task: MetricTask, body: string, host: string): Answer {
  const { data } = jsonOf(body) as { data?: { resultType?: unknown; result?: unknown } };
  const values = valuesOf(data?.resultType, data?.result);
  if (values === undefined) return { verdict: "unclear", text: `${host} answered no instant vector or scalar` };
  if (values.length === 0) return { verdict: "unclear", text: "the query found no data" };
  const { operator, value } = task.compare;
  const verdicts = values.map((each) => verdictOf(task.compare, each));
  const at = Math.max(verdicts.indexOf("bad"), 0);
  const shown = verdicts.includes("bad") ? values[at] : (values[Math.max(verdicts.indexOf("unclear"), 0)] ?? 0);
  if (verdicts.includes("bad")) return { verdict: "bad", text: `${shown} is not ${operator} ${value}` };
  if (verdicts.includes("unclear")) return { verdict: "unclear", text: `the query found ${shown}` };
  return { verdict: "good", text: `${shown} is ${operator} ${value}` };
}

function valuesOf(type: unknown, result: unknown): readonly number[] | undefined {
  if (!Array.isArray(result)) return undefined;
  if (type === "scalar") return [Number(result[1])];
  if (type !== "vector") return undefined;
  return result.map((one: unknown) => {
    const { value } = one as { value?: unknown };
    return Array.isArray(value) ? Number(value[1]) : Number.NaN;
  });
}

function jsonOf(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
