import {
  bool,
  extend,
  int,
  intOrString,
  json,
  keep,
  list,
  map,
  pointer,
  type StructShape,
  string,
  stringMap,
  strings,
  struct,
} from "./shape.ts";

const nameValue = struct({ name: keep(string), value: keep(string) });

const helm = struct({
  valueFiles: strings,
  parameters: list(struct({ name: string, value: string, forceString: bool })),
  releaseName: string,
  values: { shape: string, presence: "omit", replace: true },
  fileParameters: list(struct({ name: string, path: string })),
  version: string,
  passCredentials: bool,
  ignoreMissingValueFiles: bool,
  skipCrds: bool,
  valuesObject: pointer(json),
  namespace: string,
  kubeVersion: string,
  apiVersions: strings,
  skipTests: bool,
  skipSchemaValidation: bool,
});

const resourceId = struct({ group: string, version: string, kind: string, name: string, namespace: string });
const kustomize = struct({
  namePrefix: string,
  nameSuffix: string,
  images: strings,
  commonLabels: stringMap,
  version: string,
  commonAnnotations: stringMap,
  forceCommonLabels: bool,
  forceCommonAnnotations: bool,
  namespace: string,
  commonAnnotationsEnvsubst: bool,
  replicas: list(struct({ name: keep(string), count: keep(intOrString) })),
  patches: list(
    struct({
      path: string,
      patch: string,
      target: pointer(extend(resourceId, { annotationSelector: string, labelSelector: string })),
      options: map(bool),
    }),
  ),
  components: strings,
  ignoreMissingComponents: bool,
  labelWithoutSelector: bool,
  kubeVersion: string,
  apiVersions: strings,
  labelIncludeTemplates: bool,
});

const jsonnetVariable = struct({ name: keep(string), value: keep(string), code: bool });
const directory = struct({
  recurse: bool,
  jsonnet: {
    shape: struct({ extVars: list(jsonnetVariable), tlas: list(jsonnetVariable), libs: strings }),
    presence: "omit",
    replace: false,
  },
  exclude: string,
  include: string,
  disableExtensionFilter: bool,
});

const plugin = struct({
  name: string,
  env: list(nameValue),
  parameters: list(struct({ name: string, string: pointer(string), map: pointer(stringMap), array: pointer(strings) })),
});

const engines = {
  helm: pointer(helm),
  kustomize: pointer(kustomize),
  directory: pointer(directory),
  plugin: pointer(plugin),
};

const source = struct({
  repoURL: keep(string),
  path: string,
  targetRevision: string,
  ...engines,
  chart: string,
  ref: string,
  name: string,
  tagPrefix: string,
});

const sourceHydrator = struct({
  drySource: keep(struct({ repoURL: keep(string), targetRevision: keep(string), path: keep(string), ...engines })),
  syncSource: keep(struct({ targetBranch: keep(string), path: keep(string), repoURL: string })),
  hydrateTo: pointer(struct({ targetBranch: keep(string) })),
});

/** `server`, `namespace` and `name` of a destination. */
export const destinationShape = struct({ server: string, namespace: string, name: string });

const syncPolicy = struct({
  automated: pointer(
    struct({ prune: pointer(bool), selfHeal: pointer(bool), allowEmpty: pointer(bool), enabled: pointer(bool) }),
  ),
  syncOptions: strings,
  retry: pointer(
    struct({
      limit: int,
      backoff: pointer(struct({ duration: string, factor: pointer(int), maxDuration: string })),
      refresh: bool,
    }),
  ),
  managedNamespaceMetadata: pointer(struct({ labels: stringMap, annotations: stringMap })),
});

/** An Application's `spec`. */
const applicationSpecShape: StructShape = struct({
  source: pointer(source),
  destination: keep(destinationShape),
  project: keep(string),
  syncPolicy: pointer(syncPolicy),
  ignoreDifferences: list(
    struct({
      group: string,
      kind: keep(string),
      name: string,
      namespace: string,
      jsonPointers: strings,
      jqPathExpressions: strings,
      managedFieldsManagers: strings,
    }),
  ),
  info: list(nameValue),
  revisionHistoryLimit: pointer(int),
  sources: list(source),
  sourceHydrator: pointer(sourceHydrator),
});

/** What of an object's metadata people may write. */
export const metadataShape: StructShape = struct({
  name: string,
  namespace: string,
  labels: stringMap,
  annotations: stringMap,
  finalizers: strings,
});

/** A whole Application. */
export const applicationShape: StructShape = struct({
  apiVersion: string,
  kind: string,
  metadata: keep(metadataShape),
  spec: keep(applicationSpecShape),
});

/** `spec.template` of an ApplicationSet, and `template` of a generator. */
export const templateShape: StructShape = struct({ metadata: keep(metadataShape), spec: keep(applicationSpecShape) });
