import type { RuleText } from "../rule.ts";
import { byWord, type KindTable, ready, readyOrSuspended, waitingForSpec } from "./shapes.ts";

const fluxSuspended = 'Suspended "suspended by spec.suspend" if .spec.suspend=true';

/** An artifact must be in storage as well: `Ready` alone may be of an older revision. */
const fluxSource: RuleText = `${fluxSuspended}
  Healthy if ArtifactInStorage=True & Ready=True
  Progressing if Reconciling=True & Ready=Unknown
  Degraded if Stalled=True
  Degraded if Ready=*
  Degraded if *=*
  Progressing "waiting for its first status"`;

const fluxReady: RuleText = `${fluxSuspended}
  Healthy if Ready=True
  Progressing if Reconciling=True & Ready=Unknown
  Degraded if Stalled=True
  Degraded if Ready=*
  Degraded if *=*
  Progressing "waiting for its first status"`;

/** Image kinds say `Ready=False` also while they scan for the first time. */
function fluxImage(reasons: string): RuleText {
  return `${fluxSuspended}
  Progressing if Reconciling=True@${reasons} & Ready=False
  ${fluxReady}`;
}

const promoter = `${waitingForSpec.replace("unseen", "behind")}
  Degraded "{reason}: {message}" if Ready=False
  Progressing if Ready=Unknown`;

const promoterReady: RuleText = `${promoter}
  Healthy "ready" if Ready=True
  Progressing "waiting for the condition Ready"`;

/** Gates report a phase for each environment. */
const promoterGate: RuleText = `${promoter}
  Progressing "waiting for the condition Ready" if !Ready=*
  Degraded "the gate failed for {.status.environments[*].branch}" if .status.environments[*].phase=failure
  Progressing "the gate is still open for some environment" if .status.environments[*].phase!=success,failure
  Healthy if Ready=True
  Progressing`;

/** Numaplane rolls out what it owns; a failed progressive upgrade counts more than the phase. */
function numaplane(failure: string, paused: string): RuleText {
  return `${waitingForSpec}
  Progressing "an update is in progress" if .status.upgradeInProgress!='' & !ProgressiveUpgradeSucceeded=False
  Progressing "an update is in progress" if .status.phase=Pending & !ProgressiveUpgradeSucceeded=False
  Progressing if ChildResourcesHealthy=False@Progressing
  Degraded "{.status.message}" if .status.phase=Failed
  Degraded if ChildResourcesHealthy=False@${failure}
  Degraded "the progressive upgrade failed" if ProgressiveUpgradeSucceeded=False
  ${paused}
  Healthy if ChildResourcesHealthy=True
  Unknown "its children say neither healthy nor failed" if .status
  Progressing`;
}

const numaflow: RuleText = `${waitingForSpec}
  Degraded "{.status.message}" if .status.phase=Failed
  Degraded if *=False
  Degraded "the progressive upgrade failed" if .metadata.labels['numaplane.numaproj.io/progressive-result-state']=failed
  Healthy "{.status.phase}" if .status.phase=Running,Paused,Pausing
  Progressing "{.status.phase}"`;

const keptn = (path: string): RuleText => byWord(path, { Healthy: "Succeeded", Degraded: "Failed" });

/** GitOps, progressive delivery, pipelines and jobs. */
export const delivery: KindTable = {
  "argoproj.io": {
    AnalysisRun: `Progressing "{.status.phase}" if .status.phase=Pending,Running
      Healthy "{.status.message}" if .status.phase=Successful
      Degraded "{.status.phase}: {.status.message}" if .status.phase=Failed,Error
      Unknown "{.status.phase}: {.status.message}" if .status.phase=Inconclusive
      Progressing "the analysis has not started"`,
    Experiment: byWord(".status.phase", { Healthy: "Successful", Degraded: "Failed,Error" }),
    ApplicationSet: `Degraded if ErrorOccurred=True
      Degraded if ResourcesUpToDate=False
      Progressing if RolloutProgressing=True
      Healthy if ResourcesUpToDate=True
      Progressing "waiting for its first status"`,
    Application: `Healthy "{.status.health.message}" if .status.health.status=Healthy
      Suspended "{.status.health.message}" if .status.health.status=Suspended
      Degraded "{.status.health.message}" if .status.health.status=Degraded
      Missing "{.status.health.message}" if .status.health.status=Missing
      Unknown "{.status.health.message}" if .status.health.status=Unknown
      Progressing "{.status.health.message}" if .status.health.status=Progressing
      Progressing "no health reported yet"`,
    Workflow: `Suspended "the workflow is suspended" if .spec.suspend=true & .status.phase=Pending,Running
      Progressing "{.status.message}" if .status.phase=Pending,Running
      Healthy "{.status.message}" if .status.phase=Succeeded
      Degraded "{.status.message}" if .status.phase=Failed,Error
      Unknown "{.status.message}" if .status.phase!=''
      Progressing "the workflow has not started"`,
    CronWorkflow: `Healthy "suspended by spec.suspend" if .spec.suspend=true
      Degraded if SubmissionError=True
      Degraded if SpecError=True
      Healthy "scheduled"`,
    EventBus: `Degraded if Deployed=False
      Degraded if Configured=False
      Healthy if Configured=True & Deployed=True
      Progressing if *=*
      Progressing "waiting for its first status"`,
    "EventSource,Sensor": `Degraded if Deployed=False
      Degraded if SourcesProvided=False
      Degraded if DependenciesProvided=False
      Degraded if TriggersProvided=False
      Healthy if Deployed=True
      Progressing`,
  },
  "promoter.argoproj.io": {
    "ScmProvider,ClusterScmProvider,GitRepository,CommitStatus": promoterReady,
    PullRequest: `${waitingForSpec.replace("unseen", "behind")}
      Degraded "{reason}: {message}" if Reconciled=False
      Healthy "{.status.state}" if Reconciled=True
      ${promoterReady}`,
    "TimedCommitStatus,GitCommitStatus,WebRequestCommitStatus": promoterGate,
    ArgoCDCommitStatus: `${promoter}
      Progressing "waiting for the controller to see the newest spec" if stale:Ready=*
      Progressing "waiting for the condition Ready" if !Ready=*
      Degraded "no application is selected" if !.status.applicationsSelected[*]
      Healthy if Ready=True
      Progressing`,
  },
  "source.toolkit.fluxcd.io": {
    "GitRepository,Bucket,HelmChart,OCIRepository,ExternalArtifact": fluxSource,
    HelmRepository: `${fluxSuspended}
      Healthy "an OCI repository has no state of its own" if .spec.type=oci
      ${fluxSource}`,
  },
  "kustomize.toolkit.fluxcd.io": { Kustomization: fluxReady },
  "helm.toolkit.fluxcd.io": {
    HelmRelease: `${fluxSuspended}
      Healthy if Released=True & Ready=True
      Healthy if TestSuccess=True & Ready=True
      Progressing if Reconciling=True & Ready=Unknown
      Degraded if Stalled=True
      Degraded if Ready=*
      Degraded if *=*
      Progressing "waiting for its first status"`,
  },
  "image.toolkit.fluxcd.io": {
    ImageRepository: fluxImage("NewGeneration,Scanning"),
    ImagePolicy: fluxImage("NewGeneration,AccessingRepository,ApplyingPolicy"),
    ImageUpdateAutomation: fluxReady,
  },
  "notification.toolkit.fluxcd.io": { Receiver: fluxReady, "Alert,Provider": readyOrSuspended },
  "fluxcd.controlplane.io": { "FluxInstance,ResourceSet,ResourceSetInputProvider,FluxReport": ready },
  "flagger.app": {
    Canary: `Suspended "the canary waits for a person to go on" if .status.phase=Waiting,WaitingPromotion & .spec.suspend=true
      Degraded "{.status.phase}: {message}" if .status.phase=Failed & Promoted=*
      Degraded "{.status.phase}" if .status.phase=Failed
      Progressing "{.status.phase} at {.status.canaryWeight} %: {message}" if .status.phase=Progressing,Finalising,Promoting & Promoted=*
      Progressing "{.status.phase} at {.status.canaryWeight} %" if .status.phase=Progressing,Finalising,Promoting
      Healthy "{.status.phase}: {message}" if .status.phase=Succeeded,Initialized & Promoted=*
      Healthy "{.status.phase}" if .status.phase=Succeeded,Initialized
      Progressing "{.status.phase}" if .status.phase=Initializing
      Unknown "{.status.phase}" if .status.phase!=''
      Unknown "no status yet"`,
    "MetricTemplate,AlertProvider": `Healthy`,
  },
  "rollouts.kruise.io": {
    Rollout: `${waitingForSpec}
      Suspended "paused between steps, waits for a person" if .status.canaryStatus.currentStepState=StepPaused & .status.phase=Progressing
      Degraded "{.status.phase} in the middle of a step" if .status.canaryStatus.currentStepState=StepPaused & .status.phase=Terminating,Disabled
      Healthy "{.status.message}" if .status.canaryStatus.currentStepState=Completed & .status.phase=Healthy
      Progressing "{.status.message}"`,
  },
  "apps.kruise.io": {
    AdvancedCronJob: `Suspended "paused before its first run" if .spec.paused=true & !.status.lastScheduleTime
      Progressing "a job is running" if .status.active[*]
      Healthy if .status.lastScheduleTime
      Degraded "it has never run" if .status
      Progressing`,
    BroadcastJob: `Healthy "completed on every node" if .status.phase=completed & .status.desired=.status.succeeded
      Degraded "{.status.failed} of {.status.desired} pods failed" if .status.phase=failed & .status.failed>0
      Suspended "paused by spec.paused" if .status.phase=paused & .spec.paused=true
      Progressing "{.status.succeeded} of {.status.desired} pods are done"`,
    "ImagePullJob,ImageListPullJob": `Degraded "{.status.message}" if .status.failed>0 & .status.completionTime
      Healthy "{.status.message}" if .status.completionTime
      Progressing "{.status.message}"`,
    "SidecarSet,UnitedDeployment": `${waitingForSpec}
      Progressing "{.status.readyPods} of {.status.matchedPods} pods are ready" if .status.readyPods<.status.matchedPods
      Progressing "{.status.updatedPods} of {.status.matchedPods} pods are updated" if .status.updatedPods<.status.matchedPods
      Progressing "{.status.readyReplicas} of {.status.replicas} replicas are ready" if .status.readyReplicas<.status.replicas
      Healthy`,
  },
  "game.kruise.io": {
    GameServer: `Progressing "goes from {.status.currentState} to {.status.desiredState}" if .status.currentState!=.status.desiredState
      Degraded "the pod is not ready: {message}" if .status.podStatus.conditions:KruisePodReady!=True
      Healthy "ready" if .status.currentState=Ready & .status.desiredState=Ready
      Unknown "{.status.currentState}"`,
  },
  "tekton.dev": {
    "PipelineRun,TaskRun,CustomRun,Run": `Suspended "{reason}" if Succeeded=Unknown@PipelineRunPending,TaskRunPending
      Healthy if Succeeded=True
      Degraded if Succeeded=False
      Progressing if Succeeded=*
      Progressing "the run has not started"`,
    "Pipeline,Task,StepAction": `Healthy`,
  },
  "triggers.tekton.dev": {
    EventListener: `Degraded if Available=False
      Degraded if Ready=False
      Healthy if Ready=True
      Healthy if Available=True
      Progressing`,
    "*": `Healthy`,
  },
  "operator.tekton.dev": { "*": ready },
  "velero.io": {
    "Backup,Restore,DataUpload,DataDownload,PodVolumeBackup,PodVolumeRestore": `Healthy "{.status.phase}" if .status.phase=Completed
      Degraded "{.status.phase}: {.status.failureReason}" if .status.phase=Failed,PartiallyFailed,FailedValidation,Canceled
      Degraded "{.status.phase}: {.status.failureReason}" if .status.phase=FinalizingPartiallyFailed,WaitingForPluginOperationsPartiallyFailed
      Progressing "{.status.phase}" if .status.phase
      Progressing "waiting for Velero to see it"`,
    Schedule: `Suspended "paused by spec.paused" if .spec.paused=true
      Degraded "{.status.validationErrors[*]}" if .status.phase=FailedValidation
      Healthy "{.status.phase}" if .status.phase=Enabled
      Progressing "{.status.phase}"`,
    BackupStorageLocation: `Healthy if .status.phase=Available
      Degraded "unavailable: {.status.message}" if .status.phase=Unavailable
      Progressing "waiting for its first check"`,
    BackupRepository: byWord(".status.phase", { Healthy: "Ready", Degraded: "NotReady" }),
    "VolumeSnapshotLocation,ServerStatusRequest,DeleteBackupRequest,DownloadRequest": `Healthy`,
  },
  "lifecycle.keptn.sh": {
    "KeptnAppVersion,KeptnTask,KeptnWorkloadInstance,KeptnWorkloadVersion": keptn(".status.status"),
    KeptnEvaluation: keptn(".status.overallStatus"),
  },
  "metrics.keptn.sh": {
    Analysis: `Healthy "passed" if .status.pass=true
      Healthy "passed with warnings" if .status.warning=true
      Degraded "failed" if .status.pass=false
      Progressing "{.status.state}"`,
    KeptnMetric: `Degraded "{.status.errMsg}" if .status.errMsg!=''
      Healthy "{.status.value}" if .status.value
      Progressing "no value yet"`,
  },
  "numaflow.numaproj.io": { "Pipeline,Vertex,MonoVertex,InterStepBufferService": numaflow },
  "numaplane.numaproj.io": {
    ISBServiceRollout: numaplane("ISBSvcFailed", ""),
    MonoVertexRollout: numaplane("MonoVertexFailed", "Healthy if MonoVertexPausingOrPaused=True"),
    PipelineRollout: numaplane("PipelineFailed", "Healthy if PipelinePausingOrPaused=True"),
    NumaflowControllerRollout: `${waitingForSpec}
      Progressing "an update is in progress" if .status.upgradeInProgress!=''
      Progressing "an update is in progress" if .status.phase=Pending
      Progressing if ChildResourcesHealthy=False@Progressing
      Degraded "{.status.message}" if .status.phase=Failed
      Degraded if ChildResourcesHealthy=False
      Healthy if ChildResourcesHealthy=True
      Unknown "its children say neither healthy nor failed" if .status
      Progressing`,
  },
  "tower.ansible.com": {
    AnsibleJob: byWord(".status.ansibleJobResult.status", { Healthy: "successful", Degraded: "failed,error,canceled" }),
  },
  "work.karmada.io": {
    "ResourceBinding,ClusterResourceBinding": `Progressing "not placed on a cluster yet" if .spec.clusters & #.spec.clusters=0
      Progressing "no cluster has reported yet" if #.status.aggregatedStatus=0
      Progressing "some clusters have not reported yet" if .spec.clusters & #.spec.clusters!=#.status.aggregatedStatus
      Degraded "unhealthy on {.status.aggregatedStatus[*].clusterName}" if .status.aggregatedStatus[*].health=Unhealthy
      Degraded "not applied everywhere" if .status.aggregatedStatus[*].health=Unknown & .status.aggregatedStatus[*].applied=false
      Healthy if .status.aggregatedStatus[*]
      Progressing`,
  },
  "policy.open-cluster-management.io": {
    Policy: `Healthy "disabled" if .spec.disabled=true
      Healthy "no cluster matches" if !.status.compliant & !.status.status & .status.placement[*]
      Healthy if .status.compliant=Compliant
      Degraded "not compliant" if .status.compliant
      Progressing "not evaluated yet"`,
    ConfigurationPolicy: `Progressing "not evaluated yet" if !.status.compliant
      Progressing "the newest spec is not evaluated yet" if .metadata.generation!=.status.lastEvaluatedGeneration|none
      Healthy if .status.compliant=Compliant
      Degraded "{.status.compliancyDetails[*].conditions}"`,
    CertificatePolicy: `Healthy if .status.compliant=Compliant
      Degraded "a certificate breaks the policy" if .status.compliant
      Progressing "not evaluated yet"`,
    OperatorPolicy: `${waitingForSpec.replace("unseen", "behind")}
      Healthy if Compliant=True
      Degraded if Compliant=*
      Progressing "not evaluated yet"`,
  },
  "pulumi.com": {
    Stack: `${waitingForSpec}
      Degraded if Stalled=True
      Progressing if Reconciling=True
      Healthy if Ready=True
      Progressing if Ready=*
      Progressing "not deployed yet"`,
  },
  "db.atlasgo.io": {
    "AtlasMigration,AtlasSchema": `Healthy if Ready=True
      Progressing if Ready=*@Reconciling,GettingDevDB
      Degraded if Ready=*
      Progressing "waiting for the condition Ready"`,
  },
  "spot.io": {
    SpotDeployment: `Degraded if InvalidSpec=*
      Degraded if Progressing=*@RolloutAborted,ProgressDeadlineExceeded
      Suspended if Paused=True
      Progressing "waiting for the steps of the rollout" if .status.phase=Progressing
      Healthy if *=*
      Progressing`,
  },
};
