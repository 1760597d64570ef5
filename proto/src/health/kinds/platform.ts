import type { RuleText } from "../rule.ts";
import { byCondition, byWord, type KindTable, ready, waitingForSpec } from "./shapes.ts";

const contour = (message: string): RuleText => `${waitingForSpec.replace("unseen", "behind")}
  Healthy "${message}" if Valid=True
  Healthy "what it includes cannot be judged from here" if .spec.includes & Valid=False
  Degraded "${message}" if Valid=False
  Progressing "{.status.description}"`;

const gloo = `Healthy "accepted" if .status.statuses[*].state=Accepted,1
  Degraded "{.status.statuses[*].reason}" if .status.statuses[*].state=Warning,Rejected,2,3
  Suspended "not validated yet" if .status.statuses[*].state=Pending,0
  Healthy "accepted" if .status.state=Accepted,1
  Degraded "{.status.reason}" if .status.state=Warning,Rejected,2,3
  Suspended "not validated yet" if .status.state=Pending,0
  Progressing "not processed yet"`;

const istio = `${waitingForSpec.replace("unseen", "behind")}
  Degraded "{.status.validationMessages[*].documentationUrl}" if .status.validationMessages[*].level=ERROR
  Degraded if Reconciled=False
  Degraded if Ready=False
  Healthy`;

const openshift = `Degraded if Degraded=True
  Progressing if Progressing=True
  Healthy if Available=True
  Degraded if Available=False
  Progressing "waiting for its first status"`;

const knativeOperator = `Progressing if *=Unknown
  Progressing if DeploymentsAvailable=False
  Progressing if Ready=False
  Healthy if InstallSucceeded=True & Ready=True
  Degraded if *=*
  Progressing "waiting to be installed"`;

/** Knative: all conditions must be True; one that is False is a failure. */
const knative = `${waitingForSpec.replace("unseen", "behind")}
  Degraded "{type}: {reason}: {message}" if *=False
  Progressing "{type}: {reason}: {message}" if *=Unknown
  Healthy if Ready=True
  Progressing "waiting for its first status"`;

/** Networks, scaling, what watches over things, and OpenShift. */
export const platform: KindTable = {
  "keda.sh": {
    ScaledObject: `Degraded if Fallback=True
      Degraded if Ready=False
      Suspended if Ready=True & Paused=True
      Healthy if Ready=True
      Progressing "waiting for its autoscaler"`,
    ScaledJob: `Degraded if Ready=False,Unknown
      Suspended if Ready=True & Paused=True
      Healthy if Ready=True
      Progressing "waiting for its first status"`,
    "TriggerAuthentication,ClusterTriggerAuthentication": "Healthy",
  },
  "eventing.keda.sh": { "*": "Healthy" },
  "networking.istio.io": { "*": istio },
  "security.istio.io": { "*": istio },
  "telemetry.istio.io": { "*": istio },
  "extensions.istio.io": { "*": istio },
  "install.istio.io": {
    IstioOperator: `Healthy if .status.status=3,HEALTHY
      Degraded "a component is in error" if .status.status=4,ERROR
      Unknown "no component is installed" if .status.status=0,NONE
      Progressing "components are being installed" if .status.status
      Progressing "waiting for its first status"`,
  },
  "sailoperator.io": {
    "*": `Degraded if Reconciled=False
      Degraded if Ready=False
      Healthy if Ready=True
      Progressing "waiting for its first status"`,
  },
  "gateway.networking.k8s.io": {
    GatewayClass: `${byCondition("Accepted").replace("Degraded", `Progressing "waiting for the controller to see the newest spec" if stale:Accepted=*\nDegraded`)}`,
    ReferenceGrant: "Healthy",
  },
  "gateway.envoyproxy.io": {
    "EnvoyProxy,Backend": `Degraded if Accepted=False
      Healthy`,
  },
  "serving.knative.dev": { "Service,Route,Configuration,Revision,DomainMapping": knative },
  "eventing.knative.dev": { "*": knative },
  "messaging.knative.dev": { "*": knative },
  "sources.knative.dev": { "*": knative },
  "flows.knative.dev": { "*": knative },
  "operator.knative.dev": { "KnativeServing,KnativeEventing": knativeOperator },
  "serving.kserve.io": {
    InferenceService: `Suspended "stopped" if Stopped=True
      Degraded "{.status.modelStatus.lastFailureInfo.message}" if .status.modelStatus.transitionStatus=BlockedByFailedLoad,InvalidSpec
      Progressing "the model is {.status.modelStatus.transitionStatus}" if .status.modelStatus.transitionStatus=InProgress
      Progressing "{type}: {message}" if !Stopped=False & *=False,Unknown
      Healthy if Ready=True
      Progressing "{type}: {message}" if *=Unknown
      Progressing "waiting for its first status"`,
  },
  "monitoring.coreos.com": {
    "Prometheus,Alertmanager,PrometheusAgent,ThanosRuler": `Suspended "paused by spec.paused" if .spec.paused=true & !Available=True
      Degraded if Reconciled=False
      Healthy if Available=True
      Progressing if Available=*@SomePodsNotReady
      Degraded if Available=*
      Progressing "waiting for its first status"`,
    "ServiceMonitor,PodMonitor,Probe,PrometheusRule,ScrapeConfig,AlertmanagerConfig": `Degraded "{reason}: {message}" if .status.bindings[*].conditions:Accepted=False
      Healthy`,
  },
  "opentelemetry.io": { "Instrumentation,OpAMPBridge": "Healthy" },
  "operator.victoriametrics.com": {
    "*": `${waitingForSpec.replace("unseen", "behind")}
      Healthy if .status.updateStatus=operational
      Suspended "{.status.reason}" if .status.updateStatus=paused
      Degraded "{.status.reason}" if .status.updateStatus=failed
      Progressing "{.status.reason}"`,
  },
  "grafana.integreatly.org": {
    Grafana: `Degraded "failed at stage {.status.stage}: {.status.lastMessage}" if .status.stageStatus=failed
      Healthy if .status.stage=complete & .status.stageStatus=success
      Progressing "stage {.status.stage}"`,
    GrafanaDatasource: `Degraded "no Grafana matches its selector" if .status.NoMatchingInstances=true
      Healthy if .status.uid!=''
      Healthy "synchronized" if DatasourceSynchronized=True
      Degraded if *=False
      Healthy if .status & !.status.uid
      Progressing`,
    "*": `Degraded if *=False
      Healthy if *=True
      Progressing "waiting for its first status"`,
  },
  "grafana-org-operator.kubitus-project.gitlab.io": { "*": ready },
  "kiali.io": {
    Kiali: `Healthy if Successful=True
      Degraded if Failure=True
      Progressing if Running=*
      Progressing "waiting for its first status"`,
  },
  "jaegertracing.io": { Jaeger: byWord(".status.phase", { Healthy: "Running", Degraded: "Failed" }) },
  "datadoghq.com": {
    DatadogMetric: `Degraded "{reason}: {message}" if Error=True
      Degraded if Valid=False
      Healthy`,
  },
  "coralogix.com": { "Alert,RecordingRuleGroupSet": byCondition("RemoteSynced") },
  "core.humio.com": {
    HumioCluster: `Healthy "{.status.message}" if .status.state=Running
      Degraded "{.status.message}" if .status.state=ConfigError
      Unknown "{.status.message}" if .status.state=Unknown
      Progressing "{.status.state}: {.status.message}"`,
    "*": `Healthy "{.status.state}" if .status.state=Exists
      Missing "it is not there in Humio" if .status.state=NotFound
      Degraded "{.status.state}" if .status.state=ConfigError
      Unknown "{.status.state}" if .status.state=Unknown
      Progressing "{.status.state}"`,
  },
  "gateway.solo.io": { "*": gloo },
  "gloo.solo.io": { "*": gloo },
  "projectcontour.io": { HTTPProxy: contour("{.status.description}"), ExtensionService: contour("{message}") },
  "nmstate.io": {
    NodeNetworkConfigurationPolicy: `Healthy if Available=True
      Degraded if Degraded=True
      Progressing if Progressing=True
      Suspended if Ignored=True
      Progressing "not applied yet"`,
  },
  "proclaim.dogmatiq.io": {
    DNSSDServiceInstance: `Degraded if Adopted=False
      Degraded if Advertised=*@AdvertiseError,UnadvertiseError
      Unknown if Discoverable=*@DiscoveryError
      Healthy if Discoverable=True
      Progressing if Discoverable=*
      Progressing "not advertised yet"`,
  },
  "operator.openshift.io": {
    IngressController: `Degraded if Degraded=True
      Progressing if DeploymentReplicasAllAvailable=False
      Progressing if Progressing=True
      Healthy if Available=True
      Progressing "waiting for its first status"`,
    "*": openshift,
  },
  "config.openshift.io": { ClusterOperator: openshift },
  "apps.openshift.io": {
    DeploymentConfig: `Healthy if .status.replicas=0 & *=*
      Progressing if Available=True & !Progressing=True@NewReplicationControllerAvailable
      Progressing if !Available=True & Progressing=True@NewReplicationControllerAvailable
      Healthy if Available=True
      Degraded if Available=*
      Degraded if *=*
      Progressing "no replication controller yet"`,
  },
  "route.openshift.io": {
    Route: `Degraded "{reason}: {message}" if .status.ingress[*].conditions:Admitted=False
      Progressing "not admitted by every router yet" if .status.ingress[*].conditions:Admitted!=True
      Healthy if .status.ingress[*].conditions:Admitted=True
      Progressing "not admitted yet"`,
  },
  "operators.coreos.com": {
    ClusterServiceVersion: `Healthy "{.status.message}" if .status.phase=Succeeded
      Degraded "{.status.reason}: {.status.message}" if .status.phase=Failed
      Progressing "{.status.reason}: {.status.message}"`,
    InstallPlan: `Degraded "{.status.message}" if .status.phase=Failed
      Healthy if .status.phase=Complete
      Suspended "waits for approval" if .spec.approved=false
      Progressing "{.status.phase}"`,
    CatalogSource: `Healthy if .status.connectionState.lastObservedState=READY
      Degraded "{.status.message}" if .status.connectionState.lastObservedState=TRANSIENT_FAILURE
      Progressing "{.status.connectionState.lastObservedState}"`,
    "OperatorGroup,OperatorCondition,OLMConfig": "Healthy",
  },
  "metallb.io": { "*": "Healthy" },
  "externaldns.k8s.io": {
    DNSEndpoint: `${waitingForSpec}
      Healthy`,
  },
  // Too few pods are the workload's own news: what cannot be computed is the budget's.
  policy: {
    PodDisruptionBudget: `${waitingForSpec.replace("unseen", "behind")}
      Degraded "{reason}: {message}" if DisruptionAllowed=False@!InsufficientPods
      Healthy if DisruptionAllowed=*
      Healthy if .status.observedGeneration
      Progressing "waiting for its first status"`,
  },
  "autoscaling.k8s.io": {
    VerticalPodAutoscaler: `Degraded if ConfigUnsupported=True
      Degraded if ConfigDeprecated=True
      Degraded if NoPodsMatched=True
      Healthy if RecommendationProvided=True
      Progressing "no recommendation yet"`,
  },
};
