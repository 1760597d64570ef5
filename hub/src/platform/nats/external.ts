import { Fault } from "@capstan/proto";
import { type Account, encodeAccount } from "@nats-io/jwt";
import type { KeyPair } from "@nats-io/nkeys";
import { ErrorCode, type NatsConnection, NatsError } from "nats";
import type { NatsUsers, RevokedNatsKey } from "../../identity/port.ts";
import { revocationList } from "./accounts.ts";
import { connectNats, type NatsAccess } from "./connection.ts";
import { nativeKeyPair } from "./keypair.ts";
import { request } from "./publish.ts";
import { pushClaims } from "./push-claims.ts";
import { natsUsers } from "./users.ts";

/** A NATS that others run, in operator mode, with the accounts HUB and AGENTS as `docs` say. */
export interface ExternalOptions {
  /** `host:port`, or URLs. */
  readonly servers: readonly string[];
  readonly tls: boolean;
  /** PEM; absent for the system's list of CAs. */
  readonly ca?: string;
  /** Content of the credentials file of a user of account HUB. */
  readonly hubCredentials: Uint8Array;
  /** Public key of account AGENTS (`A…`), and the seed of one of its signing keys (`SA…`). */
  readonly agents: { readonly account: string; readonly signingSeed: string };
  /** A user of the system account: tells how the servers write to disk, and takes revocations. */
  readonly systemCredentials?: Uint8Array;
  /** Seed of an operator's signing key (`SO…`): with it and the system user, a revocation cuts at once. */
  readonly operatorSeed?: string;
  /** What agents are told. */
  readonly urls: readonly string[];
  readonly now: () => number;
}

/** What an external NATS gives the hub. */
export interface ExternalNats {
  readonly connection: NatsConnection;
  readonly users: NatsUsers;
  /** What a person should know, loudly: sentences. */
  readonly warnings: readonly string[];
}

/** Life of agents' JWTs where a revocation cannot be pushed. */
const shortLife = 15 * 60_000;

const memoryResolver =
  "The servers take no account JWTs (their resolver is MEMORY, or of another kind that cannot be written to), so revocations reach NATS only when agents' JWTs end, after at most 15 minutes: use `resolver: { type: full }`.";

/** Connects and looks how the servers are kept. Faults: `store-unavailable`, `nats-too-old`, `bad-config`. */
export async function openExternal(options: ExternalOptions, signal: AbortSignal): Promise<ExternalNats> {
  const signer = readSeed(options.agents.signingSeed, "SA", "the signing key of account AGENTS");
  const operator =
    options.operatorSeed === undefined ? undefined : readSeed(options.operatorSeed, "SO", "the operator's signing key");
  const access = (credentials: Uint8Array): NatsAccess => ({ ...options, credentials, name: "capstan-hub" });
  const system = options.systemCredentials === undefined ? undefined : access(options.systemCredentials);
  const warnings: string[] = [];
  const account = options.agents.account;
  const takesClaims = system === undefined || operator === undefined || (await holdsClaims(system, account, signal));
  const canPush = takesClaims && system !== undefined && operator !== undefined;
  if (!takesClaims) warnings.push(memoryResolver);
  else if (!canPush) {
    warnings.push(
      "Revocations reach NATS only when agents' JWTs end, after at most 15 minutes: give the hub a system user and an operator signing key.",
    );
  }
  const connection = await connectNats(access(options.hubCredentials));
  warnings.push(...(await fsyncWarnings(system, signal)));
  const { agents, urls, now } = options;
  const push = async (revoked: readonly RevokedNatsKey[], stop: AbortSignal) => {
    if (canPush) await pushRevocations({ system, operator, account: agents.account }, revoked, stop);
  };
  // Nobody takes an account's new JWT there: an agent's own ends soon instead.
  const maxLife = canPush ? undefined : shortLife;
  return { connection, warnings, users: natsUsers({ signer, account: agents.account, urls, now, maxLife, push }) };
}

function readSeed(seed: string, kind: "SA" | "SO", what: string): KeyPair {
  try {
    if (seed.trim().startsWith(kind)) return nativeKeyPair(seed);
  } catch {
    // Said below, without the seed.
  }
  throw new Fault("bad-config", {
    message: `expected ${what} as a seed that begins with ${kind}, found another text.`,
    next: "Give the file that `nsc` wrote for it.",
  });
}

/** What the servers tell of their disks: acknowledged before fsync, a power cut takes minutes of what was decided. */
async function fsyncWarnings(system: NatsAccess | undefined, signal: AbortSignal): Promise<string[]> {
  if (system === undefined) {
    return [
      "Whether NATS writes to disk before it acknowledges cannot be verified without a system user: set `sync_interval: always`.",
    ];
  }
  const connection = await connectNats(system);
  try {
    const value = new TextEncoder().encode(JSON.stringify({ config: true }));
    const answer = await request(connection, { subject: "$SYS.REQ.SERVER.PING.JSZ", value }, signal);
    const data = answer["data"] as { config?: { sync_always?: boolean; sync_interval?: number } } | undefined;
    if (data?.config?.sync_always === true) return [];
    const seconds = (data?.config?.sync_interval ?? 0) / 1e9;
    return [
      `NATS acknowledges up to ${seconds} s before it writes to disk: a power cut loses that much of what the hub decided. Set \`sync_interval: always\`.`,
    ];
  } finally {
    await connection.close();
  }
}

/** Adds the keys to the revocations of account AGENTS as the servers hold it, leaving all else of it as it is. */
async function pushRevocations(
  to: { readonly system: NatsAccess; readonly operator: KeyPair; readonly account: string },
  revoked: readonly RevokedNatsKey[],
  signal: AbortSignal,
): Promise<void> {
  // Nothing to add: the servers are not troubled for it, at each start of a term.
  if (revoked.length === 0) return;
  const { name, nats } = readClaims(await lookUp(to.system, to.account, signal));
  const wanted = revocationList(revoked);
  if (Object.entries(wanted).every(([key, at]) => nats.revocations?.[key] === at)) return;
  const claims = { ...nats, revocations: { ...nats.revocations, ...wanted } };
  await pushClaims(to.system, await encodeAccount(name, to.account, claims, { signer: to.operator }), signal);
}

/** An account's JWT as the servers hold it. Throws `store-unavailable` where none of them answers for accounts. */
async function lookUp(system: NatsAccess, account: string, signal: AbortSignal): Promise<string> {
  const connection = await connectNats(system);
  try {
    signal.throwIfAborted();
    const subject = `$SYS.REQ.ACCOUNT.${account}.CLAIMS.LOOKUP`;
    return (await connection.request(subject, new Uint8Array(), { timeout: 5_000 })).string();
  } catch (thrown) {
    if (!(thrown instanceof NatsError) || thrown.code !== ErrorCode.NoResponders) throw thrown;
    throw new Fault("store-unavailable", {
      message: "expected NATS to keep account JWTs that can be changed, found no server that answers for them.",
      next: "Use `resolver: { type: full }` in the servers' configuration.",
      cause: thrown,
    });
  } finally {
    await connection.close();
  }
}

/** Whether the servers keep account JWTs in a way that takes new ones; what else is wrong shows when one is given. */
async function holdsClaims(system: NatsAccess, account: string, signal: AbortSignal): Promise<boolean> {
  try {
    await lookUp(system, account, signal);
    return true;
  } catch (thrown) {
    return !(thrown instanceof Fault && thrown.cause instanceof NatsError);
  }
}

function readClaims(jwt: string): { readonly name: string; readonly nats: Partial<Account> } {
  try {
    const text = Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString("utf8");
    const { name, nats } = JSON.parse(text) as { name?: string; nats?: Partial<Account> };
    return { name: name ?? "AGENTS", nats: nats ?? {} };
  } catch (cause) {
    throw new Fault("store-unavailable", {
      message: "expected the JWT of account AGENTS from NATS, found another answer.",
      cause,
    });
  }
}
