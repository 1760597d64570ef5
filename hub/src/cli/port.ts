import type { DescMethod, DescService, JsonValue, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Clock, Instant } from "@capstan/proto";
import type { ApplicationService } from "@capstan/proto/application";
import type { FleetService } from "@capstan/proto/fleet";
import type { RolloutService } from "@capstan/proto/rollout";
import type { SystemService } from "@capstan/proto/system";
import type { HubConfig } from "../config/compile.ts";

type Remote<M extends DescMethod> = M["methodKind"] extends "server_streaming"
  ? (request: MessageInitShape<M["input"]>, signal: AbortSignal) => AsyncIterable<MessageShape<M["output"]>>
  : (request: MessageInitShape<M["input"]>, signal: AbortSignal) => Promise<MessageShape<M["output"]>>;

/** A service as a caller sees it. Every call throws a `Fault`: the hub's own, or `hub-unreachable`. */
export type Client<S extends DescService> = { readonly [K in keyof S["method"]]: Remote<S["method"][K]> };

/** A hub that can be called. Nothing is dialled before the first call. */
export interface HubClient {
  readonly fleet: Client<typeof FleetService>;
  readonly applications: Client<typeof ApplicationService>;
  readonly rollouts: Client<typeof RolloutService>;
  readonly system: Client<typeof SystemService>;
  close(): void;
}

/** How a hub is reached, and who calls. */
export interface Access {
  /** `host:port` each, tried in turn. */
  readonly endpoints: readonly string[];
  /** The CA's certificate, DER in base64. */
  readonly ca: string;
  readonly token: string;
}

/** The person's side. */
export interface Screen {
  out(text: string): void;
  err(text: string): void;
  /** Whether both input and output are a terminal, so that a question reaches somebody. */
  readonly interactive: boolean;
  readonly outputIsTerminal: boolean;
  readonly colours: boolean;
  /** Columns. */
  readonly width: number;
  /** Asks a question that is answered by yes or no; anything but yes is no. */
  ask(question: string): Promise<boolean>;
  /** Clears the terminal, for a screen that is drawn again. */
  clear(): void;
}

/** Files as verbs use them; faults name the file. */
export interface Files {
  read(path: string): Promise<string>;
  /** All of standard input; on a terminal, one line that is not shown (a secret to paste), after `prompt`. */
  readInput(prompt?: string): Promise<string>;
  /** A file, every `.yaml`, `.yml` and `.json` below a folder (in order of path), or `-` for standard input. */
  documents(path: string): Promise<readonly { readonly name: string; readonly content: string }[]>;
  /** Paths of all files below a folder, relative to it, without Git's own. */
  list(folder: string): Promise<readonly string[]>;
  /** Replaces the file as a whole, readable by its owner alone. */
  writePrivate(path: string, text: string): Promise<void>;
  /** Undefined where there is none. */
  readIfThere(path: string): Promise<string | undefined>;
}

/** What the CLI takes from the environment. */
export interface CliEnvironment {
  /** `CAPSTAN_HUB`: `host:port`, several with commas. */
  readonly hub: string | undefined;
  /** `CAPSTAN_DATA`: a hub's data folder, whose `admin.json` says all. */
  readonly data: string | undefined;
  /** `CAPSTAN_CONTEXT` */
  readonly context: string | undefined;
  /** `CAPSTAN_CONFIG`, or where the CLI keeps its contexts by default. */
  readonly configFile: string;
}

/** An object to apply, with its path on the API server. */
export interface ApplyItem {
  readonly path: string;
  readonly object: JsonValue;
  readonly title: string;
}

/** The Kubernetes cluster that a kubeconfig points at. */
export interface KubeDoor {
  /** Server-side apply of one object after the other; `told` hears of each. */
  apply(
    items: readonly ApplyItem[],
    where: { readonly kubeconfig: string | undefined; readonly context: string | undefined },
    told: (item: ApplyItem, outcome: "created" | "configured") => void,
    signal: AbortSignal,
  ): Promise<void>;
}

/** Archives of a hub that does not run. */
export interface Archive {
  /** Throws `conflict` while a hub or its NATS server runs there. Returns what was put in, relative to the folder. */
  backup(data: string, file: string): Promise<{ readonly entries: number; readonly bytes: number }>;
  /**
   * Throws `already-exists` where the folder holds something. `rebuilds`: the next start takes the store for an older copy;
   * so it is where the archive holds a store, or where `rebuild` asks for it.
   */
  restore(
    file: string,
    data: string,
    wish: { readonly rebuild: boolean },
  ): Promise<{ readonly entries: number; readonly rebuilds: boolean }>;
}

/** Keys of a hub's data folder. */
export interface KeyFolder {
  /** Makes the next one; returns its id. Throws `bad-input` for a folder that holds no hub's keys. */
  add(kind: "signing" | "ca", data: string): Promise<string>;
}

/** Everything that verbs reach for outside of themselves. */
export interface CliPorts {
  readonly version: string;
  readonly clock: Clock;
  readonly screen: Screen;
  readonly files: Files;
  readonly environment: CliEnvironment;
  readonly kube: KubeDoor;
  readonly archive: Archive;
  readonly keys: KeyFolder;
  /** A fresh request id. */
  newId(): string;
  /** Minutes that local time is ahead of UTC at that moment. */
  utcOffset(at: Instant): number;
  connect(access: Access): HubClient;
  /**
   * The CA (DER, base64) that stands above the server at `endpoint`, and its SHA-256 in hex; with a pin, the one that has
   * it. Nothing is told to that server. Faults: `hub-unreachable`, `certificate-refused`.
   */
  findCa(endpoint: string, pin: string | undefined, signal: AbortSignal): Promise<{ ca: string; pin: string }>;
  /** Serves as a hub until the signal aborts. */
  serve(config: HubConfig, signal: AbortSignal): Promise<void>;
}
