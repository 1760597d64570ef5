import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { TempDir } from "../world/temp.ts";
import { notYet, until } from "../world/wait.ts";
import { atOnce, Scenario, simulated } from "./scenario.ts";

const token = "ghp_0123456789";

/** A Git host's API on this machine: its open pull requests, and whether it works. */
class Host implements AsyncDisposable {
  readonly #server = createServer((request, response) => {
    this.asked += 1;
    const known = request.headers.authorization === `Bearer ${token}`;
    const here = request.url?.startsWith("/api/v3/repos/acme/shop/pulls") === true;
    response.statusCode = this.broken ? 503 : !known ? 401 : here ? 200 : 404;
    response.end(JSON.stringify(response.statusCode === 200 ? this.open.map(pull) : {}));
  });
  open: readonly number[] = [];
  broken = false;
  asked = 0;

  static async start(): Promise<Host> {
    const host = new Host();
    await new Promise<void>((resolve) => host.#server.listen(0, "127.0.0.1", resolve));
    return host;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function pull(number: number) {
  return { number, title: `change ${number}`, head: { ref: `feat/${number}`, sha: "c0ffee00" }, base: { ref: "main" } };
}

/** A preview of each open pull request on cluster c-01. */
const previews = (repoURL: string, api: string) => `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: previews
  namespace: argocd
  annotations: { capstan.dev/ephemeral: "true" }
spec:
  goTemplate: true
  generators:
    - pullRequest:
        github: { owner: acme, repo: shop, api: "${api}", tokenRef: { secretName: github, key: token } }
        requeueAfterSeconds: 1
  template:
    metadata: { name: "preview-{{ .number }}" }
    spec:
      project: any
      source: { repoURL: "${repoURL}", targetRevision: main, path: apps/shop }
      destination: { name: c-01, namespace: "{{ .branch_slug }}" }
      syncPolicy: { automated: { prune: true, selfHeal: true }, syncOptions: [CreateNamespace=true] }
`;

test("previews follow their pull requests; a host that fails, and a hub that restarts meanwhile, remove none", async (context) => {
  await using host = await Host.start();
  host.open = [7, 8];
  await using secrets = await TempDir.make("secrets");
  await writeFile(secrets.at("token"), `${token}\n`, { mode: 0o600 });
  const github = { name: "github", keys: { token: { file: secrets.at("token") } }, servers: [host.url] };
  await using scenario = await Scenario.start(context, {
    clusters: simulated(2),
    config: { ...atOnce, generators: { secrets: [github] } },
    files: (repoURL) => ({ "argocd/previews.yaml": previews(repoURL, host.url) }),
  });
  // Two targets of the fleet's own set, and two previews.
  await scenario.settled(4, 30_000);

  host.open = [8];
  await scenario.settled(3, 30_000);

  host.broken = true;
  const condition = await scenario.complaint("previews", /answered 503.* last complete listing, of \d{4}-/, 60_000);
  assert.doesNotMatch(condition, new RegExp(token));
  await scenario.settled(3);

  await scenario.world.hub.kill();
  await scenario.world.hub.restart();
  const asked = host.asked;
  await until(
    "the new hub to ask the host that fails",
    async () => host.asked > asked + 2 || notYet(host.asked),
    60_000,
  );
  await scenario.settled(3, 30_000);

  host.broken = false;
  host.open = [8, 9];
  await scenario.settled(4, 60_000);
  host.open = [];
  await scenario.settled(2, 60_000);
});
