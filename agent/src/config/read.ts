import { Fault, parseClusterId } from "@capstan/proto";
import * as z from "zod/mini";
import { flags, helpText, readFlags } from "./flags.ts";
import { type AgentConfig, type Invocation, version } from "./model.ts";

/** What a configuration is read from. */
export interface ConfigInputs {
  /** Without the program itself. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Mounted join files by name (`cluster`, `hub`, `token`): contents, and for `token` its path. */
  readonly join: { readonly cluster?: string; readonly hub?: string; readonly tokenFile?: string };
}

const endpoint = z.string().check(z.regex(/^(\[[0-9a-fA-F:]+\]|[^\s:/]+):[0-9]{1,5}$/, "expected HOST:PORT"));
const positive = z.coerce
  .number("expected a number")
  .check(z.int("expected a whole number"), z.gte(1, "expected at least 1"), z.lte(256, "expected at most 256"));

const schema = z.strictObject({
  cluster: z.string("is required"),
  hub: z.array(endpoint, "is required").check(z.minLength(1, "is required")),
  "join-token-file": z.optional(z.string()),
  kubeconfig: z.optional(z.string()),
  context: z.optional(z.string()),
  namespace: z._default(
    z.string().check(z.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "expected a namespace's name")),
    "capstan-system",
  ),
  transport: z._default(z.enum(["nats", "grpc", "auto"], "expected nats, grpc or auto"), "auto"),
  "log-level": z._default(z.enum(["debug", "info", "warn", "error"], "expected debug, info, warn or error"), "info"),
  targets: z._default(positive, 4),
  requests: z._default(positive, 16),
});

/**
 * Reads the configuration in three stages: what was given (flags before environment before mounted files), checked
 * against the schema with its defaults, compiled and frozen. All problems are found at once.
 */
export function readConfig(inputs: ConfigInputs): Invocation {
  const given = readFlags(inputs.words);
  if (given.values.has("help")) return { kind: "help", text: helpText() };
  if (given.values.has("version")) return { kind: "version", text: `capstan-agent ${version}\n` };
  const parsed = schema.safeParse(rawOf(given.values, inputs));
  const problems = [...given.problems];
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(`--${issue.path.map(String).join(" ")}: ${issue.message}`);
    return { kind: "wrong", problems };
  }
  const cluster = clusterOf(parsed.data.cluster);
  if (cluster instanceof Fault) problems.push(`--cluster: ${cluster.message}`);
  if (problems.length > 0 || cluster instanceof Fault) return { kind: "wrong", problems };
  return { kind: "run", config: compile(parsed.data, cluster) };
}

function rawOf(values: ReadonlyMap<string, readonly string[]>, inputs: ConfigInputs): Record<string, unknown> {
  const raw: Record<string, unknown> = {};
  const mounted: Record<string, string | undefined> = {
    cluster: inputs.join.cluster?.trim(),
    hub: inputs.join.hub?.trim(),
    "join-token-file": inputs.join.tokenFile,
  };
  for (const { name, value, repeatable } of flags) {
    if (value === undefined) continue;
    const fromEnv = inputs.env[`CAPSTAN_${name.toUpperCase().replaceAll("-", "_")}`];
    const texts = values.get(name) ?? one(fromEnv) ?? one(mounted[name]);
    if (texts === undefined) continue;
    raw[name] = repeatable ? texts.flatMap((text) => text.split(/[\s,]+/)).filter((text) => text !== "") : texts[0];
  }
  return raw;
}

function one(text: string | undefined): readonly string[] | undefined {
  return text === undefined || text === "" ? undefined : [text];
}

function clusterOf(text: string): AgentConfig["cluster"] | Fault {
  try {
    return parseClusterId(text);
  } catch (thrown) {
    return Fault.from(thrown);
  }
}

function compile(data: z.infer<typeof schema>, cluster: AgentConfig["cluster"]): AgentConfig {
  return Object.freeze({
    cluster,
    hubs: Object.freeze([...data.hub]),
    joinTokenFile: data["join-token-file"],
    kubeconfig: data.kubeconfig,
    context: data.context,
    namespace: data.namespace,
    logLevel: data["log-level"],
    transport: data.transport,
    targets: data.targets,
    requests: data.requests,
  });
}
