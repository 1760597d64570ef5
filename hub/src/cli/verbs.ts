import { contextVerbs } from "./access.ts";
import { clusterVerbs } from "./clusters.ts";
import { joiningVerbs } from "./joining.ts";
import { servingVerbs } from "./serving.ts";
import { statusVerbs } from "./status.ts";
import type { Verb } from "./verb.ts";

/** Every verb there is, in the order in which help shows them. */
export const verbs: readonly Verb[] = [
  ...statusVerbs,
  ...joiningVerbs,
  ...clusterVerbs,
  ...contextVerbs,
  ...servingVerbs,
];
