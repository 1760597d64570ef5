import process from "node:process";
import type { ToolName } from "./environment.ts";
import type { Tools } from "./tools.ts";

/** The tools of a real cluster. */
export const realCluster = ["kubeApiserver", "etcd"] as const satisfies readonly ToolName[];

/**
 * For `test(name, { skip: skipReason(tools, realCluster) }, ...)`: `false` when all is there, else the reason, which the
 * reporter prints beside the test's name. With `CI=true` it throws instead: what CI does not run, nobody runs.
 */
export function skipReason(tools: Tools, needs: readonly ToolName[]): string | false {
  const reasons = tools.missing.filter((one) => needs.includes(one.name)).map((one) => `${one.name}: ${one.reason}`);
  if (reasons.length === 0) return false;
  const text = `needs ${reasons.join("; ")}`;
  if (process.env["CI"] === "true") throw new Error(`with CI=true nothing may be skipped, and this ${text}`);
  return text;
}
