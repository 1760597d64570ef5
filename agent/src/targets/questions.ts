import { create } from "@bufbuild/protobuf";
import { Fault, type TargetKey } from "@capstan/proto";
import { type Answer, AnswerSchema, type LogsQuestion, type Question } from "@capstan/proto/agent";
import type { BundleRef } from "@capstan/proto/desired";
import type { CurrentState } from "../desired/model.ts";
import { problemOf } from "../report/fold.ts";
import { Mask } from "../views/mask.ts";
import type { ShownEvent, Tree } from "../views/model.ts";
import { liveDiff } from "./answer.ts";
import { objectsOf } from "./bundle.ts";
import { wantedOf } from "./model.ts";
import type { Applier, Bundles } from "./port.ts";

/** Looks into a target. */
export interface Looking {
  tree(target: TargetKey, signal: AbortSignal): Promise<Tree>;
  events(target: TargetKey, limit: number, signal: AbortSignal): Promise<readonly ShownEvent[]>;
  /** Parts of whole lines, as the question's documentation tells. */
  logs(target: TargetKey, asked: LogsAsked, mask: Mask, signal: AbortSignal): AsyncIterable<string>;
}

/** What a `LogsQuestion` asks for. */
export type LogsAsked = Pick<LogsQuestion, "pod" | "container" | "tail" | "previous" | "follow" | "sinceSeconds">;

/** What answering works with. */
export interface QuestionPorts {
  readonly applier: Applier;
  readonly bundles: Pick<Bundles, "lines">;
  readonly views: Looking;
  /** The state held; undefined before there is one. */
  held(): CurrentState | undefined;
  /** Any bundle whose key is sealed to this cluster; nothing is stored. */
  look(ref: BundleRef, signal: AbortSignal): Promise<Uint8Array>;
  /** Resolves when the answer is on its way; rejects when there is no session any more. */
  send(answer: Answer, signal: AbortSignal): Promise<void>;
}

/** Most bytes of one answer message, and logs that are followed at once. */
const answerBytes = 512 * 1024;
const mostFollowed = 8;

/**
 * Answers people's questions, one after another: they must not slow the agent's own work. Only logs that are followed go on
 * beside the others, a few at once. Nothing is changed by any of them.
 */
export class Questions {
  readonly #ports: QuestionPorts;
  readonly #open = new Map<string, AbortController>();
  #answering: Promise<void> = Promise.resolve();
  #followed = 0;

  constructor(ports: QuestionPorts) {
    this.#ports = ports;
  }

  /** Answers when the earlier ones are answered; a question that cannot be answered gets a problem. */
  ask(question: Question, outer: AbortSignal): void {
    const { id, ask } = question;
    if (ask.case === "stop") return this.#open.get(id)?.abort();
    const stop = new AbortController();
    this.#open.set(id, stop);
    const signal = AbortSignal.any([outer, stop.signal]);
    const answer = () => this.#answer(question, signal).finally(() => this.#open.delete(id));
    if (ask.case === "logs" && ask.value.follow) void answer();
    else this.#answering = this.#answering.then(answer);
  }

  /** The session is over: nobody waits for an answer any more. */
  forget(): void {
    for (const stop of this.#open.values()) stop.abort();
  }

  async #answer(question: Question, signal: AbortSignal): Promise<void> {
    const { id } = question;
    try {
      if (signal.aborted) return;
      for await (const body of this.#bodies(question, signal)) await this.#send(id, body, signal);
      await this.#ports.send(create(AnswerSchema, { id }), signal);
    } catch (thrown) {
      if (signal.aborted) return;
      const problem = problemOf(Fault.from(thrown));
      await this.#ports.send(create(AnswerSchema, { id, problem }), signal).catch(() => undefined);
    }
  }

  async #send(id: string, text: string, signal: AbortSignal): Promise<void> {
    const body = new TextEncoder().encode(text);
    for (let start = 0; start < body.length; start += answerBytes) {
      const part = body.subarray(start, start + answerBytes);
      await this.#ports.send(create(AnswerSchema, { id, body: part, more: true }), signal);
    }
  }

  async *#bodies({ ask, target: name }: Question, signal: AbortSignal): AsyncGenerator<string> {
    const { views } = this.#ports;
    const key = name as TargetKey;
    switch (ask.case) {
      case "liveDiff":
        yield await this.#diff(key, ask.value.bundle, signal);
        return;
      case "resourceTree":
        this.#targetOf(key);
        yield JSON.stringify(await views.tree(key, signal));
        return;
      case "events":
        this.#targetOf(key);
        yield JSON.stringify(await views.events(key, ask.value.limit, signal));
        return;
      case "logs":
        yield* this.#logs(key, ask.value, signal);
        return;
      default:
        throw new Fault("unsupported", {
          message: "this agent does not know this kind of question.",
          next: "Upgrade the agent.",
        });
    }
  }

  #targetOf(key: TargetKey) {
    const held = this.#ports.held();
    const wanted = held === undefined ? undefined : wantedOf(held);
    const target = wanted?.targets.get(key);
    if (wanted === undefined || target === undefined) {
      throw new Fault("not-found", { message: `target ${key} is not one of this cluster.` });
    }
    return { target, clusterMode: wanted.clusterMode };
  }

  async #diff(key: TargetKey, bundle: BundleRef | undefined, signal: AbortSignal): Promise<string> {
    const { target, clusterMode } = this.#targetOf(key);
    const ref = bundle ?? target.bundle;
    if (ref === undefined) throw new Fault("not-found", { message: `target ${key} has no bundle.` });
    const gzip = await this.#ports.look(ref, signal);
    return liveDiff(this.#ports, { target, clusterMode, digest: ref.digest, gzip }, signal);
  }

  async *#logs(key: TargetKey, asked: LogsAsked, signal: AbortSignal): AsyncGenerator<string> {
    if (asked.follow && this.#followed >= mostFollowed) {
      throw new Fault("not-now", {
        message: `${mostFollowed} logs of this cluster are followed already.`,
        next: "Try again when one of them has ended, or ask without following.",
      });
    }
    if (asked.follow) this.#followed++;
    try {
      yield* this.#ports.views.logs(key, asked, await this.#maskOf(key, signal), signal);
    } finally {
      if (asked.follow) this.#followed--;
    }
  }

  /** What the target's own Secrets hold; a log is not shown where that cannot be known. */
  async #maskOf(key: TargetKey, signal: AbortSignal): Promise<Mask> {
    const { target } = this.#targetOf(key);
    const mask = new Mask();
    if (target.bundle === undefined) return mask;
    const gzip = await this.#ports.look(target.bundle, signal);
    for await (const object of objectsOf(this.#ports.bundles, gzip)) mask.learn(object);
    return mask;
  }
}
