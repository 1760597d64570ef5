import type { Calls } from "./call.ts";
import type { World } from "./port.ts";
import type { Sight } from "./seen.ts";

/** What every group of calls for people is given. */
export interface PeopleCalls {
  readonly calls: Calls;
  readonly world: World;
  readonly sight: Sight;
}
