import { z } from "zod";

/** `render:` in the hub's config. */
export const renderFragment = z.strictObject({
  /** Renders at once. */
  processes: z.int().min(1).max(64).default(4),
  timeoutSeconds: z.number().min(1).max(600).default(30),
  memoryMiB: z.int().min(256).max(65_536).default(2048),
  outputMiB: z.int().min(1).max(1024).default(64),
  /** Refuse to render where the kernel does not shut the tools in. */
  requireIsolation: z.boolean().default(false),
  /** Where the tools are; by default on PATH. */
  helm: z.string().min(1).default("helm"),
  kubectl: z.string().min(1).default("kubectl"),
  /** Needed only by sources with Jsonnet. */
  jsonnet: z.string().min(1).default("jsonnet"),
});

export type RenderConfig = z.infer<typeof renderFragment>;
