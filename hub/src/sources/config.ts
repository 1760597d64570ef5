import { z } from "zod";
import type { CredentialRule } from "./credentials.ts";
import type { Schedule } from "./schedule.ts";
import { defaultSchedule } from "./schedule.ts";
import type { ServerRule } from "./servers.ts";

const secret = z.union([z.strictObject({ file: z.string().min(1) }), z.strictObject({ env: z.string().min(1) })]);

/** `sources:` in the hub's config. */
export const sourcesFragment = z.strictObject({
  /** Seconds between looks at a repository that tells us nothing by itself. */
  pollSeconds: z.number().min(1).max(86_400).default(120),
  /** Fetches under way at once. */
  concurrency: z.int().min(1).max(64).default(4),
  credentials: z
    .array(
      z.strictObject({
        prefix: z.string().min(1),
        username: z.string().min(1).optional(),
        secret,
        /** The secret is the path of an SSH agent's socket. */
        sshAgent: z.boolean().optional(),
      }),
    )
    .default([]),
  /** How to reach the servers below a prefix: files with certificates, keys and host keys, and a proxy. */
  servers: z
    .array(
      z.strictObject({
        prefix: z.string().min(1),
        ca: z.string().min(1).optional(),
        certificate: z.string().min(1).optional(),
        key: z.string().min(1).optional(),
        proxy: z.url({ protocol: /^https?$/ }).optional(),
        knownHosts: z.string().min(1).optional(),
      }),
    )
    .default([]),
  /** Host names that chart repositories and registries may redirect to although they are private addresses. */
  privateHosts: z.array(z.string().min(1)).default([]),
  /** OCI registries, by host name, that are spoken to without TLS. */
  plainRegistries: z.array(z.string().min(1)).default([]),
  /** Where pushes prove themselves; without it the webhook is closed. */
  webhookSecret: secret.optional(),
});

export type SourcesConfig = z.infer<typeof sourcesFragment>;

/** The poll schedule of a config. */
export function scheduleOf(config: SourcesConfig): Schedule {
  return { ...defaultSchedule, pollMs: config.pollSeconds * 1000 };
}

/** The credential rules of a config. */
export function rulesOf(config: SourcesConfig): readonly CredentialRule[] {
  return config.credentials.map(({ prefix, username, secret: reference, sshAgent }) => ({
    prefix,
    ...(username === undefined ? {} : { username }),
    secret: reference,
    ...(sshAgent === undefined ? {} : { sshAgent }),
  }));
}

/** How a config says that servers are reached. */
export function serversOf(config: SourcesConfig): readonly ServerRule[] {
  return config.servers.map((rule) => {
    const set = Object.entries(rule).filter(([, value]) => value !== undefined);
    return Object.fromEntries(set) as unknown as ServerRule;
  });
}
