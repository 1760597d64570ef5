import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeUser, fmtCreds } from "@nats-io/jwt";
import { fromSeed, type KeyPair } from "@nats-io/nkeys";
import { connect, credsAuthenticator, type NatsConnection } from "nats";
import { adminCredential, pemOf } from "./hub-client.ts";
import type { HubProcess } from "./hub-process.ts";

/** Connects to a hub's embedded NATS as the hub's own user of account HUB, straight; it comes back after every fault. */
export async function connectHubStore(hub: HubProcess): Promise<NatsConnection> {
  const keys = join(hub.dataDir, "nats", "keys");
  const user = await keyPair(join(keys, "user-hub.nk"));
  const jwt = await encodeUser("e2e", user, await keyPair(join(keys, "account-hub.nk")), {});
  return connectAs(`127.0.0.1:${hub.ports.nats}`, fmtCreds(jwt, user), pemOf((await adminCredential(hub.dataDir)).ca));
}

/** Connects with a credentials file's content, and connects again for ever; with the CA of a server that speaks TLS. */
export function connectAs(
  server: string,
  credentials: Uint8Array,
  ca?: string,
  inboxPrefix?: string,
): Promise<NatsConnection> {
  return connect({
    servers: server,
    authenticator: credsAuthenticator(credentials),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 0,
    reconnectJitterTLS: 0,
    ...(ca === undefined ? {} : { tls: { ca } }),
    ...(inboxPrefix === undefined ? {} : { inboxPrefix }),
  });
}

/** A credentials file's content from a user's JWT and seed. */
export function credentialsText(jwt: string, seed: string): Uint8Array {
  return fmtCreds(jwt, fromSeed(new TextEncoder().encode(seed.trim())));
}

async function keyPair(file: string): Promise<KeyPair> {
  return fromSeed(new TextEncoder().encode((await readFile(file, "utf8")).trim()));
}
