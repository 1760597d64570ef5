import { create } from "@bufbuild/protobuf";
import { Fault, type TargetKey } from "@capstan/proto";
import { type Answer, AnswerSchema, type Question } from "@capstan/proto/agent";
import type { BundleRef } from "@capstan/proto/desired";
import { problemOf } from "../report/fold.ts";
import { liveDiff } from "./answer.ts";
import type { Wanted } from "./model.ts";
import type { Applier, Bundles } from "./port.ts";

/** What answering works with. */
export interface QuestionPorts {
  readonly applier: Applier;
  readonly bundles: Pick<Bundles, "lines">;
  /** What the held state wants; undefined before there is one. */
  wanted(): Wanted | undefined;
  /** Any bundle whose key is sealed to this cluster; nothing is stored. */
  look(ref: BundleRef, signal: AbortSignal): Promise<Uint8Array>;
  send(answer: Answer): void;
}

/** Most bytes of one answer message. */
const answerBytes = 512 * 1024;

/** Answers people's questions, one after another: they must not slow the agent's own work. Nothing is changed by them. */
export class Questions {
  readonly #ports: QuestionPorts;
  #answering: Promise<void> = Promise.resolve();

  constructor(ports: QuestionPorts) {
    this.#ports = ports;
  }

  /** Answers when the earlier ones are answered; a question that cannot be answered gets a problem. */
  ask(question: Question, signal: AbortSignal): void {
    const { id } = question;
    this.#answering = this.#answering
      .then(() => this.#bodyOf(question, signal))
      .then(
        (body) => this.#send(id, new TextEncoder().encode(body)),
        (thrown: unknown) => this.#ports.send(create(AnswerSchema, { id, problem: problemOf(Fault.from(thrown)) })),
      );
  }

  #send(id: string, body: Uint8Array): void {
    for (let start = 0; start === 0 || start < body.length; start += answerBytes) {
      const end = start + answerBytes;
      this.#ports.send(create(AnswerSchema, { id, body: body.subarray(start, end), more: end < body.length }));
    }
  }

  async #bodyOf({ ask, target: key }: Question, signal: AbortSignal): Promise<string> {
    const wanted = this.#ports.wanted();
    if (ask.case !== "liveDiff" || wanted === undefined) {
      throw new Fault("unsupported", {
        message: `this agent cannot answer ${ask.case ?? "this kind of question"} now.`,
        next: "Upgrade the agent.",
      });
    }
    const target = wanted.targets.get(key as TargetKey);
    const ref = ask.value.bundle ?? target?.bundle;
    if (target === undefined || ref === undefined) {
      throw new Fault("not-found", { message: `target ${key} is not one of this cluster.` });
    }
    const gzip = await this.#ports.look(ref, signal);
    return liveDiff(this.#ports, { target, clusterMode: wanted.clusterMode, digest: ref.digest, gzip }, signal);
  }
}
