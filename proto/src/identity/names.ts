import { Fault } from "../fault/fault.ts";

declare const brand: unique symbol;
/** A text that has passed its parser. */
export type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A cluster's id: `[a-z0-9-]{1,63}`, never changing, one NATS subject token. */
export type ClusterId = Branded<"ClusterId">;
/** `sha256:` and 64 lower-case hex digits. */
export type Digest = Branded<"Digest">;
/** `namespace/name` of an application: a target's identity in the fleet. */
export type TargetKey = Branded<"TargetKey">;

const clusterIdPattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** Throws `bad-input` when the text is no cluster id. */
export function parseClusterId(text: string): ClusterId {
  if (!clusterIdPattern.test(text)) {
    throw new Fault("bad-input", {
      message: `a cluster id is 1 to 63 of a-z, 0-9 and - (not at its ends), found ${JSON.stringify(text)}.`,
      next: "Choose such a name; it never changes afterwards.",
    });
  }
  return text as ClusterId;
}

/** Throws `bad-input` when the text is no digest. */
export function parseDigest(text: string): Digest {
  if (!digestPattern.test(text)) {
    throw new Fault("bad-input", {
      message: `expected sha256:<64 hex digits>, found ${JSON.stringify(text.slice(0, 80))}.`,
    });
  }
  return text as Digest;
}

/** The 64 hex digits of a digest: its form in subjects and keys. */
export function digestHex(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/** The key of a target. */
export function targetKey(namespace: string, name: string): TargetKey {
  return `${namespace}/${name}` as TargetKey;
}

/** Throws `bad-input` when the text is not `namespace/name`. */
export function parseTargetKey(text: string): { readonly namespace: string; readonly name: string } {
  const [namespace, name, ...rest] = text.split("/");
  if (!namespace || !name || rest.length > 0) {
    throw new Fault("bad-input", { message: `expected NAMESPACE/NAME, found ${JSON.stringify(text)}.` });
  }
  return { namespace, name };
}
