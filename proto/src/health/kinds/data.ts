import type { RuleText } from "../rule.ts";
import { byWord, type KindTable, ready, waitingForSpec } from "./shapes.ts";

/** Strimzi: `NotReady` is True with a reason while it cannot go on. */
const strimzi = (failing: string): RuleText => `${waitingForSpec.replace("unseen", "behind")}
  Suspended "reconciliation is paused" if ReconciliationPaused=True
  Degraded if NotReady=True${failing}
  Healthy if Ready=True
  Progressing if NotReady=True
  Progressing if Ready=False
  Progressing "waiting for its first status"`;

/** Everything but `Creating` is trouble. */
const strimziKafka = strimzi("@!Creating");

const elastic = (progress: string): RuleText => `Degraded "health is {.status.health}" if .status.health=red
  Healthy "health is {.status.health}" if .status.health=green
  Progressing "health is {.status.health}: ${progress}" if .status.health=yellow
  Unknown "health is {.status.health}" if .status.health!=''
  Progressing "${progress}" if .status.expectedNodes
  Progressing "waiting for its first status"`;

const nodes = "{.status.ready} of {.status.size} nodes are ready";

const rabbit = `Healthy if Ready=True
  Degraded if Ready=False
  Unknown if Ready=*
  Unknown "no status yet"`;

const scale3 = (good: string): RuleText => `Healthy if ${good}=True
  Degraded if Invalid,Orphan,Failed=True
  Suspended if Waiting=True
  Progressing if In-progress=True
  Progressing "waiting for the condition ${good}"`;

const mariadb: RuleText = `Degraded if *=False@Failed
  Progressing if *=False
  Healthy if *=True
  Healthy if *=*
  Progressing "no status yet"`;

/** Databases, queues, search, and what else keeps data. */
export const data: KindTable = {
  "kafka.strimzi.io": {
    Kafka: strimziKafka,
    "KafkaBridge,KafkaConnect,KafkaConnector,KafkaTopic,KafkaUser,KafkaMirrorMaker,KafkaMirrorMaker2,KafkaNodePool,KafkaRebalance":
      strimzi(""),
  },
  "core.strimzi.io": {
    StrimziPodSet: `${waitingForSpec}
      Progressing "{.status.readyPods} of {.status.pods} pods are ready" if .status.readyPods<.status.pods
      Healthy if .status.pods
      Progressing`,
  },
  "platform.confluent.io": {
    Connector: `Degraded if .status.state=ERROR & *=*
      Degraded "{.status.state}" if .status.state=ERROR
      Degraded "{.status.failedTasksCount} tasks failed" if .status.failedTasksCount>0
      Healthy if .status.state=CREATED & .status.connectorState=RUNNING
      Progressing "{.status.connectorState}"`,
    "*": byWord(".status.phase", { Healthy: "RUNNING" }),
  },
  "elasticsearch.k8s.elastic.co": {
    Elasticsearch: `Unknown "no status yet" if !.status.availableNodes
      Progressing "{.status.availableNodes} nodes are there" if +.spec.nodeSets[*].count>.status.availableNodes
      Progressing "{.status.phase}" if .status.phase=ApplyingChanges,MigratingData
      Degraded "{.status.phase}" if .status.phase=Invalid
      Healthy "health is green" if .status.phase=Ready & .status.health=green
      Progressing "health is yellow" if .status.phase=Ready & .status.health=yellow
      Degraded "health is red" if .status.phase=Ready & .status.health=red
      Unknown "phase {.status.phase}, health {.status.health}"`,
  },
  "kibana.k8s.elastic.co": { Kibana: elastic("waiting for its nodes") },
  "apm.k8s.elastic.co": { ApmServer: elastic("waiting for its nodes") },
  "enterprisesearch.k8s.elastic.co": { EnterpriseSearch: elastic("waiting for its nodes") },
  "agent.k8s.elastic.co": { Agent: elastic("{.status.availableNodes} of {.status.expectedNodes} are available") },
  "beat.k8s.elastic.co": {
    Beat: `${elastic("{.status.availableNodes} of {.status.expectedNodes} are available").replace(/Progressing "waiting.*$/, 'Unknown "no status yet"')}`,
  },
  "logstash.k8s.elastic.co": { Logstash: elastic("waiting for its nodes") },
  "postgresql.cnpg.io": {
    Cluster: `Suspended "reconciliation is switched off by an annotation" if .metadata.annotations['cnpg.io/reconciliationLoop']=disabled
      Suspended if cnpg.io/hibernation=True
      Degraded if cnpg.io/hibernation=False,Unknown
      Progressing "{.status.phaseReason}" if !.status.phase
      Healthy "{.status.phaseReason}" if .status.phase='Cluster in healthy state'
      Progressing "{.status.phase}: {.status.phaseReason}" if .status.phase='Setting up primary','Creating a new replica','Upgrading cluster','Waiting for the instances to become active','Promoting to primary cluster'
      Suspended "{.status.phase}: {.status.phaseReason}" if .status.phase='Unable to create required cluster objects','*unknown plugin being required','*incomplete or invalid image catalog','*unrecoverable and needs manual intervention'
      Degraded "{.status.phase}: {.status.phaseReason}" if .status.phase='Switchover in progress','Failing over','Upgrading Postgres major version','Cluster upgrade delayed','Waiting for user action','Primary instance is being restarted*','*missing architecture binary','Online upgrade in progress','Applying configuration'
      Unknown "{.status.phase}: {.status.phaseReason}"`,
    Backup: byWord(".status.phase", { Healthy: "completed", Degraded: "failed,walArchivingFailing" }),
    ScheduledBackup: `Suspended "suspended by spec.suspend" if .spec.suspend=true
      Healthy`,
    Pooler: `Healthy`,
    "Database,Publication,Subscription": `${waitingForSpec.replace("unseen", "behind")}
      Degraded "{.status.message}" if .status.applied=false
      Healthy if .status.applied=true
      Progressing "not applied yet"`,
  },
  "acid.zalan.do": {
    postgresql: `Healthy if .status.PostgresClusterStatus=Running
      Progressing "{.status.PostgresClusterStatus}" if .status.PostgresClusterStatus=Creating,Updating
      Degraded "{.status.PostgresClusterStatus}" if .status.PostgresClusterStatus!=''
      Progressing "no status yet"`,
  },
  "psmdb.percona.com": {
    PerconaServerMongoDB: `Healthy "${nodes}" if .status.state=ready
      Progressing "${nodes}" if .status.state=initializing,stopping
      Suspended "${nodes}" if .status.state=paused
      Degraded "{.status.message}" if .status.state=error
      Unknown "no known state"`,
  },
  "pxc.percona.com": {
    PerconaXtraDBCluster: `Healthy "${nodes}" if .status.state=ready
      Progressing "${nodes}" if .status.state=initializing
      Suspended "paused" if .status.state=paused
      Degraded "stopping: ${nodes}" if .status.state=stopping
      Degraded "{.status.message[*]}" if .status.state=error
      Unknown "no known state"`,
  },
  "k8s.mariadb.com": {
    MariaDB: mariadb,
    Backup: `Degraded "{reason}: {message}" if *=False@CronJobScheduled[message=Failed]
      Progressing "{reason}: {message}" if *=False
      Healthy "{reason}: {message}" if *=*
      Progressing "no status yet"`,
    "Database,Grant,User": `Healthy if Ready=True
      Degraded if Ready=*
      Progressing "no status yet"`,
    SqlJob: `Healthy if *=True@JobComplete
      Degraded if *=True@JobFailed
      Progressing if *=*
      Progressing "no status yet"`,
    "*": ready,
  },
  "mariadb.mmontes.io": { MariaDB: mariadb },
  "clickhouse.altinity.com": {
    ClickHouseInstallation: `Healthy if .status.status=Completed
      Progressing "{.status.status}" if .status.status=InProgress
      Degraded "{.status.status}" if .status.status
      Progressing "no status yet"`,
  },
  "clickhouse-keeper.altinity.com": {
    ClickHouseKeeperInstallation: `Healthy if .status.status=Completed
      Progressing "{.status.status}" if .status.status=InProgress
      Degraded "{.status.status}" if .status.status
      Progressing "no status yet"`,
  },
  "rabbitmq.com": {
    RabbitmqCluster: `Degraded if ReconcileSuccess=False
      Progressing "waiting for the cluster to form: {message}" if ClusterAvailable=Unknown,False
      Progressing "waiting for its instances: {message}" if AllReplicasReady=Unknown,False
      Healthy "all replicas are ready" if ClusterAvailable=True & AllReplicasReady=True
      Progressing "waiting for its first status"`,
    "*": rabbit,
  },
  "minio.min.io": {
    Tenant: `Healthy if .status.currentState=Initialized
      Degraded "{.status.currentState}" if .status.currentState='Statefulset not controlled by operator','Another MinIO Tenant already exists in the namespace','Tenant credentials are not set properly','Different versions across MinIO Pools','Pool Decommissioning Not Allowed'
      Progressing "{.status.currentState}"`,
  },
  "zookeeper.pravega.io": {
    ZookeeperCluster: `Healthy "all replicas have joined" if .status.readyReplicas>0 & .status.readyReplicas=.status.replicas
      Progressing "{.status.readyReplicas} of {.status.replicas} replicas have joined"`,
  },
  "solr.apache.org": {
    SolrCloud: `Progressing "no node yet" if !.status.solrNodes
      Progressing "a node is not ready" if .status.solrNodes[*].ready=false
      Healthy "all nodes are ready"`,
  },
  "redis.redis.opstreelabs.in": { "*": "Healthy" },
  "camel.apache.org": { Integration: ready },
  "openfaas.com": {
    Function: `Degraded if Stalled=True
      Degraded if Ready=False
      Suspended "scaled to nothing" if Ready=True & !.status.replicas>0
      Healthy if Ready=True
      Progressing "waiting for the condition Ready"`,
  },
  "core.spinkube.dev": {
    SpinApp: `Degraded if Progressing=False@ProgressDeadlineExceeded
      Degraded if Progressing=False[message=*ailed*,*imeout*,*imed out*]
      Degraded if Available=False,Unknown
      Progressing "waiting for its first status" if !.status
      Degraded "not available" if !Available=*
      Progressing "{.status.readyReplicas} of {.spec.replicas} replicas are ready" if .status.readyReplicas|0<.spec.replicas|1
      Progressing if Progressing=True
      Healthy`,
  },
  "flink.apache.org": {
    FlinkDeployment: `Healthy "{.status.reconciliationStatus.state}" if .status.reconciliationStatus.success=true
      Healthy "{.status.reconciliationStatus.state}" if .status.reconciliationStatus.state=DEPLOYED
      Progressing "{.status.jobManagerDeploymentStatus}" if .status.jobManagerDeploymentStatus=DEPLOYED_NOT_READY,DEPLOYING
      Degraded "{.status.reconciliationStatus.error}" if .status.jobManagerDeploymentStatus=ERROR
      Progressing "{.status.jobManagerDeploymentStatus}"`,
  },
  "apps.3scale.net": {
    APIManager: `Healthy if .status.deployments.ready & !.status.deployments.starting & !.status.deployments.stopped
      Healthy if Available=True
      Degraded "{reason}" if Available=*@?*
      Progressing "deployments are starting"`,
  },
  "capabilities.3scale.net": {
    "Backend,Product": scale3("Synced"),
    Application: `Suspended "suspended" if .status.state=suspended
      Healthy if Ready=True
      Progressing if Ready=* & .status.adminId>0
      Degraded if Ready=* & !.status.adminId>0
      Progressing "waiting for the condition Ready"`,
    DeveloperUser: `Suspended "waits for an administrator's approval" if .status.developerUserState=suspended
      ${scale3("Ready")}`,
    Tenant: `Healthy if .status.tenantId>0 & .status.adminId>0 & Ready=True
      Degraded if Ready=False,Unknown
      Progressing "waiting for the condition Ready"`,
    "*": scale3("Ready"),
  },
};
