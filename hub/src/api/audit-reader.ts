import { decodeEntry, type Hash, untangle, verifyChain } from "../audit/chain.ts";
import { type AuditEntry, chainStart } from "../audit/model.ts";

/** Entries that one reading of the audit looks at: the newest so many. */
export const auditReach = 20_000;

/** Stored rows as entries, oldest first, those of a stale leader among them, and whether the chain that counts holds. */
export function readAudit(
  rows: readonly { readonly value: Uint8Array }[],
  hash: Hash,
): { readonly entries: readonly AuditEntry[]; readonly intact: boolean } {
  const entries = rows.map(({ value }) => decodeEntry(value)).filter((entry) => entry !== undefined);
  const { main } = untangle(entries);
  const [first] = main;
  // The rows may begin in the middle of the chain.
  const from =
    first === undefined
      ? { index: 0n, hash: chainStart }
      : { index: first.index - 1n, hash: first.previous || chainStart };
  const readable = entries.length === rows.length;
  return { entries, intact: readable && verifyChain(main, hash, from) === undefined };
}
