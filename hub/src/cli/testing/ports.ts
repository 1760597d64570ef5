import { Fault } from "@capstan/proto";
import { FakeClock } from "@capstan/proto/testing";
import type { CliPorts, HubClient } from "../port.ts";
import { now } from "./fleet.ts";

/** What a fake run is given, and what it left behind. */
export interface FakeRun {
  readonly ports: CliPorts;
  readonly files: Map<string, string>;
  out(): string;
  err(): string;
}

/** Parts of a hub that a test serves; the rest is not there. */
export type FakeHub = { readonly [K in keyof HubClient]?: Partial<HubClient[K]> };

/** The world of a verb in memory: files, a screen that is kept, and the hub's methods that a test gives. */
export function fakePorts(hub: FakeHub, given: FakeGiven = {}): FakeRun {
  const files = new Map(Object.entries({ "/data/admin.json": admin, ...given.files }));
  let out = "";
  let err = "";
  const missing = (path: string) => new Fault("bad-input", { message: "there is none.", where: { file: path } });
  const read = async (path: string) => {
    const text = files.get(path);
    if (text === undefined) throw missing(path);
    return text;
  };
  const ports: CliPorts = {
    version: "0.0.0-test",
    clock: new FakeClock(now),
    screen: {
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      interactive: given.answer !== undefined,
      outputIsTerminal: given.terminal === true,
      colours: false,
      width: 100,
      ask: async () => given.answer === true,
      clear: () => undefined,
    },
    files: {
      read: (path) => (path === "-" ? Promise.resolve(given.input ?? "") : read(path)),
      readInput: async () => given.input ?? "",
      documents: async (path) => [{ name: path, content: path === "-" ? (given.input ?? "") : await read(path) }],
      list: async (folder) =>
        [...files.keys()].filter((path) => path.startsWith(`${folder}/`)).map((path) => path.slice(folder.length + 1)),
      writePrivate: async (path, text) => void files.set(path, text),
      readIfThere: async (path) => files.get(path),
    },
    environment: {
      hub: undefined,
      data: "/data",
      context: undefined,
      configFile: "/config.json",
      ...given.environment,
    },
    kube: { apply: async (items, _where, told) => items.forEach((item) => told(item, "created")) },
    archive: {
      backup: async () => ({ entries: 1, bytes: 1 }),
      restore: async () => ({ entries: 1, rebuilds: true }),
    },
    keys: { add: async (kind) => `${kind}-2` },
    newId: () => "request-1",
    utcOffset: () => 0,
    connect: () => ({ ...unserved, ...hub, close: () => undefined }) as HubClient,
    findCa: async () => ({ ca: "AA==", pin: "00" }),
    serve: async () => undefined,
  };
  return { ports, files, out: () => out, err: () => err };
}

/** The person's side of a fake run. */
export interface FakeGiven {
  readonly files?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** The answer to every question; undefined: there is no terminal to ask on. */
  readonly answer?: boolean;
  readonly terminal?: boolean;
  readonly environment?: Partial<CliPorts["environment"]>;
}

const admin = JSON.stringify({ endpoints: ["127.0.0.1:7443"], ca: "AA==", token: "capstan-token.0.x" });

const nothing = new Proxy(
  {},
  {
    get: (_target, name) => () => {
      throw new Fault("unsupported", { message: `no ${String(name)} is served.` });
    },
  },
);
const unserved = { fleet: nothing, applications: nothing, rollouts: nothing, system: nothing };
