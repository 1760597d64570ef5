import type { JsonValue } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { type ClusterId, Fault } from "@capstan/proto";
import type { Json } from "../documents/model.ts";
import { toYaml } from "../yaml/write.ts";
import type { ApplyItem } from "./port.ts";

/** Everything that an agent's installation depends on. */
export interface Installation {
  readonly cluster: ClusterId;
  /** Hub endpoints, `host:port`. */
  readonly hubs: readonly string[];
  /** A join token's text. */
  readonly token: string;
  readonly image: string;
  /** HTTP proxy for gRPC; the agent then reads all over gRPC. */
  readonly proxy: string | undefined;
}

const namespace = "capstan-system";
const agent = "capstan-agent";
const applier = "capstan-applier";
const partOf = { "app.kubernetes.io/part-of": "capstan" };
const labels = { "app.kubernetes.io/name": agent, ...partOf };

interface Part {
  /** What a person should know of it. */
  readonly comment: readonly string[];
  /** Collection path on the API server. */
  readonly path: string;
  readonly object: {
    readonly kind: string;
    readonly metadata: { readonly name: string; readonly [key: string]: Json };
    readonly [key: string]: Json;
  };
}

/** The installation as YAML with comments, in the order in which it must be applied. */
export function manifestYaml(installation: Installation): string {
  return partsOf(installation)
    .map(({ comment, object }) => `${comment.map((line) => `# ${line}\n`).join("")}${toYaml(object)}`)
    .join("---\n");
}

/** The installation as objects to apply one after the other. */
export function manifestItems(installation: Installation): readonly ApplyItem[] {
  return partsOf(installation).map(({ path, object }) => ({
    path: `${path}/${object.metadata.name}`,
    object: object as JsonValue,
    title: `${object.kind} ${object.metadata.name}`,
  }));
}

/**
 * Checks that the token was made for this cluster, so that it is not given to another one. Throws `token-refused`; the
 * token itself is never shown.
 */
export function checkJoinToken(text: string, cluster: ClusterId): string {
  const token = text.trim();
  const [, named] =
    /^capstan-join\.([a-z0-9-]{1,63})\.[0-9a-f]{16}\.[A-Za-z0-9_-]{43}\.[0-9a-f]{64}$/.exec(token) ?? [];
  if (named === cluster) return token;
  const found = named === undefined ? "a text of another form" : `one for ${named}`;
  throw new Fault("token-refused", {
    message: `expected a join token for ${cluster}, found ${token === "" ? "nothing" : found}.`,
    next: `Make one: capstan cluster add ${cluster}`,
  });
}

function partsOf(installation: Installation): readonly Part[] {
  return [
    {
      comment: [`Joins ${installation.cluster} to a Capstan fleet.`],
      path: "/api/v1/namespaces",
      object: namespaceObject,
    },
    ...secretParts(installation),
    ...accountParts,
    ...agentRights,
    ...applierRights,
    deployment(installation),
  ];
}

const namespaceObject = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: namespace, labels: { ...partOf, "pod-security.kubernetes.io/enforce": "restricted" } },
};

function secretParts({ cluster, hubs, token }: Installation): readonly Part[] {
  const comment = ["What the agent joins with, once. The token is used up then; the agent makes its own keys here."];
  const object = {
    apiVersion: "v1",
    kind: "Secret",
    type: "Opaque",
    metadata: { name: "capstan-join", namespace, labels: partOf },
    // Not stringData: server-side apply would keep its fields apart from those that are read.
    data: { cluster: encoded(cluster), hub: encoded(hubs.join(",")), token: encoded(token) },
  };
  return [{ comment, path: `/api/v1/namespaces/${namespace}/secrets`, object }];
}

function encoded(text: string): string {
  return base64Encode(new TextEncoder().encode(text));
}

const accountParts: readonly Part[] = [
  {
    comment: ["The agent's own account. It writes nothing outside this namespace but in another account's name."],
    path: `/api/v1/namespaces/${namespace}/serviceaccounts`,
    object: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: agent, namespace, labels } },
  },
  {
    comment: [
      "The account that applies where neither an Application's project nor the hub's config names another.",
      "To give a team less: name its own account in its AppProject (spec.destinationServiceAccounts).",
    ],
    path: `/api/v1/namespaces/${namespace}/serviceaccounts`,
    object: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: applier, namespace, labels: partOf } },
  },
];

const rbac = "rbac.authorization.k8s.io";
const account = (name: string) => ({ kind: "ServiceAccount", name, namespace });

const agentRights: readonly Part[] = [
  {
    comment: ["Inventory, last-known-good desired state and identity are Secrets of this namespace."],
    path: `/apis/${rbac}/v1/namespaces/${namespace}/roles`,
    object: {
      apiVersion: `${rbac}/v1`,
      kind: "Role",
      metadata: { name: agent, namespace, labels },
      rules: [
        {
          apiGroups: [""],
          resources: ["secrets"],
          verbs: ["get", "list", "watch", "create", "update", "patch", "delete"],
        },
      ],
    },
  },
  {
    comment: [],
    path: `/apis/${rbac}/v1/namespaces/${namespace}/rolebindings`,
    object: {
      apiVersion: `${rbac}/v1`,
      kind: "RoleBinding",
      metadata: { name: agent, namespace, labels },
      roleRef: { apiGroup: rbac, kind: "Role", name: agent },
      subjects: [account(agent)],
    },
  },
  {
    comment: [
      "Watching what it manages, and acting as the accounts that apply. To narrow it: list the kinds that targets",
      "here hold instead of `*`, and bind `impersonate` in single namespaces, with resourceNames.",
    ],
    path: `/apis/${rbac}/v1/clusterroles`,
    object: {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRole",
      metadata: { name: agent, labels },
      rules: [
        { apiGroups: ["*"], resources: ["*"], verbs: ["get", "list", "watch"] },
        { apiGroups: [""], resources: ["serviceaccounts"], verbs: ["impersonate"] },
        { nonResourceURLs: ["/version", "/api", "/api/*", "/apis", "/apis/*"], verbs: ["get"] },
      ],
    },
  },
  {
    comment: [],
    path: `/apis/${rbac}/v1/clusterrolebindings`,
    object: {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: agent, labels },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: agent },
      subjects: [account(agent)],
    },
  },
];

const applierRights: readonly Part[] = [
  {
    comment: [
      "The default applier may all, as it installs whatever Git asks for. To narrow it, bind another ClusterRole here",
      "(roleRef cannot be changed: delete this binding first), or RoleBindings in the namespaces that Git may fill.",
    ],
    path: `/apis/${rbac}/v1/clusterrolebindings`,
    object: {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: applier, labels: partOf },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "cluster-admin" },
      subjects: [account(applier)],
    },
  },
];

function deployment({ image, proxy }: Installation): Part {
  const selector = { "app.kubernetes.io/name": agent };
  const template = { metadata: { labels }, spec: podSpec(image, proxy) };
  return {
    comment: ["One agent; two would fence each other off."],
    path: `/apis/apps/v1/namespaces/${namespace}/deployments`,
    object: {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: agent, namespace, labels },
      spec: { replicas: 1, strategy: { type: "Recreate" }, selector: { matchLabels: selector }, template },
    },
  };
}

function podSpec(image: string, proxy: string | undefined): Json {
  const env = proxy === undefined ? {} : { env: [{ name: "grpc_proxy", value: proxy }, transport] };
  return {
    serviceAccountName: agent,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      fsGroup: 65_532,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name: "agent",
        image,
        args: ["run"],
        ...env,
        resources: { requests: { cpu: "50m", memory: "96Mi" }, limits: { memory: "256Mi" } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
        volumeMounts: [{ name: "join", mountPath: "/etc/capstan/join", readOnly: true }],
      },
    ],
    // Optional: once joined, the Secret may be deleted.
    volumes: [{ name: "join", secret: { secretName: "capstan-join", optional: true, defaultMode: 0o440 } }],
  };
}

/** Only gRPC goes through a proxy. */
const transport = { name: "CAPSTAN_TRANSPORT", value: "grpc" };
