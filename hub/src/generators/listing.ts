import { Fault, type Instant } from "@capstan/proto";
import type { JsonObject } from "../documents/model.ts";
import type { Listing, ListingQuery } from "../listings/model.ts";
import type { GenerateContext } from "./context.ts";

/** What every generator that asks a server has. */
export interface AskingGenerator {
  readonly requeueAfterSeconds?: number | bigint;
  readonly values?: Readonly<Record<string, string>>;
}

/** Argo CD's: half an hour. */
const defaultEverySeconds = 1800;

/** How often the generator wants to be asked, in seconds. */
export function everySeconds({ requeueAfterSeconds }: AskingGenerator): number {
  const given = Number(requeueAfterSeconds ?? 0);
  return given > 0 ? given : defaultEverySeconds;
}

/** The fields of a generator that are no part of its question. */
export function askedOf(generator: object, own: readonly string[] = []): JsonObject {
  const left = new Set(["requeueAfterSeconds", "values", "template", ...own]);
  return Object.fromEntries(Object.entries(generator).filter(([name]) => !left.has(name))) as JsonObject;
}

/**
 * The last complete answer to a query. Undefined: it is asked first. An old answer serves on, and its fault is told with
 * the answer's moment: then nothing is removed. Throws why there is no answer at all.
 */
export function listingOf<Kind extends Listing["kind"]>(
  context: GenerateContext,
  query: ListingQuery & { readonly kind: Kind },
  path: string,
): Extract<Listing, { kind: Kind }> | undefined {
  if (context.input.listings === undefined) {
    throw new Fault("unsupported", {
      message: "this generator asks a server, which only the hub does.",
      next: "Let the hub generate the set.",
    });
  }
  const state = context.input.listings.get(query);
  if (state === undefined) {
    context.needListing(query);
    return undefined;
  }
  const { listing, asOf, fault } = state;
  if (fault !== undefined && (listing === undefined || asOf === undefined)) throw fault;
  if (fault !== undefined && asOf !== undefined)
    context.fail(stale(fault, asOf), { generator: path, step: "generator" });
  return listing as Extract<Listing, { kind: Kind }>;
}

function stale(fault: Fault, asOf: Instant): Fault {
  const moment = new Date(asOf).toISOString();
  return new Fault(fault.code, {
    message: `${fault.message} The last complete listing, of ${moment}, stays.`,
    where: fault.where,
    ...(fault.next === undefined ? {} : { next: fault.next }),
  });
}
