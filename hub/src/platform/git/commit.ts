import type { Commit, CommitInfo } from "../../sources/model.ts";

/** Reads a commit object's text: tree, author's name, subject, time of the commit. */
export function parseCommit(oid: string, bytes: Uint8Array): CommitInfo & { readonly tree: string } {
  const text = new TextDecoder().decode(bytes);
  const end = text.indexOf("\n\n");
  const head = end < 0 ? text : text.slice(0, end);
  const subject =
    end < 0
      ? ""
      : (text
          .slice(end + 2)
          .trimStart()
          .split("\n")[0] ?? "");
  const seconds = Number(/^committer .*> (-?\d+) [+-]\d+$/m.exec(head)?.[1] ?? 0);
  return {
    commit: oid as Commit,
    tree: /^tree ([0-9a-f]+)$/m.exec(head)?.[1] ?? "",
    author: (/^author (.*?) ?<[^\n]*$/m.exec(head)?.[1] ?? "").slice(0, 200),
    subject: subject.slice(0, 200),
    committedAt: seconds * 1000,
  };
}

/** The id that an annotated tag points at. */
export function parseTag(bytes: Uint8Array): string | undefined {
  return /^object ([0-9a-f]+)$/m.exec(new TextDecoder().decode(bytes))?.[1];
}
