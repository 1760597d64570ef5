import type { ClusterId } from "@capstan/proto";

/** How the agent reaches its hub's store: NATS, gRPC alone, or NATS with gRPC where NATS cannot be reached. */
export type Transport = "nats" | "grpc" | "auto";

/** How much is logged. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** The configuration of one agent process, complete and checked. */
export interface AgentConfig {
  readonly cluster: ClusterId;
  /** `host:port` each, at least one. */
  readonly hubs: readonly string[];
  /** Read when an identity is needed; its absence is no problem before. */
  readonly joinTokenFile: string | undefined;
  /** Undefined: the pod's own account. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Where the agent keeps its Secrets. */
  readonly namespace: string;
  readonly logLevel: LogLevel;
  readonly transport: Transport;
  /** Targets handled at once. */
  readonly targets: number;
  /** Requests to the API server in flight at once. */
  readonly requests: number;
}

/** What the command line asks for. */
export type Invocation =
  | { readonly kind: "run"; readonly config: AgentConfig }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version"; readonly text: string }
  | { readonly kind: "wrong"; readonly problems: readonly string[] };

/** The program's version. */
export const version = "0.1.0";
