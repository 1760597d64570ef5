import { z } from "zod";
import type { CredentialRule } from "./credentials.ts";
import type { Schedule } from "./schedule.ts";
import { defaultSchedule } from "./schedule.ts";

const secret = z.union([z.strictObject({ file: z.string().min(1) }), z.strictObject({ env: z.string().min(1) })]);

/** `sources:` in the hub's config. */
export const sourcesFragment = z.strictObject({
  /** Seconds between looks at a repository that tells us nothing by itself. */
  pollSeconds: z.number().min(1).max(86_400).default(120),
  /** Fetches under way at once. */
  concurrency: z.int().min(1).max(64).default(4),
  credentials: z
    .array(z.strictObject({ prefix: z.string().min(1), username: z.string().min(1).optional(), secret }))
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
  return config.credentials.map(({ prefix, username, secret: reference }) => ({
    prefix,
    ...(username === undefined ? {} : { username }),
    secret: reference,
  }));
}
