/** A kind that a cluster serves. */
export interface Kind {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Whether `status` is a subresource: written apart from the rest. */
  readonly status: boolean;
}

// group/version: Kind plural, with ! for cluster-scoped and * for a status subresource
const builtin = `
v1: Namespace namespaces!*, ConfigMap configmaps, Secret secrets, Service services*, ServiceAccount serviceaccounts,
  Pod pods*, Event events, PersistentVolumeClaim persistentvolumeclaims*, PersistentVolume persistentvolumes!*,
  Node nodes!*, Endpoints endpoints, LimitRange limitranges, ResourceQuota resourcequotas*,
  ReplicationController replicationcontrollers*, PodTemplate podtemplates
apps/v1: Deployment deployments*, StatefulSet statefulsets*, DaemonSet daemonsets*, ReplicaSet replicasets*,
  ControllerRevision controllerrevisions
batch/v1: Job jobs*, CronJob cronjobs*
networking.k8s.io/v1: Ingress ingresses*, NetworkPolicy networkpolicies, IngressClass ingressclasses!
rbac.authorization.k8s.io/v1: Role roles, RoleBinding rolebindings, ClusterRole clusterroles!,
  ClusterRoleBinding clusterrolebindings!
policy/v1: PodDisruptionBudget poddisruptionbudgets*
autoscaling/v2: HorizontalPodAutoscaler horizontalpodautoscalers*
storage.k8s.io/v1: StorageClass storageclasses!, CSIDriver csidrivers!
scheduling.k8s.io/v1: PriorityClass priorityclasses!
coordination.k8s.io/v1: Lease leases
discovery.k8s.io/v1: EndpointSlice endpointslices
apiextensions.k8s.io/v1: CustomResourceDefinition customresourcedefinitions!*
apiregistration.k8s.io/v1: APIService apiservices!*
admissionregistration.k8s.io/v1: ValidatingWebhookConfiguration validatingwebhookconfigurations!,
  MutatingWebhookConfiguration mutatingwebhookconfigurations!,
  ValidatingAdmissionPolicy validatingadmissionpolicies!*,
  ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings!`;

/** The kinds that every cluster serves from its start. */
export const builtinKinds: readonly Kind[] = builtin
  .replaceAll(",\n", ",")
  .trim()
  .split("\n")
  .flatMap((line) => {
    const [groupVersion = "", list = ""] = line.split(/:(.*)/);
    const [version = "", group = ""] = groupVersion.split("/").reverse();
    return list.split(",").map((entry) => parseKind(group, version, entry.trim()));
  });

function parseKind(group: string, version: string, entry: string): Kind {
  const [kind = "", marked = ""] = entry.split(/\s+/);
  const plural = marked.replace(/[!*]/g, "");
  return { group, version, kind, plural, namespaced: !marked.includes("!"), status: marked.includes("*") };
}

/** `apiVersion` of a kind's objects. */
export function apiVersionOf(kind: Pick<Kind, "group" | "version">): string {
  return kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
}

/** `group/version/plural`: a kind's key. */
export function kindKey(kind: Pick<Kind, "group" | "version" | "plural">): string {
  return `${kind.group}/${kind.version}/${kind.plural}`;
}

interface CrdSpec {
  readonly group: string;
  readonly scope: string;
  readonly names: { readonly kind: string; readonly plural: string };
  readonly versions: readonly {
    readonly name: string;
    readonly served?: boolean;
    readonly subresources?: { readonly status?: object };
  }[];
}

/** The kinds that a CustomResourceDefinition adds, one for each served version. */
export function kindsOfCrd(spec: unknown): Kind[] {
  const { group, scope, names, versions } = spec as CrdSpec;
  return versions
    .filter((version) => version.served !== false)
    .map((version) => ({
      group,
      version: version.name,
      kind: names.kind,
      plural: names.plural,
      namespaced: scope === "Namespaced",
      status: version.subresources?.status !== undefined,
    }));
}
