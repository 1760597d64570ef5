import { Fault } from "@capstan/proto";
import type { HubConfig } from "../../config/compile.ts";
import type { Task } from "../../documents/strategy-model.ts";
import type { Answer } from "../../rollout/gate-verbs.ts";
import { parseRunId, type RunId } from "../../rollout/model.ts";
import type { SecretReader } from "../../sources/port.ts";
import { webhookCrypto } from "../git/open.ts";

/** A call of a gate's webhook that came back. */
interface Callback {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

interface CallbackWorld {
  readonly config: Pick<HubConfig, "gates">;
  readonly secrets: SecretReader;
  readonly rollouts: {
    gateOf(run: RunId, stage: number, task: number): Task | undefined;
    calledBack(run: RunId, at: { readonly stage: number; readonly task: number }, answer: Answer): Promise<void>;
  };
}

/**
 * `POST /gates/RUN/STAGE/TASK` with the gate's secret as bearer token and `{"passed": true, "message": "…"}`. Throws
 * `not-found` or `not-allowed`; who does not know the secret learns nothing of the gate.
 */
export async function calledBack({ path, headers, body }: Callback, world: CallbackWorld): Promise<void> {
  const [, run = "", stage = "", task = ""] = /^\/gates\/([a-z0-9-]{1,100})\/(\d{1,3})\/(\d{1,3})$/.exec(path) ?? [];
  const at = { stage: Number(stage), task: Number(task) };
  const gate = run === "" ? undefined : world.rollouts.gateOf(parseRunId(run), at.stage, at.task);
  const reference = gate?.kind === "webhook" ? world.config.gates.secrets[gate.secret] : undefined;
  const given = /^Bearer (.+)$/.exec(headers["authorization"] ?? "")?.[1] ?? "";
  const secret = reference === undefined ? undefined : await world.secrets.read(reference);
  if (secret === undefined || !webhookCrypto.equalInConstantTime(given, secret)) {
    throw new Fault("not-allowed", {
      message: "no gate waits at this address for this caller.",
      next: "Send the gate's secret as bearer token to the address that the hub gave.",
    });
  }
  await world.rollouts.calledBack(parseRunId(run), at, answerOf(body));
}

function answerOf(body: Uint8Array): Answer {
  let read: unknown;
  try {
    read = JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    throw new Fault("bad-input", { message: "expected JSON, found something else.", cause });
  }
  const { passed, message } = (read ?? {}) as { readonly passed?: unknown; readonly message?: unknown };
  if (typeof passed !== "boolean") {
    throw new Fault("bad-input", {
      message: 'expected {"passed": true} or {"passed": false}.',
      next: "Send one of the two.",
    });
  }
  const text =
    typeof message === "string" && message !== ""
      ? message.slice(0, 500)
      : passed
        ? "called back"
        : "refused by its caller";
  return { verdict: passed ? "good" : "bad", text };
}
