import { clusterDocuments, type FleetCluster } from "../world/fleet-repository.ts";
import type { Files } from "../world/repository.ts";

/** A small fleet repository: every app is one folder of plain YAML on every cluster that has the label `env`. */
export interface PlainFleet {
  readonly repoURL: string;
  readonly clusters: readonly FleetCluster[];
  readonly apps: readonly string[];
  /** Lines below `spec` of the set, for example a strategy. */
  readonly more?: string;
  readonly selfHeal?: boolean;
}

/** The path of an app's one file. */
export const appFile = (app: string) => `apps/${app}/config.yaml`;

/** An app with one ConfigMap that holds `value`. */
export const configApp = (value: string) => `apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  value: ${JSON.stringify(value)}
`;

/** An app with one Deployment; an image with `broken` in its name crashes. */
export const deploymentApp = (image: string) => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: { app: web }
  template:
    metadata:
      labels: { app: web }
    spec:
      containers:
        - name: web
          image: ${image}
`;

/** Name of the set that makes all targets; its lanes are called like the apps. */
export const plainSet = "apps";

/** The repository: `argocd/` is the root. */
export function plainFleet({ repoURL, clusters, apps, more = "", selfHeal = true }: PlainFleet): Files {
  return {
    "argocd/clusters.yaml": clusterDocuments(clusters),
    "argocd/projects.yaml": anyProject,
    "argocd/apps.yaml": `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: ${plainSet}
  namespace: argocd
spec:
${more}  goTemplate: true
  generators:
    - matrix:
        generators:
          - git:
              repoURL: ${repoURL}
              revision: main
              directories:
                - path: apps/*
          - clusters:
              selector:
                matchExpressions:
                  - { key: env, operator: Exists }
  template:
    metadata:
      name: "{{.path.basename}}-{{.name}}"
    spec:
      project: any
      source:
        repoURL: ${repoURL}
        targetRevision: main
        path: "{{.path.path}}"
      destination:
        name: "{{.name}}"
        namespace: "{{.path.basename}}"
      syncPolicy:
        automated:
          prune: true
          selfHeal: ${selfHeal}
        syncOptions:
          - CreateNamespace=true
`,
    ...Object.fromEntries(apps.map((app) => [appFile(app), configApp("1")])),
  };
}

/** A further set beside the first: one target on each of the clusters, called `SET-CLUSTER`, in a namespace like the set. */
export function neighbourSet(init: {
  readonly repoURL: string;
  readonly path: string;
  readonly clusters: readonly string[];
  /** Its name; `neighbour` by default. */
  readonly set?: string;
  /** Template of the targets' names. */
  readonly name?: string;
}): string {
  const { repoURL, path, clusters, set = "neighbour", name = `${set}-{{.cluster}}` } = init;
  return `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: ${set}
  namespace: argocd
spec:
  goTemplate: true
  goTemplateOptions: ["missingkey=error"]
  generators:
    - list:
        elements:
${clusters.map((cluster) => `          - cluster: ${cluster}\n`).join("")}  template:
    metadata:
      name: ${JSON.stringify(name)}
    spec:
      project: any
      source:
        repoURL: ${repoURL}
        targetRevision: main
        path: ${path}
      destination:
        name: "{{.cluster}}"
        namespace: ${set}
      syncPolicy:
        automated:
          prune: true
          selfHeal: true
        syncOptions:
          - CreateNamespace=true
`;
}

const anyProject = `apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata:
  name: any
  namespace: argocd
spec:
  sourceRepos: ["*"]
  destinations:
    - { name: "*", namespace: "*" }
  clusterResourceWhitelist:
    - { group: "*", kind: "*" }
`;
