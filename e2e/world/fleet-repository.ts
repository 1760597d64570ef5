import type { Files } from "./repository.ts";

/** A cluster as the sample repository declares it. */
export interface FleetCluster {
  readonly id: string;
  /** `env` is dev, staging or prod; others are free. */
  readonly labels: Readonly<Record<string, string>>;
}

/** What the sample repository is written for. */
export interface FleetInit {
  /** URL of the repository itself: the sources of its Applications. */
  readonly repoURL: string;
  readonly clusters: readonly FleetCluster[];
}

/** The folder that is the root in the hub's config. */
export const rootPath = "argocd";

/** Namespace of the sets and Applications. */
export const setNamespace = "argocd";

/**
 * The sample fleet repository: three environments; plain, Kustomize and Helm applications; ApplicationSets by list,
 * clusters, git directories, git files and matrix, with and without Go templates; two projects; all in Argo CD's format.
 */
export function fleetRepository(init: FleetInit): Files {
  return {
    "README.md": readme,
    [`${rootPath}/clusters.yaml`]: clusterDocuments(init.clusters, "spec:\n  mode: AdoptIfNoDiff\n"),
    [`${rootPath}/projects.yaml`]: projects(init.repoURL),
    [`${rootPath}/team-apps.yaml`]: teamApps(init.repoURL),
    [`${rootPath}/platform-addons.yaml`]: platformAddons(init.repoURL),
    [`${rootPath}/quotas.yaml`]: quotas(init.repoURL),
    [`${rootPath}/banner.yaml`]: banner(init),
    ...kustomizeApps(["shop-web", "shop-cart", "billing"]),
    ...ingressChart,
    ...quotaFiles,
    "plain/banner/banner.yaml": bannerManifest,
  };
}

/** The file and the text to change for "push a change and watch it arrive". */
export const sampleChange = {
  path: "apps/shop-web/settings.properties",
  before: "cart.limit=50",
  after: "cart.limit=75",
} as const;

/** The file and the text to change for "break an image and see it stop". */
export const sampleBreakage = {
  path: "apps/shop-web/deployment.yaml",
  before: "image: registry.example.com/shop-web:1.0.0",
  after: "image: registry.example.com/shop-web:broken",
} as const;

const readme = `# The fleet

| folder | what |
| --- | --- |
| argocd/ | what the hub follows: clusters, projects, ApplicationSets |
| apps/ | Kustomize applications of the teams, on every cluster |
| charts/ingress/ | a Helm chart, with values for each environment |
| quotas/ | one file for each environment, read by a git files generator |
| plain/banner/ | plain YAML, on the clusters that a list names |
`;

/** A file of `Cluster` documents. `more` follows each: lines of its spec. */
export function clusterDocuments(clusters: readonly FleetCluster[], more = ""): string {
  const document = ({ id, labels }: FleetCluster) => {
    const lines = Object.entries(labels).map(([key, value]) => `    ${key}: ${JSON.stringify(value)}\n`);
    return `apiVersion: capstan.dev/v1\nkind: Cluster\nmetadata:\n  name: ${id}\n  labels:\n${lines.join("")}${more}`;
  };
  return clusters.map(document).join("---\n");
}

const projects = (repoURL: string) => `apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata:
  name: teams
  namespace: ${setNamespace}
spec:
  description: What product teams may use
  sourceRepos:
    - ${repoURL}
  destinations:
    - name: "*"
      namespace: "team-*"
  clusterResourceWhitelist:
    - group: ""
      kind: Namespace
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata:
  name: platform
  namespace: ${setNamespace}
spec:
  description: What the platform team runs everywhere
  sourceRepos:
    - "*"
  destinations:
    - name: "*"
      namespace: "*"
  clusterResourceWhitelist:
    - group: "*"
      kind: "*"
`;

const teamApps = (repoURL: string) => `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: team-apps
  namespace: ${setNamespace}
spec:
  goTemplate: true
  goTemplateOptions: ["missingkey=error"]
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
                  - key: env
                    operator: In
                    values: [dev, staging, prod]
  template:
    metadata:
      name: "{{.path.basename}}-{{.name}}"
      labels:
        env: "{{.metadata.labels.env}}"
    spec:
      project: teams
      source:
        repoURL: ${repoURL}
        targetRevision: main
        path: "{{.path.path}}"
      destination:
        name: "{{.name}}"
        namespace: "team-{{.path.basename}}"
      syncPolicy:
        automated:
          prune: true
          selfHeal: true
        syncOptions:
          - CreateNamespace=true
`;

const platformAddons = (repoURL: string) => `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: platform-addons
  namespace: ${setNamespace}
spec:
  generators:
    - clusters:
        selector:
          matchExpressions:
            - key: env
              operator: Exists
  template:
    metadata:
      name: "ingress-{{name}}"
    spec:
      project: platform
      source:
        repoURL: ${repoURL}
        targetRevision: main
        path: charts/ingress
        helm:
          releaseName: ingress
          valueFiles:
            - values.yaml
            - "values-{{metadata.labels.env}}.yaml"
          parameters:
            - name: cluster
              value: "{{name}}"
      destination:
        name: "{{name}}"
        namespace: ingress
      syncPolicy:
        automated:
          prune: true
          selfHeal: true
        syncOptions:
          - CreateNamespace=true
`;

const quotas = (repoURL: string) => `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: quotas
  namespace: ${setNamespace}
spec:
  goTemplate: true
  generators:
    - matrix:
        generators:
          - git:
              repoURL: ${repoURL}
              revision: main
              files:
                - path: quotas/*.yaml
          - clusters:
              selector:
                matchLabels:
                  env: "{{.env}}"
  template:
    metadata:
      name: "quota-{{.name}}"
    spec:
      project: platform
      source:
        repoURL: ${repoURL}
        targetRevision: main
        path: charts/quota
        helm:
          valuesObject:
            env: "{{.env}}"
            cpu: "{{.quota.cpu}}"
            memory: "{{.quota.memory}}"
      destination:
        name: "{{.name}}"
        namespace: team-quota
      syncPolicy:
        automated:
          prune: true
        syncOptions:
          - CreateNamespace=true
`;

/** A list of the first cluster of each environment. */
function banner({ repoURL, clusters }: FleetInit): string {
  const first = ["dev", "staging", "prod"].flatMap((env) => {
    const cluster = clusters.find((one) => one.labels["env"] === env);
    return cluster === undefined ? [] : [{ env, id: cluster.id }];
  });
  const elements = first.map(({ env, id }) => `          - cluster: ${id}\n            env: ${env}\n`).join("");
  return `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: banner
  namespace: ${setNamespace}
spec:
  generators:
    - list:
        elements:
${elements}  template:
    metadata:
      name: "banner-{{cluster}}"
      labels:
        env: "{{env}}"
    spec:
      project: platform
      source:
        repoURL: ${repoURL}
        targetRevision: main
        path: plain/banner
      destination:
        name: "{{cluster}}"
        namespace: banner
      syncPolicy:
        automated:
          prune: true
          selfHeal: true
        syncOptions:
          - CreateNamespace=true
`;
}

const bannerManifest = `apiVersion: v1
kind: ConfigMap
metadata:
  name: banner
data:
  text: Welcome aboard
`;

function kustomizeApps(names: readonly string[]): Files {
  return Object.assign({}, ...names.map((name) => kustomizeApp(name)));
}

const kustomizeApp = (name: string): Files => ({
  [`apps/${name}/kustomization.yaml`]: `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
labels:
  - pairs:
      app.kubernetes.io/name: ${name}
    includeSelectors: true
resources:
  - deployment.yaml
  - service.yaml
configMapGenerator:
  - name: settings
    files:
      - settings.properties
`,
  [`apps/${name}/deployment.yaml`]: `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {}
  template:
    spec:
      containers:
        - name: web
          image: registry.example.com/${name}:1.0.0
          ports:
            - containerPort: 8080
          envFrom:
            - configMapRef:
                name: settings
`,
  [`apps/${name}/service.yaml`]: `apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
    - port: 80
      targetPort: 8080
`,
  [`apps/${name}/settings.properties`]: "cart.limit=50\nlog.level=info\n",
});

const ingressChart: Files = {
  "charts/ingress/Chart.yaml": "apiVersion: v2\nname: ingress\nversion: 1.0.0\ndescription: The way in\n",
  "charts/ingress/values.yaml": 'replicas: 1\ncluster: ""\nimage: registry.example.com/ingress:2.3.0\n',
  "charts/ingress/values-dev.yaml": "replicas: 1\n",
  "charts/ingress/values-staging.yaml": "replicas: 2\n",
  "charts/ingress/values-prod.yaml": "replicas: 3\n",
  "charts/ingress/templates/deployment.yaml": `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: &labels
    app.kubernetes.io/name: ingress
    app.kubernetes.io/instance: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: *labels
  template:
    metadata:
      labels: *labels
    spec:
      containers:
        - name: ingress
          image: {{ .Values.image }}
          args: ["--cluster={{ .Values.cluster }}"]
`,
  "charts/ingress/templates/service.yaml": `apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector:
    app.kubernetes.io/name: ingress
  ports:
    - port: 443
      targetPort: 8443
`,
};

const quotaFiles: Files = {
  "quotas/dev.yaml": 'env: dev\nquota:\n  cpu: "4"\n  memory: 8Gi\n',
  "quotas/staging.yaml": 'env: staging\nquota:\n  cpu: "8"\n  memory: 16Gi\n',
  "quotas/prod.yaml": 'env: prod\nquota:\n  cpu: "32"\n  memory: 64Gi\n',
  "charts/quota/Chart.yaml": "apiVersion: v2\nname: quota\nversion: 1.0.0\ndescription: What teams may use\n",
  "charts/quota/values.yaml": 'env: ""\ncpu: "1"\nmemory: 1Gi\n',
  "charts/quota/templates/quota.yaml": `apiVersion: v1
kind: ResourceQuota
metadata:
  name: teams
  labels:
    env: {{ .Values.env }}
spec:
  hard:
    requests.cpu: {{ .Values.cpu | quote }}
    requests.memory: {{ .Values.memory }}
`,
};
