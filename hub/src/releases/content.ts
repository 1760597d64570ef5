import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { DesiredTargetSchema } from "@capstan/proto/desired";
import type { Application } from "../documents/model.ts";
import type { StoredBundleRef, TargetContent } from "../targets/content.ts";
import { contentOf, type HashText } from "../targets/content.ts";
import { applyPolicy, modeOf } from "../targets/policy.ts";
import type { Sorted } from "./candidates.ts";

/** What the fleet says where a project does not. */
export interface ContentDefaults {
  /** `NAMESPACE/NAME` of the account that applies where the project names none. */
  readonly serviceAccount: string;
  readonly healthDeadlineMs: number;
  readonly stableForMs: number;
}

/** A target with its bundle and policy: what a release moves. Pure. */
export function targetContent(
  target: Sorted["targets"][number],
  lane: string,
  made: { readonly bundle: StoredBundleRef; readonly defaults: ContentDefaults; readonly hash: HashText },
): TargetContent {
  const { application, project } = target;
  const { metadata, spec } = application;
  return contentOf(
    create(DesiredTargetSchema, {
      namespace: metadata.namespace,
      name: metadata.name,
      set: target.set,
      lane,
      project: spec.project,
      mode: modeOf(application, target.destination.mode),
      policy: applyPolicy(application, project),
      healthDeadline: durationFromMs(made.defaults.healthDeadlineMs),
      stableFor: durationFromMs(made.defaults.stableForMs),
      serviceAccount: serviceAccountOf(target, made.defaults.serviceAccount),
      destinationNamespace: spec.destination.namespace ?? "",
    }),
    made.bundle,
    made.hash,
  );
}

/** The project's account for this destination, else the fleet's; never the agent's own rights. */
function serviceAccountOf(target: Sorted["targets"][number], fallback: string): string {
  const namespace = target.application.spec.destination.namespace ?? "";
  for (const rule of target.project?.spec.destinationServiceAccounts ?? []) {
    const server = rule.server === "*" || rule.server === target.destination.argocd.server;
    const within = rule.namespace === undefined || rule.namespace === "*" || rule.namespace === namespace;
    if (!server || !within) continue;
    const [first = "", second] = rule.defaultServiceAccount.split(":");
    return second === undefined ? `${namespace}/${first}` : `${first}/${second}`;
  }
  return fallback;
}

/** Every source of an application that has something to read. */
export function sourcesOf(application: Application) {
  const { source, sources } = application.spec;
  return sources !== undefined && sources.length > 0 ? sources : source === undefined ? [] : [source];
}
