import { metadataShape } from "./application-shape.ts";
import {
  bool,
  extend,
  int,
  intOrString,
  json,
  keep,
  list,
  pointer,
  type StructShape,
  string,
  stringMap,
  strings,
  struct,
} from "./shape.ts";

const select = struct({
  clusters: strings,
  matchLabels: stringMap,
  matchExpressions: list(struct({ key: keep(string), operator: keep(string), values: strings })),
});

const task = struct({
  name: string,
  timeout: string,
  onTimeout: string,
  approval: pointer(struct({ quorum: pointer(int), groups: strings, notAuthor: pointer(bool), expires: string })),
  wait: pointer(struct({ for: string })),
  schedule: pointer(struct({ at: string, cron: string, timeZone: string, duration: string })),
  metric: pointer(
    struct({
      url: string,
      query: string,
      window: string,
      every: string,
      compare: string,
      failures: pointer(int),
      onInconclusive: string,
      secret: string,
    }),
  ),
  webhook: pointer(struct({ url: string, callback: pointer(bool), secret: string })),
  notify: pointer(struct({ url: string, text: string, secret: string })),
});

const limits = struct({ maxConcurrency: pointer(intOrString), maxFailures: pointer(intOrString) });

const stage = extend(limits, {
  name: string,
  select: pointer(select),
  groups: list(extend(limits, { name: string, select: pointer(select) })),
  order: pointer(struct({ by: string, label: string })),
  // A number, a share, or both with a soak of its own.
  canary: pointer(json),
  autoPartition: pointer(struct({ size: pointer(intOrString), threshold: pointer(int) })),
  maxUnavailable: pointer(intOrString),
  minSuccess: pointer(intOrString),
  soak: string,
  before: list(task),
  after: list(task),
});

/** Our own RolloutStrategy. */
export const rolloutStrategyShape: StructShape = struct({
  apiVersion: string,
  kind: string,
  metadata: keep(metadataShape),
  spec: keep(
    extend(limits, {
      stages: list(stage),
      unmatched: string,
      maxFailuresTotal: pointer(intOrString),
      onFailure: string,
      rollbackScope: string,
      supersede: string,
      progressDeadline: string,
      stableFor: string,
      offlineAfter: string,
      offlinePolicy: string,
      rateLimit: pointer(
        struct({ perMinute: pointer(int), per: pointer(struct({ label: string, perMinute: pointer(int) })) }),
      ),
    }),
  ),
});

/** Our own FreezeWindow. */
export const freezeWindowShape: StructShape = struct({
  apiVersion: string,
  kind: string,
  metadata: keep(metadataShape),
  spec: keep(
    struct({
      kind: string,
      schedule: string,
      duration: string,
      timeZone: string,
      reason: string,
      manualSync: pointer(bool),
      select: pointer(select),
      sets: strings,
      lanes: strings,
    }),
  ),
});
