import { applicationSetShape } from "../../documents/application-set-shape.ts";
import { decode } from "../../documents/decode.ts";
import type { ApplicationSet, ApplicationSetSpec, JsonObject } from "../../documents/model.ts";
import type { ClusterParams, GenerateInput, GitSnapshot } from "../../generators/model.ts";

const services = "https://git.example.net/platform/services.git";
const pick = <T>(values: readonly [T, ...T[]], index: number): T => values[index % values.length] ?? values[0];

/** Clusters with a few labels and annotations, as a fleet has them. */
export function clusters(count: number): ClusterParams[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `fleet-${String(index).padStart(4, "0")}`;
    return {
      name,
      server: `https://api.${name}.example.net:6443`,
      labels: {
        env: pick(["prod", "stage", "dev"], index),
        region: pick(["eu-west-1", "eu-north-1", "us-east-2", "ap-south-1"], index),
        tier: pick(["gold", "silver"], index >> 1),
        team: `team-${index % 7}`,
      },
      annotations: { contact: `ops-${index}@example.net`, "cost-center": String(4_000 + index) },
      project: "",
    };
  });
}

/** A configuration file of each service. */
export function serviceFiles(count: number): Record<string, string> {
  const files: Record<string, string> = {};
  for (let index = 0; index < count; index += 1) {
    const number = String(index).padStart(3, "0");
    files[`services/svc-${number}/deploy.yaml`] = `name: svc-${number}
team: team-${index % 9}
chart: ${pick(["web", "worker", "cron"], index)}
version: 1.${index % 10}.${index % 4}
replicas: ${(index % 5) + 1}
features:
  tracing: ${index % 2 === 1}
  cache: on
resources:
  cpu: 250m
  memory: ${pick(["128Mi", "256Mi"], index)}
hosts:
- svc-${number}.example.net
- alt-${number}.example.net
`;
  }
  return files;
}

/** Elements of a list, all of text, as the old mode wants them. */
export function elements(count: number): JsonObject[] {
  return Array.from({ length: count }, (_, index) => ({
    cluster: `fleet-${String(index).padStart(5, "0")}`,
    url: `https://api.fleet-${String(index % 1_000).padStart(4, "0")}.example.net:6443`,
    env: pick(["prod", "stage", "dev"], index),
    region: pick(["eu-west-1", "eu-north-1", "us-east-2", "ap-south-1"], index),
    ns: `ns-${index % 20}`,
    values: { rev: `v1.${index % 30}`, size: pick(["s", "m", "l"], index) },
  }));
}

/** Clusters with Git files, a dozen templated fields each. */
export function matrixSet(): ApplicationSet {
  return set("bench-matrix", {
    goTemplate: true,
    goTemplateOptions: ["missingkey=error"],
    generators: [
      {
        matrix: {
          generators: [
            { clusters: { selector: { matchExpressions: [{ key: "env", operator: "Exists" }] } } },
            { git: { repoURL: services, revision: "main", files: [{ path: "services/*/deploy.yaml" }] } },
          ],
        },
      },
    ],
    template: {
      metadata: {
        name: "{{ .name }}-{{ .path.basename }}",
        labels: {
          env: "{{ .metadata.labels.env }}",
          region: '{{ index .metadata.labels "region" }}',
          service: "{{ .path.basenameNormalized }}",
        },
        annotations: { contact: "{{ .metadata.annotations.contact | quote }}" },
      },
      spec: {
        project: '{{ .project | default "default" }}',
        source: {
          repoURL: services,
          targetRevision: '{{ if eq .metadata.labels.env "prod" }}v{{ .version }}{{ else }}main{{ end }}',
          path: "{{ .path.path }}",
          helm: {
            releaseName: '{{ printf "%s-%s" .chart .path.basename | trunc 40 | trimSuffix "-" }}',
            values:
              "replicas: {{ .replicas | int }}\nhosts:\n{{- range .hosts }}\n- {{ . }}\n{{- end }}\ntier: {{ .metadata.labels.tier | upper }}\n",
          },
        },
        destination: {
          server: "{{ .server }}",
          namespace: '{{ .team | replace "team-" "t" }}-{{ index .path.segments 1 }}',
        },
        syncPolicy: {
          automated: { prune: true, selfHeal: true },
          syncOptions: ["CreateNamespace=true"],
        },
      },
    },
  });
}

/** A list in the old mode. */
export function listSet(list: readonly JsonObject[]): ApplicationSet {
  return set("bench-list", {
    generators: [{ list: { elements: list } }],
    template: {
      metadata: { name: "{{cluster}}-app", labels: { env: "{{env}}", region: "{{ region }}" } },
      spec: {
        project: "default",
        source: {
          repoURL: "https://git.example.net/platform/apps.git",
          targetRevision: "{{values.rev}}",
          path: "apps/{{env}}/{{region}}",
          helm: { releaseName: "{{cluster}}", valueFiles: ["values-{{values.size}}.yaml", "values-{{env}}.yaml"] },
        },
        destination: { server: "{{url}}", namespace: "{{ns}}" },
        syncPolicy: { automated: { prune: true } },
      },
    },
  });
}

/** Clusters with one templated value. */
export function clusterSet(): ApplicationSet {
  return set("bench-clusters", {
    goTemplate: true,
    goTemplateOptions: ["missingkey=error"],
    generators: [
      {
        clusters: {
          selector: { matchExpressions: [{ key: "env", operator: "In", values: ["prod", "stage", "dev"] }] },
          values: { rev: '{{ if eq .metadata.labels.env "prod" }}stable{{ else }}main{{ end }}' },
        },
      },
    ],
    template: {
      metadata: {
        name: "{{ .nameNormalized }}-base",
        labels: { env: "{{ .metadata.labels.env }}", team: "{{ .metadata.labels.team }}" },
        annotations: { "cost-center": '{{ index .metadata.annotations "cost-center" }}' },
      },
      spec: {
        project: "default",
        source: {
          repoURL: "https://git.example.net/platform/base.git",
          targetRevision: "{{ .values.rev }}",
          path: "clusters/{{ .metadata.labels.region }}/{{ .name }}",
          helm: {
            releaseName: "base-{{ .name | trunc 20 }}",
            valueFiles: ["values-{{ .metadata.labels.env }}.yaml", "values-{{ .metadata.labels.tier | lower }}.yaml"],
          },
        },
        destination: { server: "{{ .server }}", namespace: '{{ .metadata.labels.team | default "infra" }}' },
        syncPolicy: { automated: { prune: true } },
      },
    },
  });
}

function set(name: string, spec: JsonObject): ApplicationSet {
  const decoded = decode(applicationSetShape, { metadata: { name, namespace: "argocd" }, spec });
  const metadata = { name, namespace: "argocd", labels: {}, annotations: {}, finalizers: [] };
  return { metadata, spec: decoded["spec"] as unknown as ApplicationSetSpec };
}

/** A set in its world. */
export function inputOf(
  given: ApplicationSet,
  world: { readonly clusters?: readonly ClusterParams[]; readonly files?: Readonly<Record<string, string>> },
): GenerateInput {
  const { files = {}, clusters: known = [] } = world;
  const paths = Object.keys(files);
  const git: GitSnapshot = {
    tree: () => ({ commit: "c", complete: true, paths: () => paths, text: (path) => files[path] }),
  };
  return {
    set: given,
    clusters: known,
    projects: new Set(["default"]),
    git,
    compat: "isolate",
    newGitFileGlobbing: false,
  };
}
