import { parseClusterId } from "@capstan/proto";
import type { Credential, Identity, Joining, PrivateKeys, StoredIdentity } from "./model.ts";

/** Byte strings as base64, so that an identity is one JSON text in a Secret. */
type Printed<T> = T extends Uint8Array
  ? string
  : T extends readonly (infer U)[]
    ? Printed<U>[]
    : T extends string | number
      ? T
      : { -readonly [K in keyof T]: Printed<T[K]> };

interface PrintedStored {
  readonly version?: number;
  readonly identity?: Printed<Identity>;
  readonly pending?: PrivateKeys;
  readonly joining?: Joining;
}

const version = 1;

/** The content of Secret `capstan-identity`. */
export function printIdentity(stored: StoredIdentity): string {
  const { identity, pending, joining } = stored;
  return JSON.stringify({
    version,
    ...(pending === undefined ? {} : { pending }),
    ...(joining === undefined ? {} : { joining }),
    ...(identity === undefined ? {} : { identity: printOne(identity) }),
  });
}

/** The reverse of `printIdentity`. Content of another version counts as none: then a join token is needed. */
export function parseIdentity(text: string): StoredIdentity {
  const value = JSON.parse(text) as PrintedStored;
  if (value.version !== version) return {};
  return {
    ...(value.pending === undefined ? {} : { pending: value.pending }),
    ...(value.joining === undefined ? {} : { joining: value.joining }),
    ...(value.identity === undefined ? {} : { identity: parseOne(value.identity) }),
  };
}

function printOne(identity: Identity): Printed<Identity> {
  const { credential } = identity;
  return {
    ...identity,
    credential: {
      ...credential,
      certificate: base64(credential.certificate),
      ca: credential.ca.map(base64),
      natsUrls: [...credential.natsUrls],
      hubEndpoints: [...credential.hubEndpoints],
    },
    verification: identity.verification.map((key) => ({ ...key, publicKey: base64(key.publicKey) })),
    retiredSealing: [...identity.retiredSealing],
  } as Printed<Identity>;
}

function parseOne(printed: Printed<Identity>): Identity {
  const credential: Credential = {
    ...printed.credential,
    certificate: bytes(printed.credential.certificate),
    ca: printed.credential.ca.map(bytes),
  };
  return {
    ...printed,
    cluster: parseClusterId(printed.cluster),
    credential,
    verification: printed.verification.map((key) => ({ ...key, publicKey: bytes(key.publicKey) })),
  };
}

function base64(value: Uint8Array): string {
  return btoa(Array.from(value, (byte) => String.fromCharCode(byte)).join(""));
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
