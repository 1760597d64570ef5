import type { Chance, Clock } from "@capstan/proto";
import type { ClusterRecordStore } from "../clusters/port.ts";
import type { Shelf } from "../collect/port.ts";
import type { HubConfig } from "../config/compile.ts";
import type { BundleVault, DesiredCrypto, DesiredStore } from "../distribution/port.ts";
import type { DocumentStore, RootReader } from "../documents/port.ts";
import type { GuardStore } from "../guard/port.ts";
import type { DeskOptions } from "../identity/desk.ts";
import type { IdentityStore } from "../identity/port.ts";
import type { ApiClient, AppSigner, SecretReader } from "../listings/port.ts";
import type { Generate, Renderer, RenderMemory } from "../releases/port.ts";
import type { GateWorld, RolloutStore } from "../rollout/port.ts";
import type { Sources } from "../sources/port.ts";
import type { StatusStore } from "../status/port.ts";
import type { FleetNotes, Hints, Memory } from "../store/port.ts";

/** Everything that the hub needs of the world; `main` makes them, tests fake them. */
export interface HubPorts {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly version: string;
  readonly fleet: string;
  readonly config: HubConfig;
  readonly sources: Sources;
  readonly roots: RootReader;
  /** Servers outside that generators ask, and the secrets for them. */
  readonly servers: { readonly client: ApiClient; readonly secrets: SecretReader; readonly signer: AppSigner };
  readonly generate: Generate;
  readonly renderer: Renderer;
  readonly crypto: DesiredCrypto;
  readonly vault: BundleVault;
  /** The stored bundles, to look through. */
  readonly shelf: Shelf;
  /** What gates of rollouts ask of the world. */
  readonly gates: GateWorld;
  readonly hints: Hints;
  readonly memory: Memory;
  /** Identities; made before the hub, for NATS' own accounts come from there. */
  readonly desk: DeskPorts;
  readonly stores: {
    readonly identity: IdentityStore;
    readonly desired: DesiredStore;
    readonly status: StatusStore;
    readonly clusters: ClusterRecordStore;
    readonly documents: DocumentStore;
    readonly renders: RenderMemory;
    readonly rollouts: RolloutStore;
    readonly guard: GuardStore;
    readonly notes: FleetNotes;
  };
  log(level: "info" | "warn" | "error", message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What the identity desk is made of, besides what the hub gives it. */
export type DeskPorts = Pick<DeskOptions, "authority" | "signer" | "users" | "crypto" | "endpoints"> & {
  /** The trusted CAs are others than before: the servers' own certificates follow. */
  onRoots(): Promise<void>;
};
