/**
 * Listings: what servers outside answer to a generator: pull requests, repositories and their branches, a plugin's
 * parameters. One query is asked once, whoever needs it. A query that fails keeps its last complete answer, with the
 * fault and the answer's age beside it (promise 3): an answer is whole, or it is none.
 */
import type { Fault, Instant } from "@capstan/proto";
import type { JsonObject } from "../documents/model.ts";
import { canonicalJson } from "../yaml/canonical.ts";

/** One key of a Secret of Argo CD's, named as a set names it; the hub's config says where its value is. */
export interface SecretKeyRef {
  readonly secretName: string;
  readonly key: string;
}

/** One key of a ConfigMap document. */
export interface ConfigMapKeyRef {
  readonly configMapName: string;
  readonly key: string;
}

interface AnyQuery {
  /** Of the set: Secrets and ConfigMaps are looked up in it. */
  readonly namespace: string;
  /** How long an answer counts as fresh, in seconds. No part of the query's identity. */
  readonly everySeconds: number;
}

/** The open pull requests of one repository. */
export interface PullRequestQuery extends AnyQuery {
  readonly kind: "pullRequests";
  /** `pullRequest` of the set, with the provider's fields only. */
  readonly spec: JsonObject;
}

/** The repositories of an organisation, their branches and whether paths exist in them. */
export interface RepositoryQuery extends AnyQuery {
  readonly kind: "repositories";
  /** `scmProvider` of the set: provider, filters and clone protocol. */
  readonly spec: JsonObject;
}

/** What a plugin answers. */
export interface PluginQuery extends AnyQuery {
  readonly kind: "plugin";
  /** The set's name, which the plugin is told. */
  readonly set: string;
  readonly spec: JsonObject;
}

export type ListingQuery = PullRequestQuery | RepositoryQuery | PluginQuery;

/** A pull request, or a merge request. */
export interface PullRequest {
  readonly number: string;
  readonly title: string;
  readonly branch: string;
  readonly targetBranch: string;
  readonly headSha: string;
  readonly labels: readonly string[];
  readonly author: string;
}

/** A repository as its host lists it. */
export interface HostedRepository {
  readonly organization: string;
  readonly repository: string;
  /** Number or text, as the host has it. */
  readonly repositoryId: number | string;
  readonly url: string;
  readonly defaultBranch: string;
  readonly labels: readonly string[];
}

/** A branch of a repository. */
export interface HostedBranch extends HostedRepository {
  readonly branch: string;
  readonly sha: string;
}

/** A whole answer. */
export type Listing =
  | { readonly kind: "pullRequests"; readonly items: readonly PullRequest[] }
  | { readonly kind: "repositories"; readonly items: readonly HostedBranch[] }
  | { readonly kind: "plugin"; readonly items: readonly JsonObject[] };

/** What is known of a query. Without `listing` it never succeeded; with both it is the last complete answer. */
export interface ListingState {
  readonly listing?: Listing;
  /** When the listing was whole. */
  readonly asOf?: Instant;
  /** Why the last try failed; absent while all is well. */
  readonly fault?: Fault;
}

/** Answers that are there; undefined: nobody has asked yet. */
export interface ListingSnapshot {
  get(query: ListingQuery): ListingState | undefined;
}

/** Identity of a query: equal queries have one answer. */
export function listingKey(query: ListingQuery): string {
  const { everySeconds: _, ...identity } = query;
  return canonicalJson(identity as unknown as JsonObject);
}
