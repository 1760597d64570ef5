import { z } from "zod";

const secret = z.union([z.strictObject({ file: z.string().min(1) }), z.strictObject({ env: z.string().min(1) })]);

/** `generators:` in the hub's config: what generators may ask of servers outside, and with which secrets. */
export const generatorsFragment = z.strictObject({
  /** False: `scmProvider` and `pullRequest` are refused. */
  scmProviders: z.boolean().default(true),
  /** Values of `api` that sets may name; empty: any. */
  allowedScmProviders: z.array(z.string().min(1)).default([]),
  /** Queries under way at once. */
  concurrency: z.int().min(1).max(64).default(4),
  /** Longest wait for one answer. */
  timeoutSeconds: z.number().min(1).max(600).default(30),
  /** The Secrets that sets name, key by key. */
  secrets: z
    .array(
      z.strictObject({
        /** Of the sets that may use it. */
        namespace: z.string().min(1).default("argocd"),
        name: z.string().min(1),
        keys: z.record(z.string().min(1), secret),
        /** URLs of servers that it may be sent to; empty: the provider's public one. */
        servers: z.array(z.url()).default([]),
      }),
    )
    .default([]),
});

export type GeneratorsConfig = z.infer<typeof generatorsFragment>;
