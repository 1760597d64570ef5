import { Fault } from "@capstan/proto";
import type { Repository, RepositoryKey } from "./model.ts";

const fetchable = new Set(["http:", "https:", "ssh:", "file:"]);

/**
 * Where a source is to be found, in one text that `parseRepository` reads: the URL of its repository, with the chart's
 * name behind it where it names one. A chart's repository without a scheme is an OCI registry, as with Argo CD.
 */
export function locationOf(source: { readonly repoURL: string; readonly chart?: string | undefined }): string {
  if (source.chart === undefined || source.chart === "") return source.repoURL;
  const url = source.repoURL.includes("://") ? source.repoURL : `oci://${source.repoURL}`;
  return `${url.replace(/[#?].*$/, "").replace(/\/+$/, "")}${chartMark}${source.chart}`;
}

/**
 * Reads a repository's location: `http(s)://…`, `ssh://…`, `git@HOST:PATH`, `file:///…` or an absolute path for Git, `oci://…` for an artifact of a
 * registry, and what `locationOf` makes for a chart. A user or password in the URL is refused, because URLs are shown to
 * people. Throws `bad-input`.
 */
export function parseRepository(text: string): Repository {
  const mark = text.indexOf(chartMark);
  if (mark >= 0) return chartRepository(text.slice(0, mark), text.slice(mark + chartMark.length));
  if (/^oci:\/\//i.test(text.trim())) return registryRepository(text.trim());
  return gitRepository(text);
}

const chartMark = "#chart=";

function chartRepository(repoURL: string, chart: string): Repository {
  if (!/^[A-Za-z0-9][A-Za-z0-9._/-]{0,250}$/.test(chart) || chart.includes("..")) {
    throw new Fault("bad-input", {
      message: `expected the name of a chart, found ${JSON.stringify(chart.slice(0, 80))}.`,
      where: { field: "source.chart" },
    });
  }
  if (/^oci:\/\//i.test(repoURL)) {
    const { url } = registryRepository(`${repoURL}/${chart}`);
    return { key: `${url}${chartMark}${chart}` as RepositoryKey, url, transport: "oci", chart };
  }
  const { url } = gitRepository(repoURL);
  if (!url.startsWith("http")) throw notReachable(repoURL, "a chart repository");
  return { key: `${url}${chartMark}${chart}` as RepositoryKey, url, transport: "charts", chart };
}

function registryRepository(text: string): Repository {
  const url = URL.parse(text.replace(/^oci:/i, "https:")) ?? undefined;
  const name = url?.pathname.replace(/^\/+|\/+$/g, "") ?? "";
  if (url === undefined || !/^[a-z0-9]+([._/-]+[a-z0-9]+)*$/.test(name)) throw notReachable(text, "an OCI artifact");
  refuseUser(url, text);
  const found = `oci://${url.host}/${name}`;
  return { key: found as RepositoryKey, url: found, transport: "oci" };
}

function gitRepository(text: string): Repository {
  const url = toURL(text);
  if (url === undefined || !fetchable.has(url.protocol) || (url.protocol === "file:" && url.host !== "")) {
    throw notReachable(text, "a Git repository");
  }
  if (url.protocol === "ssh:") return sshRepository(url, text);
  refuseUser(url, text);
  url.hash = "";
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = path;
  const fetchURL = url.href.replace(/\/$/, "");
  return { key: fetchURL.replace(/\.git$/, "") as RepositoryKey, url: fetchURL, transport: "git" };
}

/** Over SSH the user's name is part of the address, and no secret; without one it is `git`. */
function sshRepository(url: URL, text: string): Repository {
  if (url.password !== "") refuseUser(url, text);
  const user = url.username === "" ? "git" : url.username;
  // Neither may look like an option of the programs that it is handed to.
  if (!/^[\w][\w.-]*$/.test(user) || !/^(\[[0-9a-f:]+\]|[a-z0-9][a-z0-9.-]*)$/i.test(url.hostname)) {
    throw notReachable(text, "a Git repository");
  }
  const port = url.port === "22" ? "" : url.port;
  const rest = `${url.hostname.toLowerCase()}${port === "" ? "" : `:${port}`}${url.pathname.replace(/\/+$/, "")}`;
  const key = `ssh://${user === "git" ? "" : `${user}@`}${rest}`.replace(/\.git$/, "");
  return { key: key as RepositoryKey, url: `ssh://${user}@${rest}`, transport: "git" };
}

function refuseUser(url: URL, text: string): void {
  if (url.username === "" && url.password === "") return;
  throw new Fault("bad-input", {
    message: "expected a repository URL without a user or password in it.",
    where: { repository: shown(text) },
    next: "Take it out, and give the credential in the hub's config for this URL's prefix.",
  });
}

function notReachable(text: string, what: string): Fault {
  const schemes =
    what === "an OCI artifact" ? "oci" : what === "a Git repository" ? "http, https, ssh or file" : "http or https";
  return new Fault("bad-input", {
    message: `expected an ${schemes} URL of ${what}, found ${JSON.stringify(shown(text))}.`,
    next: "Write it as https://HOST/PATH, ssh://git@HOST/PATH or oci://HOST/PATH, or as an absolute path on the hub.",
  });
}

/** The key of a repository's URL; undefined where the text is none. */
export function repositoryKeyOf(text: string): RepositoryKey | undefined {
  try {
    return parseRepository(text).key;
  } catch {
    return undefined;
  }
}

/**
 * The host and path of a repository, however it is reached: a forge's webhook may name `https://…` where the hub fetches
 * by SSH. Undefined where the text is no repository.
 */
export function placeOf(text: string): string | undefined {
  const key = repositoryKeyOf(text);
  return key
    ?.replace(/^[a-z]+:\/\/([^/@]*@)?/, "")
    .replace(/^([^/:]+):\d+\//, "$1/")
    .toLowerCase();
}

/** Whether two URLs name the same repository; false where either is none. */
export function sameRepository(one: string, other: string): boolean {
  const key = repositoryKeyOf(one);
  return key !== undefined && key === repositoryKeyOf(other);
}

function toURL(text: string): URL | undefined {
  const trimmed = text.trim();
  // The short form of SSH: a colon instead of the first slash, as in git@host:team/fleet.git.
  const short = /^(?:([\w.-]+)@)?([A-Za-z0-9][A-Za-z0-9.-]*):([^:\s][^\s]*)$/.exec(trimmed);
  if (short !== null && !trimmed.includes("://")) {
    const [, user = "git", host, path = ""] = short;
    return URL.parse(`ssh://${user}@${host}/${path.replace(/^\/+/, "")}`) ?? undefined;
  }
  return URL.parse(trimmed.startsWith("/") ? `file://${encodeURI(trimmed)}` : trimmed) ?? undefined;
}

/** The text without what stands before an `@` in its authority, and bounded. */
function shown(text: string): string {
  return text.replace(/\/\/[^/]*@/, "//").slice(0, 200);
}
