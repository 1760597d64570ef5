import { randomUUID } from "node:crypto";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { systemClock } from "@capstan/proto";
import type { CliPorts } from "../../cli/port.ts";
import { addRoot } from "../crypto/authority.ts";
import { addSigningKey } from "../crypto/signing.ts";
import { tarArchive } from "./archive.ts";
import { connectHub } from "./client.ts";
import { findCa } from "./endpoint.ts";
import { diskFiles } from "./files.ts";
import { kubeDoor } from "./kube.ts";
import { processScreen } from "./screen.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** The CLI's ports on this machine: its terminal, its disk, its network. */
export function cliPorts(env: Env, own: Pick<CliPorts, "version" | "serve">): CliPorts {
  return {
    ...own,
    clock: systemClock,
    screen: processScreen(env),
    files: diskFiles,
    environment: {
      hub: said(env["CAPSTAN_HUB"]),
      data: said(env["CAPSTAN_DATA"]),
      context: said(env["CAPSTAN_CONTEXT"]),
      configFile: said(env["CAPSTAN_CONFIG"]) ?? defaultConfig(env),
    },
    kube: kubeDoor,
    archive: tarArchive,
    keys: {
      add: (kind, data) => {
        const folder = join(resolve(data), "keys");
        return kind === "ca" ? addRoot(folder, systemClock.now()) : addSigningKey(join(folder, "signing"));
      },
    },
    newId: () => randomUUID(),
    utcOffset: (at) => -new Date(at).getTimezoneOffset(),
    connect: connectHub,
    findCa,
  };
}

function defaultConfig(env: Env): string {
  return join(said(env["XDG_CONFIG_HOME"]) ?? join(homedir(), ".config"), "capstan", "config.json");
}

function said(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : text;
}
