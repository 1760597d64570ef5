import { type ClusterId, type Digest, digestHex } from "../identity/names.ts";

/**
 * Keys and subjects that hub and agents share (the rest of the key grammar is the hub's own).
 * Agents stand in account AGENTS, which has no JetStream: it imports the two direct-get services and the hints.
 */

/** Key of a cluster's signed desired state in bucket `state`. */
export function desiredKey(cluster: ClusterId): string {
  return `desired.${cluster}`;
}

/** Where an agent asks for its desired state: a request with an empty body, answered with the stored bytes. */
export function desiredRequestSubject(cluster: ClusterId): string {
  return `get.desired.${cluster}`;
}

/** Subject of chunk `n` of a bundle in stream `bundles`. */
export function chunkSubject(digest: Digest, chunk: number): string {
  return `bundle.${digestHex(digest)}.${chunk}`;
}

/** Where an agent asks for a chunk: JetStream's direct get by subject, a request with an empty body. */
export function chunkRequestSubject(digest: Digest, chunk: number): string {
  return `$JS.API.DIRECT.GET.bundles.${chunkSubject(digest, chunk)}`;
}

/** Core subject of "your desired state has revision N"; the body is N in decimal. */
export function hintSubject(cluster: ClusterId): string {
  return `hint.${cluster}`;
}

/** The only inbox prefix that an agent may subscribe to. */
export function inboxPrefix(cluster: ClusterId): string {
  return `_INBOX_${cluster}`;
}
