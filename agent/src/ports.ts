import type { Chance, Clock } from "@capstan/proto";
import type { Facts } from "@capstan/proto/agent";
import type { TargetEvent } from "./apply/watcher.ts";
import type { SecretStore } from "./cache/port.ts";
import type { AgentConfig } from "./config/model.ts";
import type { BundleCrypto, DesiredSource } from "./desired/port.ts";
import type { Identity, Who } from "./identity/model.ts";
import type { AgentCrypto, IdentityCalls, IdentityStore } from "./identity/port.ts";
import type { JoinToken } from "./identity/token.ts";
import type { HintSink, HubDialer } from "./link/port.ts";
import type { Applier, Following } from "./targets/port.ts";
import type { LiveObjects, OwnObjects } from "./views/port.ts";

/** Where the agent writes what people may want to read: the room, a sentence, fields. No secret values. */
export interface AgentLog {
  debug(room: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(room: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(room: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** The NATS side: hints come in, reads go out. */
export interface HintedSource extends DesiredSource {
  readonly connected: boolean;
  /** Keeps one connection with the identity as it is then, until the signal aborts. */
  run(sink: HintSink, signal: AbortSignal): Promise<void>;
}

/** The world of one agent. */
export interface AgentPorts {
  readonly config: AgentConfig;
  readonly who: Who;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: AgentLog;
  /** New at each start; lower-case letters and digits. */
  readonly bootId: string;
  readonly crypto: AgentCrypto;
  readonly bundles: BundleCrypto;
  readonly calls: IdentityCalls;
  readonly identities: IdentityStore;
  readonly secrets: SecretStore;
  /** Undefined where none was given. */
  joinToken(): Promise<JoinToken | undefined>;
  readonly dialer: HubDialer;
  /** Reads over the session's channel. */
  readonly overGrpc: DesiredSource;
  /** Made with the identity as it is at each connection. Undefined where NATS is not to be used. */
  readonly overNats: ((identity: () => Identity | undefined) => HintedSource) | undefined;
  readonly applier: Applier;
  readonly watcher: Following &
    OwnObjects & { run(tell: (event: TargetEvent) => void, signal: AbortSignal): Promise<void> };
  /** What people's questions look at. */
  readonly live: LiveObjects;
  facts(signal: AbortSignal): Promise<Facts>;
  /** Stores what only waits to be stored; for an orderly end. */
  drain(): Promise<void>;
}
