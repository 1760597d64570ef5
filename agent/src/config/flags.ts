/** A flag's name without dashes, and what help says of it. */
export interface Flag {
  readonly name: string;
  /** Shown for its value; absent for a switch. */
  readonly value?: string;
  readonly repeatable?: boolean;
  readonly help: string;
}

/** All flags of `capstan-agent run`. */
export const flags: readonly Flag[] = [
  { name: "cluster", value: "ID", help: "the cluster's id, as the hub knows it" },
  { name: "hub", value: "HOST:PORT", repeatable: true, help: "a hub's gRPC endpoint; may be given several times" },
  { name: "join-token-file", value: "FILE", help: "a join token; needed to join, and to join anew after a revocation" },
  { name: "kubeconfig", value: "FILE", help: "the cluster; default: the one that this pod runs in" },
  { name: "context", value: "NAME", help: "a context of the kubeconfig; default: its current one" },
  { name: "namespace", value: "NAME", help: "where the agent keeps its Secrets (capstan-system)" },
  { name: "transport", value: "nats|grpc|auto", help: "how desired state is read (auto: NATS, else gRPC)" },
  { name: "log-level", value: "LEVEL", help: "debug, info, warn or error (info)" },
  { name: "targets", value: "N", help: "targets handled at once (4)" },
  { name: "requests", value: "N", help: "requests to the API server in flight at once (16)" },
  { name: "help", help: "show this" },
  { name: "version", help: "show the version" },
];

/** Flags as they were given; a name that was not given is absent. */
export interface GivenFlags {
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly problems: readonly string[];
}

/** Takes a command line apart: `--name value`, `--name=value`, and the word `run`. Finds every problem. */
export function readFlags(words: readonly string[]): GivenFlags {
  const values = new Map<string, string[]>();
  const problems: string[] = [];
  for (let at = words[0] === "run" ? 1 : 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const [name, inline] = split(word);
    const flag = flags.find((one) => word.startsWith("--") && one.name === name);
    if (flag === undefined) {
      problems.push(word.startsWith("-") ? `unknown flag ${word}` : `unexpected argument ${JSON.stringify(word)}`);
      continue;
    }
    const value = flag.value === undefined ? (inline ?? "true") : (inline ?? words[++at]);
    if (value === undefined) problems.push(`--${name} needs a value (${flag.value})`);
    else if (values.has(name) && flag.repeatable !== true) problems.push(`--${name} was given twice`);
    else values.set(name, [...(values.get(name) ?? []), value]);
  }
  return { values, problems };
}

/** What `--help` prints. */
export function helpText(): string {
  const lines = flags.map(
    ({ name, value, help }) => `  --${`${name}${value === undefined ? "" : ` ${value}`}`.padEnd(28)} ${help}`,
  );
  return [
    "capstan-agent [run] keeps one cluster as its hub says.",
    "",
    "Flags (each also as environment variable, for example CAPSTAN_LOG_LEVEL):",
    ...lines,
    "",
    "In a pod, cluster, hub and token are read from /etc/capstan/join/{cluster,hub,token} where flags do not say them.",
    "Exit codes: 0 ended by a signal, 64 wrong usage, 69 no hub answered while joining, 77 the hub refused to let it join,",
    "70 any other failure.",
    "",
  ].join("\n");
}

function split(word: string): readonly [name: string, inline: string | undefined] {
  const bare = word.replace(/^--/, "");
  const equals = bare.indexOf("=");
  return equals < 0 ? [bare, undefined] : [bare.slice(0, equals), bare.slice(equals + 1)];
}
