import type { Files } from "../world/repository.ts";
import { notYet, until } from "../world/wait.ts";
import { atLeast, type Bench, figure } from "./bench.ts";
import { BenchFleet, knob } from "./fleet.ts";
import { setOfAll } from "./herd.ts";

const templates = 10;

/** One chart with values of its own for every cluster: each is a render, a bundle and a key in the store. */
export const bench: Bench = {
  summary: "renders of one chart of 10 templates and 20 objects with distinct values, through the whole hub",
  async run(context) {
    const clusters = knob("CLUSTERS", 250);
    await using fleet = await BenchFleet.start({ context, clusters, files: chart });
    await using store = await fleet.store();
    const { streams } = await store.connection.jetstreamManager();
    const bundles = async () => (await streams.info("bundles")).state.messages;
    const done = async (count: number) => {
      const seen = await bundles();
      return seen >= count || notYet(seen);
    };
    await until("the documents", async () => (await fleet.list()).length === clusters, 60_000);
    const began = performance.now();
    await fleet.repository.write({ "argocd/web.yaml": set(fleet.repository.url) });
    await fleet.repository.commit("The set");
    await fleet.repository.push();
    // Warm: the first fifth, in which tools are found and started, is left out.
    const warm = Math.ceil(clusters / 5);
    await until("the first renders", () => done(warm), { bound: 120_000, every: 5 });
    const from = { at: performance.now(), count: await bundles() };
    await until("all renders", () => done(clusters), { bound: 600_000, every: 5 });
    const seconds = (performance.now() - from.at) / 1_000;
    return [
      atLeast(25, { name: "renders, warm", value: (clusters - from.count) / seconds, unit: "/s" }),
      figure({ name: `${clusters} renders, from the push`, value: (performance.now() - began) / 1_000, unit: "s" }),
    ];
  },
};

function set(repoURL: string): string {
  const source = `path: charts/web
helm:
  parameters:
    - name: cluster
      value: "{{name}}"
    - name: number
      value: "{{metadata.labels.number}}"`;
  return setOfAll({ name: "web", repoURL, source });
}

function chart(): Files {
  const files: Record<string, string> = {
    "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "charts/web/values.yaml": 'cluster: ""\nnumber: ""\nreplicas: 2\nimage: registry.example.com/web:1.0.0\n',
    "charts/web/templates/_names.tpl": `{{- define "web.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
cluster: {{ .Values.cluster | quote }}
{{- end }}
`,
  };
  for (let index = 0; index < templates; index += 1) files[`charts/web/templates/part-${index}.yaml`] = template(index);
  return files;
}

function template(index: number): string {
  return `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name | trunc 40 }}-${index}
  labels:
    {{- include "web.labels" . | nindent 4 }}
data:
  number: {{ .Values.number | quote }}
  digest: {{ printf "%s-%d" .Values.cluster ${index} | sha256sum }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name | trunc 40 }}-${index}
  labels:
    {{- include "web.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {part: "${index}"}
  template:
    metadata:
      labels: {part: "${index}"}
    spec:
      containers:
        - name: web
          image: {{ .Values.image }}
          {{- range $n := until 3 }}
          {{- if eq $n 0 }}
          args:
          {{- end }}
            - "--flag-{{ $n }}={{ $.Values.cluster }}"
          {{- end }}
`;
}
