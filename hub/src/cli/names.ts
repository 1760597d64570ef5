import { Fault } from "@capstan/proto";
import type { Release } from "@capstan/proto/desired";

/** Reads `k=v` words. Throws `bad-input`. */
export function parsePairs(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf("=");
      if (equals > 0) return [word.slice(0, equals), word.slice(equals + 1)];
      throw new Fault("bad-input", {
        message: `expected KEY=VALUE, found ${JSON.stringify(word)}.`,
        next: "For example env=prod.",
      });
    }),
  );
}

/** Reads `k=v` to set and `k-` to remove, as kubectl label does. An empty value removes. */
export function parseChanges(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.flatMap((word) => (/^[^=]+-$/.test(word) ? [[word.slice(0, -1), ""]] : Object.entries(parsePairs([word])))),
  );
}

/** A commit as people say it. */
export function shortCommit(commit: string): string {
  return commit.slice(0, 7);
}

/** `"raise cart limit" (9c1f2e0, mira)`; never a bare digest where more is known. */
export function releaseText(release: Release | undefined): string {
  if (release === undefined) return "-";
  const { commit, author, subject, id } = release;
  const by = [shortCommit(commit), author].filter((part) => part !== "").join(", ");
  if (subject !== "") return `"${subject}"${by === "" ? "" : ` (${by})`}`;
  return by === "" ? shortDigest(id) : by;
}

/** `9c1f2e0 raise cart limit`, for a cell. */
export function releaseCell(release: Release | undefined): string {
  if (release === undefined) return "-";
  const text = [shortCommit(release.commit), release.subject].filter((part) => part !== "").join(" ");
  return text === "" ? shortDigest(release.id) : text;
}

/** The first 12 digits of a digest. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}

/** `NAMESPACE/NAME`; the name alone without a namespace. */
export function qualified({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

/** `SET:LANE`, or `LANE` of a standalone Application; the usual namespace is left out. */
export function laneText(set: string, lane: string): string {
  return set === "" ? lane : `${plainName(set)}:${lane}`;
}

/** A name without the namespace in which Argo CD's documents usually are. */
export function plainName(name: string): string {
  return name.replace(/^argocd\//, "");
}

/** `a=1,b=2`, ordered; `-` without labels. */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? "-" : pairs.sort().join(",");
}

/**
 * What a reason says beyond the name and the state that stand before it on the same screen:
 * `team:web "x" is paused: canary eu-1 failed` is `canary eu-1 failed`.
 */
export function beyondState(message: string, state: string): string {
  const words = ` is ${state.toLowerCase()}: `;
  const at = message.indexOf(words);
  return state === "" || at < 0 ? message : message.slice(at + words.length);
}
