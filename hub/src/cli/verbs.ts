import { contextVerbs } from "./access.ts";
import { actingVerbs } from "./acting.ts";
import { actionVerbs } from "./actions.ts";
import { appsetVerbs } from "./appset.ts";
import { clusterVerbs } from "./clusters.ts";
import { documentVerbs } from "./documents.ts";
import { explainVerbs } from "./explain.ts";
import { healthVerbs } from "./health.ts";
import { inputVerbs } from "./inputs.ts";
import { joiningVerbs } from "./joining.ts";
import { keyVerbs } from "./keys.ts";
import { liveVerbs } from "./live.ts";
import { lookingVerbs } from "./looking.ts";
import { restVerbs } from "./rest.ts";
import { rolloutVerbs } from "./rollouts.ts";
import { servingVerbs } from "./serving.ts";
import { statusVerbs } from "./status.ts";
import { tokenVerbs } from "./tokens.ts";
import type { Verb } from "./verb.ts";

/** Every verb there is, in the order in which help shows them. */
export const verbs: readonly Verb[] = [
  ...statusVerbs,
  ...lookingVerbs,
  ...explainVerbs,
  ...liveVerbs,
  ...healthVerbs,
  ...documentVerbs,
  ...appsetVerbs,
  ...actingVerbs,
  ...actionVerbs,
  ...rolloutVerbs,
  ...joiningVerbs,
  ...clusterVerbs,
  ...inputVerbs,
  ...contextVerbs,
  ...tokenVerbs,
  ...servingVerbs,
  ...keyVerbs,
  ...restVerbs(() => verbs),
];
