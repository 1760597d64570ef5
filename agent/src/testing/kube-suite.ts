import { after, before, describe } from "node:test";
import type { ApplyResult, ObjectOutcome, RemovalResult } from "../apply/model.ts";
import { type ApiServer, findServers, noServers, startApiServer } from "./api-server.ts";
import { KubeWorld } from "./kube-world.ts";

/** What the tests of a suite are given; valid inside tests only. */
export interface KubeSuite {
  readonly server: ApiServer;
  readonly world: KubeWorld;
}

/** A suite with one real API server for all of its tests; skipped by name where the binaries are absent. */
export function describeOnKube(name: string, define: (suite: KubeSuite) => void): void {
  const binaries = findServers();
  describe(name, { skip: binaries === undefined ? noServers : false }, () => {
    const started: { server?: ApiServer; world?: KubeWorld } = {};
    before(async () => {
      started.server = await startApiServer(binaries ?? "");
      started.world = new KubeWorld(started.server);
      await started.world.prepare();
    });
    after(async () => {
      started.world?.stop();
      await started.server?.stop();
    });
    const present = <Part>(part: Part | undefined): Part => {
      if (part === undefined) throw new Error("not started yet");
      return part;
    };
    define({
      get server() {
        return present(started.server);
      },
      get world() {
        return present(started.world);
      },
    });
  });
}

/** A result as lines, for the message of a failed assertion. */
export function show(result: ApplyResult | RemovalResult): string {
  const line = (one: ObjectOutcome) => {
    const paths = (one.differences ?? []).map((difference) => difference.path).join(",");
    return `${one.action} ${one.ref.kind} ${one.ref.name} ${one.reason ?? ""} ${one.fault?.code ?? ""} ${one.fault?.message ?? ""} ${paths}`;
  };
  return result.outcomes.map(line).join("\n");
}
