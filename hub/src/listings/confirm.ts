import type { JsonObject } from "../documents/model.ts";
import { canonicalJson } from "../yaml/canonical.ts";
import type { Listing } from "./model.ts";

/** What of a listing stays itself while its details change. */
function identities(listing: Listing): ReadonlyMap<string, Listing["items"][number]> {
  switch (listing.kind) {
    case "pullRequests":
      return new Map(listing.items.map((item) => [item.number, item] as const));
    case "repositories":
      return new Map(
        listing.items.map((item) => [`${item.organization}/${item.repository} ${item.branch}`, item] as const),
      );
    case "plugin":
      return new Map(listing.items.map((item) => [canonicalJson(item as JsonObject), item] as const));
  }
}

/** Whether a listing lacks something that an earlier one had. */
export function lacks(now: Listing, before: Listing): boolean {
  const found = identities(now);
  return [...identities(before).keys()].some((id) => !found.has(id));
}

/**
 * Two listings made one after the other. A list that is read page by page, while something before the next page goes,
 * passes over what moved up: only what both lack has gone.
 */
export function confirmed(first: Listing, second: Listing): Listing {
  const found = identities(second);
  const missed = [...identities(first)].filter(([id]) => !found.has(id)).map(([, item]) => item);
  return { kind: second.kind, items: [...second.items, ...missed] } as Listing;
}
