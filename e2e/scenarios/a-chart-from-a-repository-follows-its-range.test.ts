import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { ensureTools } from "../toolchain/tools.ts";
import { TempDir } from "../world/temp.ts";
import { atOnce, Scenario, simulated } from "./scenario.ts";

const run = promisify(execFile);

test("a chart from a repository reaches its clusters, and a new version within the range follows", async (context) => {
  await using charts = await ChartRepository.start();
  await charts.publish("1.0.0");
  const config = { ...atOnce, sources: { pollSeconds: 1 } };
  await using scenario = await Scenario.start(context, { clusters: simulated(2), config });
  await scenario.publish({ "argocd/web.yaml": chartSet(charts.url) }, "A chart");
  await scenario.settled(4);
  await scenario.arrived("1.0.0", { apps: ["web"] });

  await charts.publish("2.0.0");
  await charts.publish("1.1.0");
  await scenario.arrived("1.1.0", { apps: ["web"] });

  charts.away = true;
  await scenario.complaint("web", /the index of the chart repository.*503/);
  await scenario.release("2");
  await scenario.arrived("2");
  await scenario.settled(4);
  charts.away = false;
  await charts.publish("1.2.0");
  await scenario.arrived("1.2.0", { apps: ["web"] });
});

const chartSet = (repoURL: string) => `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: web
  namespace: argocd
spec:
  goTemplate: true
  generators:
    - clusters:
        selector:
          matchExpressions:
            - { key: env, operator: Exists }
  template:
    metadata:
      name: "web-{{.name}}"
    spec:
      project: any
      source:
        repoURL: ${repoURL}
        chart: web
        targetRevision: ^1.0
      destination:
        name: "{{.name}}"
        namespace: web
      syncPolicy:
        automated: { prune: true, selfHeal: true }
        syncOptions: [CreateNamespace=true]
`;

/** A folder that Helm packs charts into and indexes, served over HTTP. */
class ChartRepository implements AsyncDisposable {
  /** Answers 503 while set. */
  away = false;
  readonly #dir: TempDir;
  readonly #helm: string;
  readonly #server = createServer((request, response) => {
    const file = this.#dir.at(join("served", request.url ?? ""));
    readFile(file).then(
      (bytes) => response.writeHead(this.away ? 503 : 200).end(bytes),
      () => response.writeHead(404).end(),
    );
  });

  private constructor(dir: TempDir, helm: string) {
    this.#dir = dir;
    this.#helm = helm;
  }

  static async start(): Promise<ChartRepository> {
    const { helm } = await ensureTools(["helm"]);
    const repository = new ChartRepository(await TempDir.make("charts"), helm);
    await new Promise<void>((resolve) => repository.#server.listen(0, "127.0.0.1", resolve));
    return repository;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  async publish(version: string): Promise<void> {
    const source = this.#dir.at(join("source", version, "web"));
    await mkdir(join(source, "templates"), { recursive: true });
    await writeFile(join(source, "Chart.yaml"), `apiVersion: v2\nname: web\nversion: ${version}\n`);
    const map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  value: {{ .Chart.Version }}\n";
    await writeFile(join(source, "templates", "map.yaml"), map);
    const env = { PATH: process.env["PATH"], HOME: this.#dir.path };
    await run(this.#helm, ["package", source, "--destination", this.#dir.at("served")], { env });
    await run(this.#helm, ["repo", "index", this.#dir.at("served")], { env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#dir[Symbol.asyncDispose]();
  }
}
