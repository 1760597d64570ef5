import { byCondition, type KindTable, ready } from "./shapes.ts";

const certificate = `Progressing if Issuing=True
  ${ready}`;

/** Certificates, secrets from elsewhere, policies. */
export const security: KindTable = {
  "cert-manager.io": {
    Certificate: certificate,
    "Issuer,ClusterIssuer": ready,
    CertificateRequest: `Degraded if InvalidRequest=True
      Degraded if Denied=True
      Degraded if Ready=False@Failed,Denied
      Healthy if Ready=True
      Progressing if Ready=*
      Progressing "waiting for the condition Ready"`,
  },
  "certmanager.k8s.io": { Certificate: ready, "Issuer,ClusterIssuer": ready },
  "acme.cert-manager.io": {
    Order: `Degraded "{.status.state}: {.status.reason}" if .status.state=invalid,expired,errored
      Healthy if .status.state=valid
      Progressing "{.status.state}"`,
    Challenge: `Degraded "{.status.state}: {.status.reason}" if .status.state=invalid,expired,errored
      Healthy if .status.state=valid
      Progressing "{.status.reason}"`,
  },
  "trust.cert-manager.io": { Bundle: byCondition("Synced") },
  "policy.cert-manager.io": { CertificateRequestPolicy: ready },
  "external-secrets.io": {
    "ExternalSecret,SecretStore,ClusterSecretStore,PushSecret": ready,
    "ClusterExternalSecret,ClusterPushSecret": `Healthy if Ready=True
      Degraded if PartiallyReady=True
      Degraded if NotReady=True
      Degraded if Ready=False
      Progressing "waiting for the condition Ready"`,
  },
  "generators.external-secrets.io": { "*": "Healthy" },
  "kubernetes-client.io": {
    ExternalSecret: `Healthy if .status.status=SUCCESS
      Degraded "{.status.status}" if .status.status=ERROR*
      Progressing "{.status.status}"`,
  },
  "bitnami.com": {
    SealedSecret: byCondition("Synced"),
  },
  "secrets.hashicorp.com": {
    // The operator wrote no conditions before 0.10; then `valid`, or a MAC of what was last synced, tells.
    "VaultAuth,VaultConnection,VaultAuthGlobal,HCPAuth,SecretTransformation": `Degraded "{.status.error}" if .status.valid=false
      Degraded if Ready=False
      Degraded if Healthy=False
      Healthy if .status.valid=true
      Healthy if Ready=True
      Progressing "not validated yet"`,
    "VaultStaticSecret,VaultDynamicSecret,VaultPKISecret,HCPVaultSecretsApp,CSISecrets": `Degraded if SecretSynced=False
      Degraded if Healthy=False
      Degraded if Ready=False
      Degraded "{.status.error}" if .status.error!=''
      Healthy if SecretSynced=True
      Healthy if Ready=True
      Healthy "synced" if .status.secretMAC!=''
      Healthy "synced" if .status.lastGeneration>0
      Healthy "synced" if .status.valid=true
      Progressing "not synced yet"`,
  },
  "redhatcop.redhat.io": { "*": byCondition("ReconcileSuccessful") },
  "onepassword.com": { OnePasswordItem: ready },
  "secrets-store.csi.x-k8s.io": { "*": "Healthy" },
  "kyverno.io": {
    "Policy,ClusterPolicy": `Healthy if Ready=True
      Progressing if Ready=*
      Progressing "waiting for the condition Ready"`,
    "*": "Healthy",
  },
  "policies.kyverno.io": { "*": ready },
  "templates.gatekeeper.sh": {
    ConstraintTemplate: `Degraded "{.status.byPod[*].errors}" if .status.byPod[*].errors[*]
      Healthy if .status.created=true
      Progressing "not created yet"`,
  },
  "k8s.keycloak.org": {
    "Keycloak,KeycloakRealmImport": `Degraded if HasErrors=True
      Healthy if Ready=True
      Healthy if Done=True
      Progressing if Ready=*
      Progressing "waiting for its first status"`,
  },
  "iammanager.keikoproj.io": {
    Iamrole: `Healthy if .status.state=Ready
      Degraded "{.status.state}: {.status.errorDescription}" if .status.state=Error,RolesMaxLimitReached,PolicyNotAllowed,RoleNameNotAvailable
      Progressing "{.status.state}"`,
  },
  "networking.gke.io": {
    ManagedCertificate: `Degraded "a domain is not visible from outside" if .status.domainStatus[*].status=FailedNotVisible
      Healthy if .status.certificateStatus=Active
      Progressing "{.status.certificateStatus}"`,
  },
  "microgateway.airlock.com": {
    "*": "Healthy",
    // `*Policy` is read in code: attached.ts
  },
  "aquasecurity.github.io": { "*": "Healthy" },
  "cilium.io": {
    "CiliumNetworkPolicy,CiliumClusterwideNetworkPolicy": `Degraded if Valid=False
      Healthy`,
    "*": "Healthy",
  },
  "projectcalico.org": { "*": "Healthy" },
  "operator.tigera.io": {
    "*": `Degraded if Degraded=True
      Progressing if Progressing=True
      Healthy if Available=True
      Healthy if Ready=True
      Healthy if !.status
      Progressing`,
  },
};
