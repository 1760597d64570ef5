import { z } from "zod";
import { generatorsFragment } from "../listings/config.ts";
import { renderFragment } from "../render/config.ts";
import { sourcesFragment } from "../sources/config.ts";

const port = z.int().min(0).max(65_535);
const path = z.string().min(1);
const duration = z.string().regex(/^(\d+(\.\d+)?(ms|s|m|h|d))+$/, "expected a duration such as 30s, 10m or 24h");

/** Where the hub listens, and what it is called from outside. */
const listenFragment = z.strictObject({
  address: z.string().min(1).default("127.0.0.1"),
  /** gRPC, for agents, the CLI and programs. */
  grpc: port.default(7443),
  /** Webhooks, health and metrics. */
  http: port.default(7080),
  /** DNS names and addresses that the server certificate is good for, besides `address`. */
  names: z.array(z.string().min(1)).default([]),
  /** `host:port` that agents are told; empty: the first name, or the address, with the gRPC port. */
  endpoints: z.array(z.string().min(3)).default([]),
});

const natsModes = z.discriminatedUnion("mode", [
  z.strictObject({
    mode: z.literal("embedded"),
    /** nats-server; empty: found on PATH. */
    binary: z.string().default(""),
    port: port.default(4222),
    /** What agents are told; empty: made from `listen`. */
    urls: z.array(z.string()).default([]),
  }),
  z.strictObject({
    mode: z.literal("external"),
    servers: z.array(z.string().min(1)).min(1),
    /** Credentials file of a user of account HUB. */
    credentials: path,
    /** Seed file of account AGENTS' signing key, for the users of agents. */
    agentsSigningKey: path,
    /** Public key of account AGENTS. */
    agentsAccount: z.string().min(1),
    /** Credentials file of a user of account SYS, for immediate revocation; empty: agents' JWTs live 15 minutes. */
    systemCredentials: z.string().default(""),
    /** Seed file of an operator signing key: with the system user, a revocation cuts at once. */
    operatorSigningKey: z.string().default(""),
    ca: z.string().default(""),
    urls: z.array(z.string()).default([]),
    replicas: z.int().min(1).max(5).default(3),
  }),
]);

/** A discriminator can have no default of its own, so what says nothing of the mode is completed before it is read. */
const natsFragment = z.preprocess(
  (given) =>
    typeof given === "object" && given !== null && !("mode" in given) ? { mode: "embedded", ...given } : given,
  natsModes,
);

const rootFragment = z.strictObject({
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "expected a-z, 0-9 and -"),
  repoURL: z.string().min(1),
  revision: z.string().min(1).default("HEAD"),
  path: z.string().default("."),
});

const defaultsFragment = z.strictObject({
  /** `NAMESPACE/NAME` of the account that applies where a project names none. */
  serviceAccount: z
    .string()
    .regex(/^[a-z0-9-]+\/[a-z0-9.-]+$/, "expected NAMESPACE/NAME")
    .default("capstan-system/capstan-applier"),
  strategy: z.enum(["careful", "AllAtOnce"]).default("careful"),
  healthDeadline: duration.default("10m"),
  stableFor: duration.default("30s"),
});

const leaseFragment = z.strictObject({
  duration: duration.default("15s"),
  renewDeadline: duration.default("10s"),
  retry: duration.default("2s"),
});

const identityFragment = z.strictObject({
  certificate: duration.default("24h"),
  grace: duration.default("90d"),
  /** How long a CA is trusted beside its successor at least. */
  rootOverlap: duration.default("30d"),
  /** Longest life of a connection, so that an expired certificate ends its session. */
  connectionAge: duration.default("45m"),
});

const gatesFragment = z.strictObject({
  /** What gates of strategies call by name: sent as bearer token, and asked of whoever calls back. */
  secrets: z
    .record(
      z.string().regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "expected a-z, 0-9 and -"),
      z.union([z.strictObject({ file: z.string().min(1) }), z.strictObject({ env: z.string().min(1) })]),
    )
    .default({}),
  /** This hub's HTTP port as webhooks reach it, for example https://capstan.example.com; empty: they are told none. */
  callbackURL: z.union([z.literal(""), z.url()]).default(""),
});

/** The hub's config file as people write it: unknown keys are refused. */
export const hubConfigFile = z.strictObject({
  /** Names this hub; the same after a restart. */
  id: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/, "expected a-z, 0-9 and -")
    .default("hub"),
  /** Folder of keys, mirrors and, with an embedded server, NATS' files. */
  data: path.default("capstan-data"),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
  listen: listenFragment.prefault({}),
  nats: natsFragment.prefault({}),
  roots: z.array(rootFragment).default([]),
  sources: sourcesFragment.prefault({}),
  generators: generatorsFragment.prefault({}),
  render: renderFragment.prefault({}),
  defaults: defaultsFragment.prefault({}),
  lease: leaseFragment.prefault({}),
  identity: identityFragment.prefault({}),
  gates: gatesFragment.prefault({}),
});

/** With all defaults filled in. */
export type HubConfigFile = z.infer<typeof hubConfigFile>;
