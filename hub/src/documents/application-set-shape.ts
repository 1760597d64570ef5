import { metadataShape, templateShape } from "./application-shape.ts";
import { pluginShape, pullRequestShape, scmProviderShape } from "./host-generators-shape.ts";
import {
  bool,
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

/** A Kubernetes label selector. */
const labelSelectorShape: StructShape = struct({
  matchLabels: stringMap,
  matchExpressions: list(struct({ key: keep(string), operator: keep(string), values: strings })),
});

const pathItems = list(struct({ path: keep(string), exclude: bool }));
const listGenerator = struct({ elements: keep(list(json)), template: templateShape, elementsYaml: string });
const clusters = struct({ selector: labelSelectorShape, template: templateShape, values: stringMap, flatList: bool });
const git = struct({
  repoURL: keep(string),
  directories: pathItems,
  files: pathItems,
  revision: keep(string),
  requeueAfterSeconds: pointer(int),
  template: templateShape,
  pathParamPrefix: string,
  values: stringMap,
});

const clusterDecisionResource = struct({
  configMapRef: keep(string),
  name: string,
  requeueAfterSeconds: pointer(int),
  labelSelector: labelSelectorShape,
  template: templateShape,
  values: stringMap,
});

const terminal = {
  list: pointer(listGenerator),
  clusters: pointer(clusters),
  git: pointer(git),
  scmProvider: pointer(scmProviderShape),
  clusterDecisionResource: pointer(clusterDecisionResource),
  pullRequest: pointer(pullRequestShape),
  plugin: pointer(pluginShape),
};
const selector = { selector: pointer(labelSelectorShape) };

/** One entry of a matrix or merge within a matrix or merge: no further nesting. */
const terminalGeneratorShape: StructShape = struct({ ...terminal, ...selector });

/** A matrix within a matrix or merge. */
export const nestedMatrixShape: StructShape = struct({ generators: keep(list(terminalGeneratorShape)) });

/** A merge within a matrix or merge. */
export const nestedMergeShape: StructShape = struct({
  generators: keep(list(terminalGeneratorShape)),
  mergeKeys: keep(strings),
});

const nested = struct({ ...terminal, matrix: pointer(json), merge: pointer(json), ...selector });

/** One entry of `spec.generators`. */
export const generatorShape: StructShape = struct({
  ...terminal,
  matrix: pointer(struct({ generators: keep(list(nested)), template: templateShape })),
  merge: pointer(struct({ generators: keep(list(nested)), mergeKeys: keep(strings), template: templateShape })),
  ...selector,
});

const step = struct({
  matchExpressions: list(struct({ key: string, operator: string, values: strings })),
  maxUpdate: pointer(intOrString),
});

/** An ApplicationSet's `spec`. */
const applicationSetSpecShape: StructShape = struct({
  goTemplate: bool,
  generators: keep(list(generatorShape)),
  template: keep(templateShape),
  syncPolicy: pointer(struct({ preserveResourcesOnDeletion: bool, applicationsSync: pointer(string) })),
  strategy: pointer(
    struct({ type: string, rollingSync: pointer(struct({ steps: list(step) })), deletionOrder: string }),
  ),
  preservedFields: pointer(struct({ annotations: strings, labels: strings })),
  goTemplateOptions: strings,
  applyNestedSelectors: bool,
  ignoreApplicationDifferences: list(struct({ name: string, jsonPointers: strings, jqPathExpressions: strings })),
  templatePatch: pointer(string),
});

/** A whole ApplicationSet. */
export const applicationSetShape: StructShape = struct({
  apiVersion: string,
  kind: string,
  metadata: keep(metadataShape),
  spec: keep(applicationSetSpecShape),
});
