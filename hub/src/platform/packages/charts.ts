import { createHash } from "node:crypto";
import { Fault } from "@capstan/proto";
import { readYaml } from "../../yaml/read.ts";
import type { HttpClient } from "../http/client.ts";
import { expectOk } from "./answer.ts";
import type { Asking, Download, Listing, PackageSource, Version } from "./port.ts";

const indexLimit = 100 * 1024 * 1024;
const chartLimit = 20 * 1024 * 1024;

/** A Helm repository: `index.yaml` over HTTP, and archives that it names. */
export class ChartRepository implements PackageSource {
  readonly #http: HttpClient;

  constructor(http: HttpClient) {
    this.#http = http;
  }

  async list(asking: Asking, before: Listing | undefined): Promise<Listing | undefined> {
    const { repository, credential, signal } = asking;
    const url = `${repository.url}/index.yaml`;
    const headers = before?.etag === undefined ? {} : { "if-none-match": before.etag };
    const answer = await this.#http.get({ url, headers, credential, limitBytes: indexLimit, signal });
    if (answer.status === 304 && before !== undefined) return undefined;
    expectOk(answer, "the index of the chart repository", repository.url);
    const versions = versionsOf(new TextDecoder().decode(answer.body), repository.chart ?? "", url);
    const etag = answer.headers["etag"];
    return etag === undefined ? { versions } : { versions, etag };
  }

  async download(asking: Asking, version: Version): Promise<Download> {
    const { repository, credential, signal } = asking;
    const url = version.url ?? "";
    // Helm sends the repository's credential to other hosts only where `passCredentials` says so.
    const same = URL.parse(url)?.origin === new URL(repository.url).origin;
    const answer = await this.#http.get({
      url,
      credential: same ? credential : undefined,
      limitBytes: chartLimit,
      signal,
    });
    expectOk(answer, `chart ${repository.chart} ${version.name}`, url);
    const digest = createHash("sha256").update(answer.body).digest("hex");
    const said = version.digest?.replace(/^sha256:/, "");
    if (said !== undefined && said !== digest) throw changed(asking, version, digest);
    return { version, digest: `sha256:${digest}`, bytes: answer.body, wrapped: true };
  }

  isFixed(): boolean {
    return true;
  }
}

/** The versions of one chart. A large index holds thousands of others: only this one's part is parsed. */
export function versionsOf(index: string, chart: string, url: string): readonly Version[] {
  const where = { repository: url };
  const entries = entriesOf(index, chart, url);
  if (entries === undefined) {
    throw new Fault("repository-not-found", {
      message: `the chart repository has no chart ${JSON.stringify(chart)}.`,
      where,
      next: "Check source.chart; `helm search repo` lists what is there.",
    });
  }
  return entries.flatMap((entry) => {
    const { version, urls, digest, created, appVersion } = entry as Record<string, unknown>;
    const [archive] = Array.isArray(urls) ? urls : [];
    if (typeof version !== "string" || typeof archive !== "string") return [];
    const found = URL.parse(archive, `${url.slice(0, url.lastIndexOf("/"))}/`);
    if (found === null || !/^https?:$/.test(found.protocol)) return [];
    const publishedAt = typeof created === "string" ? Date.parse(created) : Number.NaN;
    return [
      {
        name: version,
        url: found.href,
        ...(typeof digest === "string" ? { digest } : {}),
        ...(Number.isFinite(publishedAt) ? { publishedAt } : {}),
        ...(typeof appVersion === "string" ? { appVersion } : {}),
      },
    ];
  });
}

function entriesOf(index: string, chart: string, file: string): readonly object[] | undefined {
  const part = partOf(index, chart);
  const value = readYaml(part ?? index, { file })[0]?.value;
  const root = objectOf(value);
  const list = part === undefined ? objectOf(root?.["entries"])?.[chart] : root?.[chart];
  return Array.isArray(list) ? list.filter((entry) => typeof entry === "object" && entry !== null) : undefined;
}

/** The lines of one chart in an index as Helm writes it; undefined where it is written otherwise. */
function partOf(index: string, chart: string): string | undefined {
  const start = index.search(/^entries:[ \t]*$/m);
  if (start < 0) return undefined;
  const at = index.indexOf(`\n  ${chart}:\n`, start);
  if (at < 0) return undefined;
  const rest = index.slice(at + 1);
  const end = rest.slice(1).search(/^( {2}[^ \-\n#]|[^ \n#])/m);
  return end < 0 ? rest : rest.slice(0, end + 1);
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function changed({ repository }: Asking, version: Version, digest: string): Fault {
  return new Fault("digest-mismatch", {
    message: `chart ${repository.chart} ${version.name} is not what the index says: expected ${version.digest}, found ${digest}.`,
    where: { repository: repository.url },
    next: "Ask whoever publishes the chart repository; it may be publishing at this moment.",
  });
}
