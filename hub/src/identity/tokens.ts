import { type ClusterId, Fault, parseClusterId } from "@capstan/proto";
import type { IdentityTimes, JoinToken, PersonToken, StoredToken } from "./model.ts";
import type { TokenCrypto } from "./port.ts";

/** A join token as it is pasted: `capstan-join.<cluster>.<id>.<secret>.<pin>`; no part holds a dot. */
export interface JoinText {
  readonly cluster: ClusterId;
  readonly id: string;
  /** 256 bits, base64url. */
  readonly secret: string;
  /** Hex SHA-256 of the CA's certificate: the agent believes no other hub. */
  readonly pin: string;
}

/** A person's token as it is pasted: `capstan-token.<id>.<secret>`. */
export interface PersonText {
  readonly id: string;
  readonly secret: string;
}

/** A new token: what the store keeps, and what is shown once. */
export interface MadeToken<T> {
  readonly stored: T;
  readonly text: string;
}

const joinPattern = /^capstan-join\.([a-z0-9-]{1,63})\.([0-9a-f]{16})\.([A-Za-z0-9_-]{43})\.([0-9a-f]{64})$/;
const personPattern = /^capstan-token\.([0-9a-f]{16})\.([A-Za-z0-9_-]{43})$/;

/** A join token for one cluster. Throws `bad-input` when `ttl` (milliseconds) is out of bounds. */
export function newJoinToken(
  wish: { readonly cluster: ClusterId; readonly ttl: number | undefined; readonly by: string; readonly pin: string },
  at: { readonly now: number; readonly times: IdentityTimes },
  crypto: TokenCrypto,
): MadeToken<JoinToken> {
  const ttl = wish.ttl ?? at.times.joinTtl;
  if (!(ttl > 0 && ttl <= at.times.joinTtlMax)) {
    throw new Fault("bad-input", {
      message: `expected a life of the token of more than 0 and at most ${at.times.joinTtlMax / 3_600_000} h, found ${ttl / 3_600_000} h.`,
      where: { cluster: wish.cluster, field: "ttl" },
      next: "A token is good for one join; make another one when it is needed.",
    });
  }
  const { id, secret } = fresh(crypto);
  const stored: JoinToken = {
    kind: "join",
    id,
    cluster: wish.cluster,
    hash: hashSecret(secret, crypto),
    madeAt: at.now,
    expiresAt: at.now + ttl,
    madeBy: wish.by,
    used: undefined,
  };
  return { stored, text: `capstan-join.${wish.cluster}.${id}.${secret}.${wish.pin}` };
}

/** Takes a join token's text apart. Throws `token-refused`, never showing the text. */
export function parseJoinText(text: string): JoinText {
  const [, cluster = "", id = "", secret = "", pin = ""] = joinPattern.exec(text.trim()) ?? [];
  if (id === "") throw refused("a text of another form", "Paste the whole token as `capstan cluster add` printed it.");
  return { cluster: parseClusterId(cluster), id, secret, pin };
}

/** A token for a person or a program. `ttl` in milliseconds; undefined: until it is taken away. */
export function newPersonToken(
  wish: { readonly name: string; readonly roles: readonly string[]; readonly ttl: number | undefined },
  now: number,
  crypto: TokenCrypto,
): MadeToken<PersonToken> {
  const { id, secret } = fresh(crypto);
  const expiresAt = wish.ttl === undefined ? undefined : now + wish.ttl;
  const { name, roles } = wish;
  const hash = hashSecret(secret, crypto);
  return {
    stored: { kind: "person", id, name, roles, hash, madeAt: now, expiresAt },
    text: `capstan-token.${id}.${secret}`,
  };
}

/** Takes a person's token apart. Throws `not-signed-in`, never showing the text. */
export function parsePersonText(text: string): PersonText {
  const [, id = "", secret = ""] = personPattern.exec(text.trim()) ?? [];
  if (id === "") throw notSignedIn("a text of another form");
  return { id, secret };
}

/** Who signs in with this token. Throws `not-signed-in`; the same words for an unknown id as for a wrong secret. */
export function checkPerson(
  stored: StoredToken | undefined,
  given: PersonText,
  at: { readonly now: number; readonly crypto: TokenCrypto },
): PersonToken {
  const right = sameText(stored?.hash ?? "", hashSecret(given.secret, at.crypto));
  if (stored?.kind !== "person" || stored.id !== given.id || !right)
    throw notSignedIn("one that this hub does not know");
  if (stored.expiresAt !== undefined && at.now >= stored.expiresAt) throw notSignedIn("one that has expired");
  return stored;
}

/** The join token of the store, if the text is its own. Throws `token-refused`. */
export function checkJoinSecret(
  stored: StoredToken | undefined,
  given: { readonly id: string; readonly secret: string },
  crypto: TokenCrypto,
): JoinToken {
  const right = sameText(stored?.hash ?? "", hashSecret(given.secret, crypto));
  if (stored?.kind !== "join" || stored.id !== given.id || !right) {
    throw refused("one that this hub did not make, or that was used up", "Make a new one with `capstan cluster add`.");
  }
  return stored;
}

/** Tokens whose end is more than a day past: their keys may be deleted. */
export function isTokenSpent(token: StoredToken, now: number): boolean {
  return token.expiresAt !== undefined && now > token.expiresAt + 24 * 3_600_000;
}

/** A join token that was refused, and what to do. */
export function refused(found: string, next: string): Fault {
  return new Fault("token-refused", { message: `expected a join token that is good, found ${found}.`, next });
}

function notSignedIn(found: string): Fault {
  return new Fault("not-signed-in", {
    message: `expected a token that is good, found ${found}.`,
    next: "Sign in with `capstan login`.",
  });
}

function fresh(crypto: TokenCrypto): { readonly id: string; readonly secret: string } {
  return {
    id: crypto.random(8, "hex"),
    secret: crypto.random(32, "base64url"),
  };
}

/** A secret of 256 random bits needs no salt and no slow hash. */
function hashSecret(secret: string, crypto: TokenCrypto): string {
  return crypto.sha256(new TextEncoder().encode(`capstan token\0${secret}`));
}

/** Compares hashes without stopping at the first difference. */
function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a.charCodeAt(i) || 0) ^ b.charCodeAt(i);
  return difference === 0;
}
