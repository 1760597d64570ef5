import { z } from "zod";
import type { ClusterParams } from "../../generators/model.ts";
import type { JsonObject } from "../../yaml/json.ts";

const json = z.custom<JsonObject>((value) => typeof value === "object" && value !== null && !Array.isArray(value));
const texts = z.record(z.string(), z.string());
const error = z.object({ class: z.string(), text: z.string().optional() });

const templatePair = z.object({
  id: z.string(),
  topic: z.string(),
  template: z.string(),
  params: json,
  goTemplate: z.boolean(),
  options: z.array(z.string()).optional(),
  /** Parameters, by path, that are Go's `map[string]string` or `[]string`. */
  typed: z.record(z.string(), z.enum(["stringMap", "stringList"])).optional(),
  expect: z.union([z.object({ output: z.string() }), z.object({ error })]),
});

const cluster = z.custom<ClusterParams>((value) => typeof value === "object" && value !== null && "name" in value);

const setPair = z.object({
  id: z.string(),
  topic: z.string(),
  applicationSet: json,
  clusters: z.array(cluster),
  projects: z.array(z.string()),
  /** URL, revision, path, content. */
  repos: z.record(z.string(), z.record(z.string(), texts)),
  flags: z.object({ newGitFileGlobbing: z.boolean() }),
  expect: z.object({
    applications: z.array(json),
    error: error.nullable(),
    partialApplications: z.array(json).optional(),
    invalid: texts.optional(),
  }),
});

/** One template, its parameters, and what Argo CD makes of it. */
export type TemplatePair = z.infer<typeof templatePair>;
/** One ApplicationSet with its world, and the Applications that Argo CD makes of it. */
export type SetPair = z.infer<typeof setPair>;
export type Pair = TemplatePair | SetPair;

/** One line of a file of pairs. Throws what is wrong with it. */
export function parsePair(line: string): Pair {
  const value = json.parse(JSON.parse(line));
  return "applicationSet" in value ? setPair.parse(value) : templatePair.parse(value);
}

/** Whether the pair is about a whole set, not about one text. */
export function isSetPair(pair: Pair): pair is SetPair {
  return "applicationSet" in pair;
}
