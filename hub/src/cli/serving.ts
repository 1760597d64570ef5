import { Fault } from "@capstan/proto";
import { EndRebuildResponseSchema } from "@capstan/proto/system";
import { compileConfig, type Override } from "../config/compile.ts";
import { dataOf } from "./answer.ts";
import type { Call } from "./call.ts";
import { exit } from "./exit.ts";
import { counted } from "./look.ts";
import { changeFlags, type Flag, type Verb } from "./verb.ts";

const configFlags: readonly Flag[] = [
  { flags: "-f, --config <file>", help: "the hub's config (default: capstan.yaml where it is there)" },
  { flags: "--set <a.b=value>", help: "a setting over the config's, for example listen.grpc=7443", many: true },
  { flags: "--data <folder>", help: "folder of keys, mirrors and an embedded server's files" },
  { flags: "--listen <address>", help: "address to listen on" },
  { flags: "--grpc-port <port>", help: "port for agents, the command line and programs" },
  { flags: "--http-port <port>", help: "port for webhooks, health and metrics" },
  { flags: "--log-level <level>", help: "debug, info, warn or error" },
];

/** Common settings that have a flag of their own, by its name in camel case. */
const settings: Readonly<Record<string, readonly string[]>> = {
  data: ["data"],
  listen: ["listen", "address"],
  grpcPort: ["listen", "grpc"],
  httpPort: ["listen", "http"],
  logLevel: ["logLevel"],
};

const defaultFile = "capstan.yaml";

/** `hub serve | check | backup | restore`, offline but for `hub rebuild end`. */
export const servingVerbs: readonly Verb[] = [
  {
    words: "hub serve",
    help: "serve as a hub, until SIGINT or SIGTERM",
    flags: configFlags,
    examples: ["hub serve -f capstan.yaml", "hub serve --data /var/lib/capstan --set listen.names=hub.example.com"],
    run: async (call) => {
      const { serve, screen } = call.ports;
      await serve(await configOf(call), call.signal).catch((thrown: unknown) => {
        const fault = Fault.from(thrown);
        // A server's own fault goes to its log whole; nobody sits before it to be told a next step.
        if (fault.code === "internal" && fault.cause instanceof Error) screen.err(`${fault.cause.stack}\n`);
        throw fault;
      });
      return exit.done;
    },
  },
  {
    words: "hub check",
    help: "look at a hub's config without starting; lists every problem at once",
    flags: configFlags,
    examples: ["hub check -f capstan.yaml"],
    run: async (call) => {
      const config = await configOf(call);
      const { listen, nats, roots, data } = config;
      call.say(
        "the config is good",
        `  listens on ${listen.address}, gRPC ${listen.grpc}, HTTP ${listen.http}; data in ${data}`,
        `  NATS ${nats.mode}${nats.mode === "external" ? `: ${nats.servers.join(", ")}` : ` on port ${nats.port}`}`,
        ...roots.map(({ name, repoURL, revision, path }) => `  root ${name}: ${repoURL} ${revision} ${path}`),
        ...(roots.length === 0 ? ["  no roots: documents come by capstan apply alone"] : []),
      );
      return exit.done;
    },
  },
  {
    words: "hub backup",
    help: "put a stopped hub's data folder (keys, first credential, embedded store) in one archive",
    flags: [
      { flags: "--data <folder>", help: "the hub's data folder" },
      { flags: "-f, --file <archive>", help: "the archive to write, .tar.gz" },
    ],
    examples: ["hub backup --data /var/lib/capstan -f capstan-backup.tar.gz"],
    run: async (call) => {
      const file = call.needed("file", "an archive to write (-f FILE)");
      const { entries, bytes } = await call.ports.archive.backup(call.needed("data", "--data FOLDER"), file);
      call.say(
        `${file}: ${counted(entries, "entry").replace(/entrys$/, "entries")}, ${Math.ceil(bytes / 1024)} KiB`,
        "It holds the CA's, signing and sealing keys and the first admin's credential: keep it as you keep a password.",
        "It holds the store only where NATS is embedded; repositories are fetched again.",
      );
      return exit.done;
    },
  },
  {
    words: "hub restore",
    help: "unpack an archive of `hub backup` into an empty data folder",
    flags: [
      { flags: "--data <folder>", help: "the data folder to fill; it must be empty or absent" },
      { flags: "-f, --file <archive>", help: "the archive" },
      {
        flags: "--rebuild",
        help: "begin a rebuild also without a store in the archive: an external NATS was set back too",
      },
    ],
    examples: ["hub restore -f capstan-backup.tar.gz --data /var/lib/capstan"],
    run: async (call) => {
      const data = call.needed("data", "--data FOLDER");
      const wish = { rebuild: call.flag("rebuild") };
      const file = call.needed("file", "an archive (-f FILE)");
      const { entries, rebuilds } = await call.ports.archive.restore(file, data, wish);
      call.say(
        `${data}: ${entries} entries restored. Start the hub: capstan hub serve --data ${data}`,
        "Agents that hold a newer state keep it: nothing goes back on a cluster.",
        ...(rebuilds ? ["The start begins a rebuild: Git leads again after `capstan hub rebuild end`."] : []),
      );
      return exit.done;
    },
  },
  {
    words: "hub rebuild end",
    help: "after the store was lost whole: let Git lead again beyond what clusters hold",
    flags: changeFlags,
    examples: ["hub rebuild end --dry-run", 'hub rebuild end --reason "documents checked"'],
    run: async (call) => {
      const hub = await call.hub();
      if (!call.flag("yes") && !call.flag("dryRun")) {
        const planned = await hub.system.endRebuild({ change: { ...call.change(), dryRun: true } }, call.signal);
        const lanes = planned.lanes.length === 0 ? ["no lane moves now"] : planned.lanes.map((lane) => `  ${lane}`);
        await call.confirm(["Git leads again. These lanes move:", ...lanes], "End the rebuild?");
      }
      const ended = await hub.system.endRebuild({ change: call.change() }, call.signal);
      return call.show({
        text: () => [
          call.flag("dryRun") ? "nothing was changed (--dry-run)" : "the rebuild has ended",
          ...ended.lanes.map((lane) => `  ${lane} moves`),
        ],
        data: dataOf(EndRebuildResponseSchema, ended),
        names: ended.lanes.map((lane) => `lane/${lane}`),
      });
    },
  },
];

async function configOf(call: Call) {
  const { files } = call.ports;
  const named = call.text("config");
  const file = named ?? defaultFile;
  const text = named === undefined ? ((await files.readIfThere(file)) ?? "") : await files.read(named);
  return compileConfig(text, file, [...settingFlags(call), ...call.list("set").map(parseSetting)]);
}

function settingFlags(call: Call): Override[] {
  return Object.entries(settings).flatMap(([name, path]) => {
    const text = call.text(name);
    return text === undefined ? [] : [{ path, value: valueOf(text) }];
  });
}

function parseSetting(word: string): Override {
  const equals = word.indexOf("=");
  if (equals > 0) return { path: word.slice(0, equals).split("."), value: valueOf(word.slice(equals + 1)) };
  throw new Fault("bad-input", {
    message: `expected --set PATH=VALUE, found ${JSON.stringify(word)}.`,
    next: "For example --set listen.grpc=7443.",
  });
}

function valueOf(text: string): string | number | boolean {
  if (/^\d+$/.test(text)) return Number(text);
  return text === "true" || text === "false" ? text === "true" : text;
}
