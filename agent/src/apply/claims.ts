import { isMap } from "../drift/compare.ts";
import { type KubeObject, kindOf } from "../inventory/object.ts";

/** Another tool's mark on a live object, and what tells whether that tool's own deletion would delete the object. */
export interface Claim {
  /** `Argo CD application argocd/shop`: equal texts are one claim. */
  readonly text: string;
  readonly tool: "argocd" | "kustomization" | "helmrelease" | "helm";
  /** What would delete it: a custom resource of any served version, or a Helm release's records. */
  readonly owner: { readonly group: string; readonly kind: string; readonly namespace: string; readonly name: string };
}

const trackingId = "argocd.argoproj.io/tracking-id";
const instanceLabel = "app.kubernetes.io/instance";

/** Marks that other tools put on what they manage; they go when the object is taken over. */
export const claimMarks = {
  annotations: [trackingId, "argocd.argoproj.io/installation-id", "kubectl.kubernetes.io/last-applied-configuration"],
  labels: [
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
    "helm.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/namespace",
  ],
} as const;

/** The claims on a live object. */
export function claimsOf(live: KubeObject): readonly Claim[] {
  const { labels = {}, annotations = {} } = live.metadata;
  return [
    ...argoClaim(live),
    ...fluxClaim(labels, "kustomize.toolkit.fluxcd.io", "Kustomization", "kustomization"),
    ...fluxClaim(labels, "helm.toolkit.fluxcd.io", "HelmRelease", "helmrelease"),
    ...helmClaim(labels, annotations),
  ];
}

/** Claims for people, or an empty text. */
export function claimsText(live: KubeObject): string {
  return claimsOf(live)
    .map(({ text }) => text)
    .join(" and ");
}

/**
 * `app:group/Kind:namespace/name`, or with a namespace before the app as `ns_app`. One that names another object was copied
 * by somebody and claims nothing.
 */
function argoClaim(live: KubeObject): readonly Claim[] {
  const id = live.metadata.annotations?.[trackingId];
  const match = /^([^:]+):([^/:]*)\/([^:]+):([^/]*)\/(.+)$/.exec(id ?? "");
  if (match === null) return argoByManager(live);
  const [, app = "", group, kind, , name] = match;
  const own = kindOf(live);
  if (group !== own.group || kind !== own.kind || name !== live.metadata.name) return [];
  return [argo(app)];
}

/** Argo CD tracks by label too; then only its own field manager tells its label from anybody's. */
function argoByManager(live: KubeObject): readonly Claim[] {
  const name = live.metadata.labels?.[instanceLabel];
  const byArgo = (live.metadata.managedFields ?? []).some(({ manager = "" }) => manager.startsWith("argocd-"));
  return name === undefined || !byArgo ? [] : [argo(name)];
}

function argo(app: string): Claim {
  const cut = app.indexOf("_");
  const namespace = cut < 0 ? "argocd" : app.slice(0, cut);
  const name = app.slice(cut + 1);
  const owner = { group: "argoproj.io", kind: "Application", namespace, name };
  return { text: `Argo CD application ${namespace}/${name}`, tool: "argocd", owner };
}

function fluxClaim(
  labels: Readonly<Record<string, string>>,
  group: string,
  kind: string,
  tool: "kustomization" | "helmrelease",
): readonly Claim[] {
  const name = labels[`${group}/name`];
  const namespace = labels[`${group}/namespace`];
  if (name === undefined || namespace === undefined) return [];
  return [{ text: `Flux ${kind} ${namespace}/${name}`, tool, owner: { group, kind, namespace, name } }];
}

function helmClaim(
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>>,
): readonly Claim[] {
  const name = annotations["meta.helm.sh/release-name"];
  const namespace = annotations["meta.helm.sh/release-namespace"];
  if (labels["app.kubernetes.io/managed-by"] !== "Helm" || name === undefined || namespace === undefined) return [];
  return [
    { text: `Helm release ${namespace}/${name}`, tool: "helm", owner: { group: "", kind: "Secret", namespace, name } },
  ];
}

/** What would have to be done first, where deleting the claim's owner would delete the object; undefined: it would not. */
export function deadlyReason(claim: Claim, owner: KubeObject): string | undefined {
  const spec = isMap(owner["spec"]) ? owner["spec"] : {};
  switch (claim.tool) {
    case "argocd": {
      const cascades = (owner.metadata.finalizers ?? []).some((one) =>
        one.startsWith("resources-finalizer.argocd.argoproj.io"),
      );
      return cascades
        ? "it has a resources finalizer: switch its sync off and take that finalizer off, or delete it with --cascade=orphan"
        : undefined;
    }
    case "kustomization":
      return spec["prune"] === true && spec["suspend"] !== true && spec["deletionPolicy"] !== "Orphan"
        ? "it prunes: suspend it, or set its deletionPolicy to Orphan"
        : undefined;
    case "helmrelease":
      return spec["suspend"] === true ? undefined : "it would uninstall its release: suspend it first";
    case "helm":
      return "`helm uninstall` would delete it: delete the release's records (Secrets with owner=helm), which leaves its objects";
  }
}
