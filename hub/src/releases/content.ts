import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { DesiredTargetSchema, type Window, WindowSchema } from "@capstan/proto/desired";
import type { Application } from "../documents/model.ts";
import { selectsCluster } from "../documents/strategy-parse.ts";
import type { FreezeWindowDocument } from "../documents/views.ts";
import { defaultServiceAccount } from "../projects/account.ts";
import { windowsFor } from "../projects/windows.ts";
import type { StoredBundleRef, TargetContent } from "../targets/content.ts";
import { contentOf, type HashText } from "../targets/content.ts";
import { applyPolicy, localRollbackAnnotation, modeOf, parseDurationMs } from "../targets/policy.ts";
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
  made: {
    readonly bundle: StoredBundleRef;
    readonly defaults: ContentDefaults;
    readonly hash: HashText;
    readonly freezes: readonly FreezeWindowDocument[];
  },
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
      windows: [...windowsOf(target), ...freezesOf(target, lane, made.freezes)],
      mayRollBackLocally: metadata.annotations[localRollbackAnnotation] === "true",
      destinationNamespace: spec.destination.namespace ?? "",
    }),
    made.bundle,
    made.hash,
  );
}

/** The project's account for this destination, else the fleet's; never the agent's own rights. */
function serviceAccountOf({ application, destination, project }: Sorted["targets"][number], fallback: string): string {
  if (project === undefined) return fallback;
  const account = defaultServiceAccount(project.spec, {
    server: destination.argocd.server,
    namespace: application.spec.destination.namespace ?? "",
    applicationNamespace: application.metadata.namespace,
  });
  return account === undefined ? fallback : `${account.namespace}/${account.name}`;
}

/** The project's windows that concern the target, for the agent to keep as well when it is alone. */
function windowsOf({ application, destination, project }: Sorted["targets"][number]): Window[] {
  if (project === undefined) return [];
  const { name, server } = destination.argocd;
  const windows = windowsFor(project.spec, {
    application: application.metadata.name,
    namespace: application.spec.destination.namespace ?? "",
    cluster: { name, server },
  });
  return windows.map(({ duration, ...window }) =>
    create(WindowSchema, { ...window, duration: durationFromMs(parseDurationMs(duration)) }),
  );
}

/** The fleet's freezes that concern the target; the agent keeps them as well. */
function freezesOf(
  { application, set, cluster, destination }: Sorted["targets"][number],
  lane: string,
  freezes: readonly FreezeWindowDocument[],
): Window[] {
  const owner = set === "" ? `${application.metadata.namespace}/${application.metadata.name}` : set;
  const names = [owner, owner.slice(owner.indexOf("/") + 1)];
  const concerned = freezes.filter(
    ({ spec }) =>
      (spec.sets.length === 0 || spec.sets.some((one) => names.includes(one))) &&
      (spec.lanes.length === 0 || spec.lanes.includes(lane)) &&
      selectsCluster(spec.select, { id: cluster, labels: destination.labels }),
  );
  return concerned.map(({ metadata, spec }) =>
    create(WindowSchema, {
      allow: spec.kind === "allow",
      schedule: spec.schedule,
      duration: durationFromMs(spec.durationMs),
      timeZone: spec.timeZone,
      manualSync: spec.manualSync,
      description: spec.reason === "" ? `freeze ${metadata.name}` : `freeze ${metadata.name}: ${spec.reason}`,
    }),
  );
}

/** Every source of an application that has something to read. */
export function sourcesOf(application: Application) {
  const { source, sources } = application.spec;
  return sources !== undefined && sources.length > 0 ? sources : source === undefined ? [] : [source];
}
