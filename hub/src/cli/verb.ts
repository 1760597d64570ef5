import type { Call } from "./call.ts";

/** A flag of a verb, in commander's grammar: `-c, --cluster <id>`. */
export interface Flag {
  readonly flags: string;
  readonly help: string;
  /** May be given several times; its value is a list. */
  readonly many?: boolean;
}

/** One verb: its words, what help says, and what it does. */
export interface Verb {
  /** `cluster add`, or `status`. */
  readonly words: string;
  /** In commander's grammar: `<id>`, `[name]`, `<files...>`. */
  readonly args?: string;
  readonly help: string;
  readonly flags?: readonly Flag[];
  /** Copyable lines, each without `capstan`, with what it does after two spaces and `#` where that helps. */
  readonly examples: readonly string[];
  /** Returns the exit code. */
  run(call: Call): Promise<number>;
}

/** Flags that mean the same on every verb that has them. */
export const flag = {
  output: { flags: "-o, --output <format>", help: "wide, json, yaml or name" },
  selector: {
    flags: "-l, --selector <selector>",
    help: "only those with these labels, for example env=prod,region!=eu",
  },
  cluster: { flags: "-c, --cluster <id>", help: "only on this cluster (may be given several times)", many: true },
  oneCluster: { flags: "-c, --cluster <id>", help: "the cluster, where the name is a lane" },
  namespace: { flags: "-n, --namespace <name>", help: "only in this namespace" },
  project: { flags: "-p, --project <name>", help: "only of this project" },
  file: { flags: "-f, --file <path>", help: "a file, a folder, or - for standard input (several times)", many: true },
  watch: { flags: "-w, --watch", help: "go on as things change, until Ctrl-C" },
  yes: { flags: "-y, --yes", help: "do not ask" },
  dryRun: { flags: "--dry-run", help: "show what would happen, change nothing" },
  reason: { flags: "--reason <text>", help: "why, for the audit" },
} as const satisfies Record<string, Flag>;

/** What every verb that lists takes. */
export const listFlags: readonly Flag[] = [flag.selector, flag.cluster, flag.namespace, flag.project, flag.output];

/** What every verb that changes something takes. */
export const changeFlags: readonly Flag[] = [flag.dryRun, flag.yes, flag.reason, flag.output];
