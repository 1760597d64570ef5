import { type Account, encodeAccount, encodeOperator, encodeUser, fmtCreds, type User } from "@nats-io/jwt";
import type { KeyPair } from "@nats-io/nkeys";
import type { RevokedNatsKey } from "../../identity/port.ts";

/** The keys of the embedded server's operator and its three accounts, and of the hub's own two users. */
export interface AccountKeys {
  readonly operator: KeyPair;
  readonly system: KeyPair;
  readonly hub: KeyPair;
  readonly agents: KeyPair;
  /** The hub's user in account HUB. */
  readonly hubUser: KeyPair;
  /** The hub's user in account SYS. */
  readonly systemUser: KeyPair;
}

// The library leaves every limit at 0, which means "none allowed": each account must say what it may.
const open = { subs: -1, conn: -1, leaf: 0, imports: -1, exports: -1, data: -1, payload: -1, wildcards: true };
const jetStream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

const desiredRead = "$JS.API.DIRECT.GET.KV_state.$KV.state.desired.*";
const chunkRead = "$JS.API.DIRECT.GET.bundles.bundle.>";

/** Account HUB: JetStream lives here alone; it offers agents two reads and the hints, nothing else. */
export const hubClaims: Partial<Account> = {
  limits: { ...open, ...jetStream } as NonNullable<Account["limits"]>,
  exports: [
    { name: "desired", type: "service", subject: desiredRead },
    { name: "chunks", type: "service", subject: chunkRead },
    { name: "hints", type: "stream", subject: "hint.*" },
  ],
};

/**
 * Account AGENTS: no JetStream. Replies to its requests stay inside it, wherever an agent points them, so a chosen reply
 * subject reaches neither keys nor the JetStream API of account HUB.
 */
export function agentsClaims(hubAccount: string, revoked: readonly RevokedNatsKey[]): Partial<Account> {
  const from = { account: hubAccount };
  return {
    limits: { ...open } as NonNullable<Account["limits"]>,
    imports: [
      { ...from, name: "desired", type: "service", subject: desiredRead, to: "", local_subject: "get.desired.$1" },
      { ...from, name: "chunks", type: "service", subject: chunkRead },
      { ...from, name: "hints", type: "stream", subject: "hint.*" },
    ],
    revocations: revocationList(revoked),
  };
}

/** Seconds since 1970 by user key; the server refuses JWTs issued up to then. */
export function revocationList(revoked: readonly RevokedNatsKey[]): Record<string, number> {
  return Object.fromEntries(revoked.map(({ natsKey, at }) => [natsKey, Math.floor(at / 1000)]));
}

/** The whole of what an agent's user may do (reliability C.3, strict). */
export function agentGrant(cluster: string): Partial<User> {
  return {
    pub: { allow: [`get.desired.${cluster}`, chunkRead] },
    sub: { allow: [`hint.${cluster}`, `_INBOX_${cluster}.>`] },
    subs: 16,
    payload: 4096,
    data: -1,
  };
}

/** JWTs of the operator and the accounts, as the server's configuration takes them. */
export interface AccountJwts {
  readonly operator: string;
  readonly accounts: readonly { readonly key: string; readonly jwt: string }[];
}

/** Makes them all. */
export async function encodeAccounts(keys: AccountKeys, revoked: readonly RevokedNatsKey[]): Promise<AccountJwts> {
  const signer = { signer: keys.operator };
  const system = keys.system.getPublicKey();
  const hub = keys.hub.getPublicKey();
  return {
    operator: await encodeOperator("capstan", keys.operator, { system_account: system }),
    accounts: [
      { key: system, jwt: await encodeAccount("SYS", keys.system, { limits: open as never }, signer) },
      { key: hub, jwt: await encodeAccount("HUB", keys.hub, hubClaims, signer) },
      { key: keys.agents.getPublicKey(), jwt: await encodeAgents(keys, revoked) },
    ],
  };
}

/** Account AGENTS alone, as it is pushed to a running server. */
export function encodeAgents(
  keys: Pick<AccountKeys, "operator" | "hub" | "agents">,
  revoked: readonly RevokedNatsKey[],
): Promise<string> {
  return encodeAccount("AGENTS", keys.agents, agentsClaims(keys.hub.getPublicKey(), revoked), {
    signer: keys.operator,
  });
}

/** A credentials file of a user who may do all that its account may. */
export async function ownCredentials(name: string, user: KeyPair, account: KeyPair): Promise<Uint8Array> {
  return fmtCreds(await encodeUser(name, user, account, {}), user);
}
