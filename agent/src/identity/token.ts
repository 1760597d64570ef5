import { type ClusterId, Fault } from "@capstan/proto";

/** What an agent reads from a join token; the rest is the hub's business. */
export interface JoinToken {
  /** As it is sent to the hub. */
  readonly text: string;
  /** The cluster that it lets in. */
  readonly cluster: string;
  /** Lower-case hex SHA-256 over the DER of the hub's CA. */
  readonly pin: string;
}

/** `capstan-join.<cluster>.<id>.<secret>.<pin>` */
const pattern = /^capstan-join\.([a-z0-9-]{1,63})\.[0-9a-f]{16}\.[A-Za-z0-9_-]{43}\.([0-9a-f]{64})$/;

/** Reads a join token. Throws `token-refused`; the text itself is never shown. */
export function parseJoinToken(content: string): JoinToken {
  const text = content.trim();
  const [, cluster, pin] = pattern.exec(text) ?? [];
  if (cluster !== undefined && pin !== undefined) return { text, cluster, pin };
  throw new Fault("token-refused", {
    message: `expected a join token, found ${text === "" ? "nothing" : `${text.length} characters that are none`}.`,
    next: "Make one with `capstan cluster add ID` and pass it on whole.",
  });
}

/** Throws `token-refused` where the token lets in another cluster: it is not sent to anybody then. */
export function checkToken(token: JoinToken | undefined, cluster: ClusterId): JoinToken {
  if (token === undefined) {
    throw new Fault("token-refused", {
      message: `cluster ${cluster} has no identity yet, and no join token was given.`,
      next: "Make one with `capstan cluster add ID` and pass it with --join-token-file.",
    });
  }
  if (token.cluster === cluster) return token;
  throw new Fault("token-refused", {
    message: `expected a join token for cluster ${cluster}, found one for ${token.cluster}.`,
    next: "Pass the token that was made for this cluster, or correct --cluster.",
  });
}
