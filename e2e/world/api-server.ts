import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { needTool, type Tools } from "../toolchain/tools.ts";
import { type KubeAccess, KubeClient, type KubeObject } from "./kube-client.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import { freePorts } from "./ports.ts";
import { Child, type RunResult, run, runOrThrow } from "./process.ts";
import { TempDir } from "./temp.ts";
import { until } from "./wait.ts";

/** A real control plane to start. */
export interface ApiServerInit {
  readonly tools: Tools;
  /** Shows in paths, logs and as the context's name. */
  readonly name?: string;
  /** Also run kube-controller-manager: garbage collection, ending namespaces, ReplicaSets and Pods (never ready). */
  readonly controllerManager?: boolean;
  /** More flags for kube-apiserver. */
  readonly flags?: readonly string[];
}

const issuer = "https://kubernetes.default.svc";

/** A real etcd and kube-apiserver on 127.0.0.1, with RBAC and ServiceAccount tokens; several fit side by side. */
export class ApiServer implements AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly adminToken = randomBytes(16).toString("hex");
  readonly #init: ApiServerInit;
  readonly #dir: TempDir;
  readonly #ports: { readonly api: number; readonly etcd: number; readonly peer: number };
  readonly #children: { etcd?: Child; api?: Child; manager?: Child } = {};
  #caData = "";

  private constructor(init: ApiServerInit, dir: TempDir, ports: [number, number, number]) {
    this.#init = init;
    this.#dir = dir;
    this.name = init.name ?? "real";
    this.#ports = { api: ports[0], etcd: ports[1], peer: ports[2] };
    this.url = `https://127.0.0.1:${ports[0]}`;
  }

  /** Starts it and waits until it serves and kube-system is there (about 3 s). */
  static async start(init: ApiServerInit): Promise<ApiServer> {
    const dir = await TempDir.make(`api-${init.name ?? "real"}`);
    const [api = 0, etcd = 0, peer = 0] = await freePorts(3);
    const self = new ApiServer(init, dir, [api, etcd, peer]);
    try {
      await self.#writeKeys();
      await self.#startEtcd();
      await self.#startApi();
      await self.#finishStart();
      return self;
    } catch (error) {
      await self[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** PEM of the certificate that the server shows, with its own issuer. */
  get caData(): string {
    return this.#caData;
  }

  get caFile(): string {
    return this.#dir.at("certs", "apiserver.crt");
  }

  /** Path of a kubeconfig with all rights. */
  get kubeconfig(): string {
    return this.#dir.at("admin.kubeconfig");
  }

  get admin(): KubeAccess {
    return { url: this.url, caData: this.#caData, token: this.adminToken };
  }

  /** The programs that run now, for logs and figures. */
  get children(): readonly Child[] {
    return Object.values(this.#children);
  }

  /** UID of kube-system: the cluster's incarnation. */
  async uid(): Promise<string> {
    using client = new KubeClient(this.admin);
    return (await client.get("/api/v1/namespaces/kube-system"))?.metadata.uid ?? "";
  }

  /** A fresh token of a ServiceAccount, as the kubelet would mount it. */
  async tokenFor(namespace: string, serviceAccount: string, seconds = 3_600): Promise<string> {
    using client = new KubeClient(this.admin);
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
    const body = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: seconds, audiences: [issuer] },
    };
    const answer = (await client.create(path, body)) as KubeObject & { readonly status?: { readonly token?: string } };
    if (answer.status?.token === undefined) throw new Error(`no token for ${namespace}/${serviceAccount}`);
    return answer.status.token;
  }

  /** A kubeconfig with another token, and another address where a proxy stands in between. */
  kubeconfigFor(name: string, token: string, url = this.url): Promise<string> {
    return writeKubeconfig(this.#dir.at(`${name}.kubeconfig`), name, { url, caData: this.#caData, token });
  }

  /** kubectl with all rights; throws with its output when it fails. */
  kubectl(args: readonly string[], input = ""): Promise<string> {
    return runOrThrow(this.#kubectl(args, input));
  }

  /** As `kubectl`, and a failure is a result. */
  tryKubectl(args: readonly string[], input = ""): Promise<RunResult> {
    return run(this.#kubectl(args, input));
  }

  /** Kills kube-apiserver; etcd keeps the data. */
  async kill(): Promise<void> {
    await this.#children.api?.kill();
  }

  /** Kills etcd and kube-apiserver both. */
  async killAll(): Promise<void> {
    await Promise.all([this.#children.api?.kill(), this.#children.etcd?.kill()]);
  }

  /** Starts again what was killed, on the same ports and data. */
  async restart(): Promise<void> {
    if (this.#children.etcd?.running !== true) await this.#startEtcd();
    if (this.#children.api?.running !== true) await this.#startApi();
    await this.#ready();
  }

  /** Stops kube-apiserver where it stands; connections stay open. */
  pause(): void {
    this.#children.api?.pause();
  }

  resume(): void {
    this.#children.api?.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { manager, api, etcd } = this.#children;
    for (const child of [manager, api, etcd]) await child?.[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }

  #kubectl(args: readonly string[], input: string) {
    return {
      name: "kubectl",
      binary: this.#init.tools.kubectl,
      args: ["--kubeconfig", this.kubeconfig, "--cache-dir", this.#dir.at("kubectl"), ...args],
      env: { HOME: this.#dir.path, PATH: "/usr/bin:/bin" },
      input,
    };
  }

  async #writeKeys(): Promise<void> {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await writeFile(this.#dir.at("sa.key"), privateKey.export({ type: "sec1", format: "pem" }), { mode: 0o600 });
    await writeFile(this.#dir.at("sa.pub"), publicKey.export({ type: "spki", format: "pem" }));
    await writeFile(this.#dir.at("tokens.csv"), `${this.adminToken},admin,admin,system:masters\n`, { mode: 0o600 });
  }

  async #startEtcd(): Promise<void> {
    const { etcd, peer } = this.#ports;
    const client = `http://127.0.0.1:${etcd}`;
    this.#children.etcd = await Child.start({
      name: `etcd ${this.name}`,
      binary: needTool(this.#init.tools, "etcd"),
      args: [
        `--data-dir=${this.#dir.at("etcd")}`,
        `--listen-client-urls=${client}`,
        `--advertise-client-urls=${client}`,
        `--listen-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-cluster=default=http://127.0.0.1:${peer}`,
        "--unsafe-no-fsync",
        "--log-level=error",
      ],
      logFile: this.#dir.at("etcd.log"),
    });
  }

  async #startApi(): Promise<void> {
    const at = (...parts: string[]) => this.#dir.at(...parts);
    this.#children.api = await Child.start({
      name: `kube-apiserver ${this.name}`,
      binary: needTool(this.#init.tools, "kubeApiserver"),
      args: [
        `--etcd-servers=http://127.0.0.1:${this.#ports.etcd}`,
        `--cert-dir=${at("certs")}`,
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        `--secure-port=${this.#ports.api}`,
        "--service-cluster-ip-range=10.0.0.0/16",
        "--endpoint-reconciler-type=none",
        "--authorization-mode=RBAC",
        `--token-auth-file=${at("tokens.csv")}`,
        `--service-account-issuer=${issuer}`,
        `--service-account-key-file=${at("sa.pub")}`,
        `--service-account-signing-key-file=${at("sa.key")}`,
        // Without kube-controller-manager nobody makes the default account that this plugin would demand of a Pod.
        ...(this.#init.controllerManager === true ? [] : ["--disable-admission-plugins=ServiceAccount"]),
        ...(this.#init.flags ?? []),
      ],
      env: { HOME: this.#dir.path },
      logFile: at("kube-apiserver.log"),
    });
  }

  async #finishStart(): Promise<void> {
    const api = this.#children.api;
    await api?.ready("its certificate", async () => (await readFile(this.caFile, "utf8")).includes("END"), 20_000);
    this.#caData = await readFile(this.caFile, "utf8");
    await writeKubeconfig(this.kubeconfig, this.name, this.admin);
    await this.#ready();
    if (this.#init.controllerManager === true) await this.#startManager();
  }

  async #ready(): Promise<void> {
    await this.#children.api?.ready("readyz", () => this.#serves(), 40_000);
  }

  async #serves(): Promise<boolean> {
    using client = new KubeClient(this.admin);
    const ready = await client.send("GET", "/readyz");
    if (ready.status !== 200) return false;
    return (await client.get("/api/v1/namespaces/kube-system")) !== undefined;
  }

  async #startManager(): Promise<void> {
    this.#children.manager = await Child.start({
      name: `kube-controller-manager ${this.name}`,
      binary: needTool(this.#init.tools, "kubeControllerManager"),
      args: [
        `--kubeconfig=${this.kubeconfig}`,
        "--leader-elect=false",
        "--secure-port=0",
        `--service-account-private-key-file=${this.#dir.at("sa.key")}`,
        `--root-ca-file=${this.caFile}`,
        // There are no nodes: their controllers would only evict what the test places.
        "--controllers=*,-node-lifecycle-controller,-node-ipam-controller,-cloud-node-lifecycle-controller,-pod-garbage-collector-controller",
      ],
      env: { HOME: this.#dir.path },
      logFile: this.#dir.at("kube-controller-manager.log"),
    });
    using client = new KubeClient(this.admin);
    const account = "/api/v1/namespaces/default/serviceaccounts/default";
    await until("kube-controller-manager at work", () => client.get(account), 30_000);
  }
}
