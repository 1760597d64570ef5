import { Fault } from "@capstan/proto";
import type { Api } from "../api.ts";
import type { HostedBranch, HostedRepository, PullRequest, SecretKeyRef } from "../model.ts";

/** Questions about single repositories under way at once: hosts limit how many they take of one user. */
export const atOnce = 8;

/** How a generator signs in; the names are those of the set. */
export type SignIn =
  | { readonly kind: "none" }
  /** A token in the way that the provider wants it. */
  | { readonly kind: "token"; readonly ref: SecretKeyRef }
  | { readonly kind: "bearer"; readonly ref: SecretKeyRef }
  | { readonly kind: "basic"; readonly username: string; readonly ref: SecretKeyRef }
  /** An installation of a GitHub App. */
  | { readonly kind: "app"; readonly secretName: string };

/** Where a provider's API is. */
export interface Server {
  /** Base URL of the API, without a slash at the end. */
  readonly url: string;
  readonly isPublic: boolean;
}

/** A host of repositories as `scmProvider` sees it. */
export interface RepositoryHost {
  repositories(protocol: CloneProtocol): Promise<readonly HostedRepository[]>;
  /** The default branch, or all of them. A repository without the branch gives none. */
  branches(repository: HostedRepository): Promise<readonly HostedBranch[]>;
  hasPath(branch: HostedBranch, path: string): Promise<boolean>;
}

export type CloneProtocol = "ssh" | "https";

/** One provider of either generator: how its fields are read, and how it is asked. */
export interface Provider<Config> {
  server(config: Config): Server;
  signIn(config: Config): SignIn;
  /** Header that carries a token of kind `token`. */
  tokenHeader(token: string): Readonly<Record<string, string>>;
}

/** Lists pull requests. */
export interface PullRequestProvider<Config> extends Provider<Config> {
  pullRequests(api: Api, config: Config): Promise<readonly PullRequest[]>;
}

/** Lists repositories. */
export interface RepositoryProvider<Config> extends Provider<Config> {
  host(api: Api, config: Config): RepositoryHost;
}

/** A token's fields, if there are any. */
export function tokenSignIn(ref: SecretKeyRef | undefined): SignIn {
  return ref === undefined ? { kind: "none" } : { kind: "token", ref };
}

/** `Authorization: Bearer`. */
export function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}

/** The server that a set names, or the provider's own. Throws `bad-input`. */
export function serverOf(api: string | undefined, own: string, path = ""): Server {
  const given = (api ?? "").replace(/\/+$/, "");
  if (given === "") return { url: own, isPublic: true };
  const url = URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "") {
    throw new Fault("bad-input", {
      message: "api must be an http or https URL without a user in it.",
      where: { field: "api" },
      next: "Write it as https://HOST/PATH.",
    });
  }
  const whole = path === "" || given.endsWith(path) ? given : `${given}${path}`;
  return { url: whole, isPublic: whole === own };
}

/** All labels are there. */
export function hasLabels(wanted: readonly string[] | undefined, found: readonly string[]): boolean {
  return (wanted ?? []).every((label) => found.includes(label));
}

/** A part of a path. */
export function part(text: string): string {
  return encodeURIComponent(text);
}

/** A path whose parts are encoded and whose slashes are kept. */
export function parts(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** `?a=b`; what is undefined is left out. */
export function query(values: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value !== undefined) search.set(key, String(value));
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}
