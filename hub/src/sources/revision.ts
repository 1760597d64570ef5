import { Fault } from "@capstan/proto";
import type { Revision } from "./model.ts";
import { highest, isRange } from "./version.ts";

// What git check-ref-format refuses, and a leading dash, so that no revision is ever taken for an option or an expression.
// biome-ignore lint: control characters are meant
const forbidden = /[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^[-/.]|[/.]$|\.lock$|\/\./;

/**
 * Reads a `targetRevision`: nothing or `HEAD`, a full SHA, `refs/heads/…` or `refs/tags/…`, a range of versions, or a
 * name. Throws `bad-input`.
 */
export function parseRevision(text: string | undefined): Revision {
  const revision = (text ?? "").trim();
  if (revision === "" || revision === "HEAD") return { kind: "head" };
  if (/^[0-9a-f]{40}$/i.test(revision)) return { kind: "commit", sha: revision.toLowerCase() };
  if (revision.length <= 255 && isRange(revision)) return { kind: "range", range: revision };
  if (revision.length > 255 || forbidden.test(revision)) {
    throw new Fault("bad-input", {
      message: `expected a branch, a tag, a commit's SHA, a range of versions or HEAD, found ${JSON.stringify(revision.slice(0, 80))}.`,
      where: { revision: revision.slice(0, 80) },
    });
  }
  if (/^refs\/(heads|tags)\/./.test(revision)) return { kind: "ref", ref: revision };
  return { kind: "name", name: revision };
}

/** The full ref names and object names to try in the mirror, in order. `tags`: the repository's, without `refs/tags/`. */
export function candidates(revision: Revision, tags: readonly string[]): readonly string[] {
  switch (revision.kind) {
    case "head":
      return ["refs/capstan/HEAD"];
    case "commit":
      return [revision.sha];
    case "ref":
      return [revision.ref];
    case "range": {
      // A branch may be called `x` or `1.x`, and whoever names it so means it.
      const branch = forbidden.test(revision.range) ? [] : [`refs/heads/${revision.range}`];
      const tag = highest(revision.range, tags);
      return tag === undefined ? branch : [...branch, `refs/tags/${tag}`];
    }
    case "name": {
      const names = [`refs/heads/${revision.name}`, `refs/tags/${revision.name}`];
      // As `origin/main` is written by those who think in remotes.
      if (revision.name.startsWith("origin/")) names.push(`refs/heads/${revision.name.slice("origin/".length)}`);
      if (/^[0-9a-f]{7,39}$/i.test(revision.name)) names.push(revision.name.toLowerCase());
      return names;
    }
  }
}

/** The revision as it was written. */
export function revisionText(revision: Revision): string {
  switch (revision.kind) {
    case "head":
      return "HEAD";
    case "commit":
      return revision.sha;
    case "ref":
      return revision.ref;
    case "range":
      return revision.range;
    case "name":
      return revision.name;
  }
}
