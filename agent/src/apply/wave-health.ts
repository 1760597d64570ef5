import { Fault, objectText } from "@capstan/proto";
import { isPlainKind, readHealth } from "@capstan/proto/verdict";
import type { Health } from "../health/model.ts";
import type { Standing } from "./hook-runner.ts";
import type { PreparedObject } from "./model.ts";
import type { Pass } from "./pass.ts";
import { ignoresHealth } from "./steps.ts";

/**
 * Whether what a wave applied is healthy, so that the next may begin: Argo CD's rule. Kinds without health are well when
 * they are there; a degraded object fails the wave. The first that is not well is named, and no further one is read.
 */
export async function waveHealth(pass: Pass, objects: readonly PreparedObject[]): Promise<Standing> {
  let waits: string | undefined;
  for (const prepared of objects) {
    if (!counts(pass, prepared)) continue;
    const health = await healthOf(pass, prepared);
    if (health.status === "Healthy") continue;
    const object = objectText(prepared.address);
    const line = `${object} is ${health.status}${health.message === "" ? "" : `: ${health.message}`}`;
    if (health.status === "Degraded") {
      pass.outcomes.fail(prepared.address, degraded(object, line));
      return { kind: "failed" };
    }
    waits ??= line;
  }
  return waits === undefined ? { kind: "through" } : { kind: "waits", reason: waits };
}

function counts(pass: Pass, { key, address, object }: PreparedObject): boolean {
  if (isPlainKind(address) || ignoresHealth(object)) return false;
  return pass.touched.has(key);
}

/** From the watch where it has seen the object as it is now; else the object is read. */
async function healthOf(pass: Pass, { key, address }: PreparedObject): Promise<Health> {
  const { memory, cluster, health } = pass.ports;
  const told = memory.vouched(key) ? health?.(key) : undefined;
  if (told !== undefined) return told;
  const live = await cluster.read(pass.input.policy.account, address, pass.signal);
  return live === undefined ? { status: "Missing", message: "it is not there" } : readHealth(live);
}

function degraded(object: string, line: string): Fault {
  return new Fault("cluster-refused", {
    message: `${line}; the waves after it were not applied.`,
    where: { object },
    next: "Mend it: the sync goes on by itself when it is healthy.",
    retryable: true,
  });
}
