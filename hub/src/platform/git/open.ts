import { createHmac, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, Fault } from "@capstan/proto";
import type { Repository } from "../../sources/model.ts";
import type { SecretReader, SecretReference } from "../../sources/port.ts";
import { type ServerRule, serverFor } from "../../sources/servers.ts";
import type { WebhookCrypto } from "../../sources/webhook.ts";
import type { HttpClient } from "../http/client.ts";
import { PackageBackend } from "../packages/backend.ts";
import { findOnPath } from "../render/find.ts";
import { type Runner, Spawner } from "../render/spawner.ts";
import { IsomorphicGit } from "./isomorphic.ts";
import { DiskMirror, defaultTreeLimits } from "./mirror.ts";
import { NativeGit } from "./native.ts";

/** What the mirrors need of the process. */
export interface OpenMirrorOptions {
  /** The mirrors' directory, in the hub's data directory. They can be fetched again at any time. */
  readonly directory: string;
  /** The hub's `PATH`. */
  readonly path: string;
  readonly clock: Clock;
  /** Shared by all that start programs; by default one is made. */
  readonly runner?: Runner;
  /** Asks chart repositories and registries. */
  readonly http: HttpClient;
  /** How single servers are reached. */
  readonly servers: readonly ServerRule[];
  /** The proxies of the hub's environment, by the names of their variables. */
  readonly proxies: Readonly<Record<string, string>>;
  /** Registries, by host name, that are spoken to without TLS. */
  readonly plainRegistries: readonly string[];
}

/**
 * Mirrors by native Git where it is on PATH, else by isomorphic-git (HTTP and HTTPS only, slower on large repositories);
 * and of charts and OCI artifacts.
 */
export async function openMirror(options: OpenMirrorOptions): Promise<{ mirror: DiskMirror; backend: string }> {
  const { runner = new Spawner().start() } = options;
  const git = await findOnPath("git", options.path);
  const home = join(options.directory, "home");
  const { servers, proxies } = options;
  const server = (repository: Repository) => serverFor(servers, repository);
  const reading = { readers: 128, runner, server, proxies };
  const repositories =
    git === undefined ? new IsomorphicGit() : new NativeGit({ git, home, path: options.path, ...reading });
  const { directory, clock, http } = options;
  const backend = new PackageBackend(repositories, http, new Set(options.plainRegistries));
  const mirror = new DiskMirror({ directory, backend, limits: defaultTreeLimits, now: () => clock.now() });
  return { mirror, backend: backend.name };
}

/** Reads secrets from files and from the variables that the hub was started with. */
export function secretReader(environment: Readonly<Record<string, string | undefined>>): SecretReader {
  return { read: (reference) => readSecret(reference, environment) };
}

/** HMAC and comparison for webhooks. */
export const webhookCrypto: WebhookCrypto = {
  hmacSha256Hex: (secret, body) => createHmac("sha256", secret).update(body).digest("hex"),
  equalInConstantTime: (one, other) => {
    const [left, right] = [Buffer.from(one), Buffer.from(other)];
    return left.length === right.length && timingSafeEqual(left, right);
  },
};

async function readSecret(
  reference: SecretReference,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  if ("env" in reference) {
    const value = environment[reference.env];
    if (value !== undefined && value !== "") return value;
    throw absent(`the variable ${reference.env}`);
  }
  try {
    const text = (await readFile(reference.file, "utf8")).replace(/\r?\n$/, "");
    if (text !== "") return text;
  } catch (cause) {
    throw absent(`the file ${reference.file}`, cause);
  }
  throw absent(`the file ${reference.file}`);
}

function absent(what: string, cause?: unknown): Fault {
  return new Fault("bad-config", {
    message: `expected a secret in ${what}, found none.`,
    next: "Put it there, or correct the reference in the hub's config.",
    ...(cause === undefined ? {} : { cause }),
  });
}
