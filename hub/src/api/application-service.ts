import { ApplicationService } from "@capstan/proto/application";
import { actionCalls } from "./action-calls.ts";
import { documentCalls } from "./document-calls.ts";
import { explain } from "./explain.ts";
import { laneCalls } from "./lane-calls.ts";
import { manifestCalls } from "./manifest-calls.ts";
import type { PeopleCalls } from "./people-calls.ts";
import { type Served, serve } from "./service.ts";
import { sourceCalls } from "./source-calls.ts";
import { targetCalls } from "./target-calls.ts";

/** `ApplicationService`: documents, sets, targets, and why they wait. */
export function applicationService(options: PeopleCalls): Served {
  return serve(ApplicationService, {
    ...documentCalls(options),
    ...targetCalls(options),
    ...manifestCalls(options),
    ...laneCalls(options),
    ...actionCalls(options),
    ...sourceCalls(options),
    async explain({ subject, cluster }, context) {
      options.calls.look(context, "explain.get", `explain/${subject}`);
      return explain(subject, cluster, options.sight.now());
    },
  });
}
