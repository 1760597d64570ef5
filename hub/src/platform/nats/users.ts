import type { ClusterId } from "@capstan/proto";
import { encodeUser } from "@nats-io/jwt";
import type { KeyPair } from "@nats-io/nkeys";
import type { NatsUsers, RevokedNatsKey } from "../../identity/port.ts";
import { agentGrant } from "./accounts.ts";

/** How agents' users are made for one kind of server. */
export interface UsersOptions {
  /** The account's own key (embedded) or one of its signing keys (external). */
  readonly signer: KeyPair;
  /** Public key of account AGENTS. */
  readonly account: string;
  readonly urls: readonly string[];
  readonly now: () => number;
  /** Longest life of a user JWT in milliseconds, where revocations cannot be pushed. */
  readonly maxLife: number | undefined;
  /** Makes exactly these keys refused from now on, and remembers it. */
  push(revoked: readonly RevokedNatsKey[], signal: AbortSignal): Promise<void>;
}

/** User JWTs of account AGENTS. */
export function natsUsers(options: UsersOptions): NatsUsers {
  const issue = (user: { readonly cluster: ClusterId; readonly natsKey: string; readonly expiresAt: number }) => {
    const end =
      options.maxLife === undefined ? user.expiresAt : Math.min(user.expiresAt, options.now() + options.maxLife);
    const own = options.signer.getPublicKey() === options.account;
    return encodeUser(user.cluster, user.natsKey, own ? options.signer : options.account, agentGrant(user.cluster), {
      exp: Math.floor(end / 1000),
      ...(own ? {} : { signer: options.signer }),
    });
  };
  return { issue, revoke: (keys, signal) => options.push(keys, signal), urls: () => options.urls };
}
