import type { RuleText } from "../rule.ts";
import { byCondition, byWord, type KindTable, ready, waitingForSpec } from "./shapes.ts";

/** Crossplane: a failed sync or a failed last operation counts even while the outside thing still works. */
const crossplane: RuleText = `Suspended if Synced=False@ReconcilePaused
  Degraded if LastAsyncOperation=False
  Degraded if Synced=False
  Healthy if Ready,Healthy,Offered,Established,ValidPipeline,RevisionHealthy=True
  Progressing if Ready,Healthy=False,Unknown
  Progressing "being provisioned"`;

const crossplaneSettings: RuleText = `Degraded if *=False
  Healthy`;

/** The classic AWS provider says `Ready=False` while it creates, and shows an error in `Synced`. */
const crossplaneAws: RuleText = `Suspended if Synced=False@ReconcilePaused
  Healthy if Synced=True & Ready=True
  Progressing if Synced=True & Ready=False,Unknown
  Progressing "waiting to become available" if Synced=True & !Ready=*
  Degraded if Synced=*
  Degraded if Ready=*
  Progressing "waiting to be created"`;

const crossplanePackage: RuleText = `Degraded if Installed=False
  Degraded if Healthy=False
  Healthy "installed and healthy" if Installed=True & Healthy=True
  Degraded if Installed=True & Healthy=Unknown
  Degraded "installed, and says nothing of its health" if Installed=True
  Degraded if *=*
  Progressing "waiting to be installed"`;

const clusterApi = (running: string): RuleText => `Suspended "paused by spec.paused" if .spec.paused=true
  Degraded "{.status.failureReason}: {.status.failureMessage}" if .status.phase=Failed
  Healthy "{.status.phase}" if .status.phase=${running}
  Progressing "{.status.phase}: {message}" if .status.phase & Ready=False
  Progressing "{.status.phase}"`;

/** Clusters, clouds, machines and their storage. */
export const clouds: KindTable = {
  "pkg.crossplane.io": {
    "Provider,Configuration,Function": crossplanePackage,
    "ProviderRevision,ConfigurationRevision,FunctionRevision": `Degraded if Healthy=False
      Degraded if RevisionHealthy=False
      Healthy if Healthy=True
      Healthy if RevisionHealthy=True
      Progressing "waiting to be installed"`,
    "ControllerConfig,DeploymentRuntimeConfig,ImageConfig,Lock": crossplaneSettings,
  },
  "apiextensions.crossplane.io": {
    CompositeResourceDefinition: `Degraded if Established=False@TerminatingComposite*
      Degraded if Synced=False
      Healthy if Established=True
      Healthy if Offered=True
      Progressing if Established=*
      Progressing "waiting for its API to be served"`,
    "Composition,CompositionRevision,EnvironmentConfig,Usage": `Degraded if ValidPipeline=False
      Healthy`,
  },
  "cloudfront.aws.crossplane.io": { Distribution: crossplaneAws },
  "iam.aws.crossplane.io": { "*": crossplaneAws },
  "rds.aws.crossplane.io": { "*": crossplaneAws },
  "s3.aws.crossplane.io": { "*": crossplaneAws },
  "route53.aws.crossplane.io": { "*": crossplaneAws },
  "stacks.crossplane.io": {
    ClusterStackInstall: `Healthy "{.status.conditionedStatus.phase}" if .status.conditionedStatus.conditions:Ready=True
      Progressing if .status.conditionedStatus.conditions:Ready=*
      Progressing "waiting to be installed"`,
  },
  "*.crossplane.io": {
    "ProviderConfig,ClusterProviderConfig,ProviderConfigUsage,StoreConfig,ControllerConfig": crossplaneSettings,
    "*": crossplane,
  },
  "*.upbound.io": {
    "ProviderConfig,ClusterProviderConfig,ProviderConfigUsage,StoreConfig": crossplaneSettings,
    "*": crossplane,
  },
  "cluster.x-k8s.io": {
    // Ready is False with severity Info for as long as all goes well and takes its time.
    Cluster: `Suspended "paused by spec.paused" if .spec.paused=true
      Degraded if Ready=False[severity!=Info]
      Degraded "{.status.failureReason}: {.status.failureMessage}" if .status.phase=Failed
      Healthy "{.status.phase}" if .status.phase=Provisioned
      Progressing "{.status.phase}"`,
    MachineDeployment: clusterApi("Running"),
    Machine: clusterApi("Running"),
    MachineSet: `Suspended "paused by spec.paused" if .spec.paused=true
      ${waitingForSpec}
      Degraded "{.status.failureReason}: {.status.failureMessage}" if .status.failureReason!=''
      Progressing "{.status.readyReplicas} of {.spec.replicas} machines are ready" if .status.readyReplicas|0<.spec.replicas|1
      Healthy`,
    MachinePool: `Degraded "{.status.phase}: {message}" if .status.phase=Failed,Unknown & *=False
      Degraded "{.status.phase}" if .status.phase=Failed,Unknown
      Healthy "{.status.phase}" if .status.phase=Running,Scaling
      Progressing "{.status.phase}"`,
    MachineHealthCheck: `Healthy "all {.status.expectedMachines} machines are healthy" if .status.expectedMachines=.status.currentHealthy
      Degraded "{.status.currentHealthy} of {.status.expectedMachines} machines are healthy" if .status.currentHealthy
      Progressing "not evaluated yet"`,
    ClusterClass: `${waitingForSpec.replace("unseen", "behind")}
      Degraded if VariablesReconciled=False
      Degraded if RefVersionsUpToDate=False
      Healthy`,
  },
  "addons.cluster.x-k8s.io": {
    ClusterResourceSet: byCondition("ResourcesApplied"),
    HelmChartProxy: ready,
    HelmReleaseProxy: ready,
  },
  "controlplane.cluster.x-k8s.io": {
    AWSManagedControlPlane: `${waitingForSpec.replace("unseen", "behind")}
      Degraded "{.status.failureMessage}" if .status.failureMessage!=''
      Progressing if EKSControlPlaneUpdating=True
      Healthy if Ready=True
      Degraded if *=False[severity=Error]
      Progressing "the control plane is not ready"`,
    "*": `Degraded "{.status.failureMessage}" if .status.failureMessage!=''
      Healthy if Ready=True
      Healthy if Available=True
      Degraded if *=False[severity=Error]
      Progressing if Ready=False
      Progressing "waiting for its first status"`,
  },
  "infrastructure.cluster.x-k8s.io": {
    "*": `Suspended "paused by an annotation" if .metadata.annotations['cluster.x-k8s.io/paused']
      Degraded "{.status.failureReason}: {.status.failureMessage}" if .status.failureReason!=''
      Healthy if Ready=True
      Degraded if Ready=False[severity=Error]
      Healthy if .status.ready=true
      Healthy if .status.initialization.provisioned=true
      Progressing if Ready=False
      Healthy if !.status
      Progressing`,
  },
  "bootstrap.cluster.x-k8s.io": {
    "*": `Degraded "{.status.failureReason}: {.status.failureMessage}" if .status.failureReason!=''
      Healthy if Ready=True
      Healthy if .status.ready=true
      Degraded if Ready=False[severity=Error]
      Healthy if !.status
      Progressing`,
  },
  "core.gardener.cloud": {
    Shoot: `Healthy if .metadata.labels['shoot.gardener.cloud/status']=healthy
      Degraded "{.status.lastErrors[*].description}" if .metadata.labels['shoot.gardener.cloud/status']=unhealthy
      Unknown if .metadata.labels['shoot.gardener.cloud/status']=unknown
      Progressing "{.status.lastOperation.description}"`,
  },
  "karpenter.sh": {
    NodePool: ready,
    NodeClaim: `${waitingForSpec.replace("unseen", "behind")}
      Suspended if Disrupting=True
      Healthy if Ready=True
      Degraded if Ready=False
      Progressing "initialized, not ready yet" if Initialized=True
      Progressing "registered, not initialized yet" if Registered=True
      Progressing "launched, not registered yet" if Launched=True
      Progressing "not launched yet"`,
  },
  "karpenter.k8s.aws": { EC2NodeClass: ready },
  "ocs.openshift.io": {
    StorageCluster: `Degraded if Degraded=True
      Progressing if Progressing=True
      Healthy if Available=True
      Unknown "its conditions say neither"`,
  },
  "snapshot.storage.k8s.io": {
    "VolumeSnapshot,VolumeSnapshotContent": `Healthy "ready to use" if .status.readyToUse=true
      Degraded "{.status.error.message}" if .status.error
      Progressing "not ready to use yet"`,
    VolumeSnapshotClass: "Healthy",
  },
  "objectbucket.io": { ObjectBucketClaim: byWord(".status.phase", { Healthy: "Bound", Degraded: "Failed" }) },
  "ceph.rook.io": {
    CephCluster: `Progressing "waiting for its first status" if !.status
      Degraded "{.status.ceph.health}: {.status.message}" if .status.ceph.health=HEALTH_ERR,HEALTH_WARN
      Degraded "{.status.state}: {.status.message}" if .status.state=Error
      Healthy "{.status.message}" if .status.ceph.health=HEALTH_OK & .status.state=Created,Connected
      Healthy "{.status.message}" if .status.ceph.health=HEALTH_OK & !.status.state
      Progressing "{.status.state}: {.status.message}"`,
    CephObjectStore: byWord(".status.phase", { Healthy: "Ready", Degraded: "Failure" }),
    "*": byWord(".status.phase", { Healthy: "Ready,Created", Degraded: "Failure,ReconcileFailed,Failed" }),
  },
  "trident.netapp.io": {
    TridentBackendConfig: `Healthy "{.status.message}" if .status.phase=Bound & .status.lastOperationStatus=Success
      Degraded "{.status.message}" if .status.lastOperationStatus=Failed
      Progressing "{.status.phase}"`,
    TridentOrchestrator: `Healthy "{.status.message}" if .status.status=Installed
      Degraded "{.status.message}" if .status.status=Failed,Error
      Progressing "{.status.status}"`,
  },
  "astra.netapp.io": {
    AppVault: byWord(".status.state", { Healthy: "available,Available", Degraded: "failed,Failed" }),
    Application: ready,
    "Backup,ExecHooksRun,ResourceBackup,ResticVolumeBackup,Snapshot": `Healthy if .status.state=Completed
      Progressing "{.status.state}" if .status.state=Running
      Degraded "{.status.state}" if .status.state
      Progressing "not started"`,
    ExecHook: `Healthy "enabled" if .spec.enabled=true
      Suspended "disabled" if .spec.enabled=false
      Progressing`,
    Schedule: `Healthy "last ran at {.status.lastScheduleTime}" if .status.lastScheduleTime
      Healthy "has not run yet"`,
  },
  "kubevirt.io": {
    VirtualMachine: `Suspended "paused" if Paused=True
      Healthy "{.status.printableStatus}" if Ready=True
      Progressing "{.status.printableStatus}" if Ready=* & .status.created=true
      Suspended "{.status.printableStatus}" if Ready=*
      Progressing "{.status.printableStatus}"`,
    VirtualMachineInstance: `Degraded "{.status.phase}" if .status.phase=Failed
      Progressing "{.status.phase}" if .status.phase=Pending,Scheduling,Scheduled
      Suspended "{.status.phase}" if .status.phase=Succeeded
      Unknown "{.status.phase}" if .status.phase=Unknown
      Suspended if Paused=True
      Healthy if Ready=True
      Degraded if Ready=*
      Progressing "{.status.phase}"`,
  },
  "cdi.kubevirt.io": {
    DataVolume: `Healthy if .status.phase=Succeeded
      Degraded if Running=False@Error
      Degraded "{.status.phase}" if .status.phase=Failed,Unknown
      Suspended "{.status.phase}" if .status.phase=Paused
      Progressing "{.status.phase}"`,
  },
  "*.cnrm.cloud.google.com": {
    "*": `${waitingForSpec.replace("unseen", "behind")}
      Healthy if .status.healthy=true
      Degraded "its components are unhealthy" if .status.healthy=false
      Healthy if *=True@UpToDate
      Degraded if *=*@UpdateFailed,DependencyNotFound
      Suspended if *=*@DependencyNotReady
      Progressing if Ready=*
      Progressing "not reconciled yet"`,
  },
  "*.services.k8s.aws": {
    "*": `Degraded if ACK.Terminal=True
      Healthy if Ready=True
      Progressing if Ready=False
      Healthy if ACK.ResourceSynced=True & !Ready=*
      Progressing "not reconciled yet"`,
  },
  "services.cloud.sap.com": {
    "ServiceInstance,ServiceBinding": `Progressing "waiting for the controller to see the newest spec" if stale:*=*
      Degraded if Succeeded=False
      Degraded if Failed=True
      Healthy "ready to use" if *=*
      Progressing "waiting for its first status"`,
  },
};
