import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "@capstan/proto";
import type { Repository, Revision } from "../../sources/model.ts";
import { revisionText } from "../../sources/revision.ts";
import { highest, parseVersion } from "../../sources/version.ts";
import { writeFileAtomic } from "../disk/files.ts";
import type { Fetching, GitBackend, GitObject, ReadOptions } from "../git/backend.ts";
import type { HttpClient } from "../http/client.ts";
import { ChartRepository } from "./charts.ts";
import { aliasTag, importPackage, initMirror } from "./import.ts";
import type { Asking, Listing, PackageSource, Version } from "./port.ts";
import { OciRegistry } from "./registry.ts";
import { unpack } from "./unpack.ts";

/** What is known of a package's mirror besides its objects; a file beside them. */
interface Known {
  readonly listing: Listing;
  /** Archive digests by the names that were downloaded. */
  readonly held: Readonly<Record<string, string>>;
}

const knownFile = "capstan-package.json";

/**
 * Charts and OCI artifacts as mirrors like those of Git repositories: each version that is used becomes a commit under
 * its tag. Git repositories go to the backend below, and so do all reads.
 */
export class PackageBackend implements GitBackend {
  readonly #git: GitBackend;
  readonly #sources: Readonly<Record<"charts" | "oci", PackageSource>>;

  /** `plain`: hosts of registries that are spoken to without TLS. */
  constructor(git: GitBackend, http: HttpClient, plain: ReadonlySet<string>) {
    this.#git = git;
    this.#sources = { charts: new ChartRepository(http), oci: new OciRegistry(http, (host) => plain.has(host)) };
  }

  get name(): GitBackend["name"] {
    return this.#git.name;
  }

  async fetch(directory: string, fetching: Fetching): Promise<void> {
    const source = this.#sourceOf(fetching.repository);
    if (source === undefined) await this.#git.fetch(directory, fetching);
    else if (fetching.wanted === undefined) await this.#look(directory, fetching, source);
    else await this.#bring(directory, fetching, source, fetching.wanted);
  }

  object(directory: string, name: string, options: ReadOptions): Promise<GitObject | undefined> {
    return this.#git.object(directory, name, options);
  }

  /** For packages also those that were not downloaded yet. */
  async tags(directory: string): Promise<readonly string[]> {
    const known = await readKnown(directory);
    if (known === undefined) return await this.#git.tags(directory);
    return known.listing.versions.map(({ name }) => name);
  }

  async doubt(directory: string, name: string): Promise<Fault | undefined> {
    const known = await readKnown(directory);
    const version = name.replace(/^refs\/tags\//, "");
    const held = known?.held[version];
    const listed = known?.listing.versions.find((each) => each.name === version)?.digest;
    if (held === undefined || listed === undefined || bare(listed) === bare(held)) return undefined;
    return new Fault("digest-mismatch", {
      message: `version ${version} was published anew with other content; what was fetched first is kept.`,
      next: "Publish changed content under a new version.",
    });
  }

  async close(): Promise<void> {
    await this.#git.close();
  }

  #sourceOf({ transport }: Repository): PackageSource | undefined {
    return transport === "git" ? undefined : this.#sources[transport];
  }

  /** What is on offer now, and the content of tags that may move. */
  async #look(directory: string, fetching: Fetching, source: PackageSource): Promise<void> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await initMirror(directory);
    const known = await readKnown(directory);
    const listing = await source.list(fetching, known?.listing);
    if (listing !== undefined) await writeKnown(directory, { listing, held: known?.held ?? {} });
    for (const name of Object.keys(known?.held ?? {})) {
      if (!source.isFixed(name)) await this.#download(directory, fetching, source, [{ name }, name]);
    }
  }

  async #bring(directory: string, fetching: Fetching, source: PackageSource, wanted: Revision): Promise<void> {
    const known = await readKnown(directory);
    const version = chosen(wanted, known?.listing.versions ?? []);
    const asked = revisionText(wanted);
    if (version !== undefined) await this.#download(directory, fetching, source, [version, asked]);
    else if (fetching.repository.transport === "oci" && (wanted.kind === "name" || wanted.kind === "ref")) {
      // Not listed, as where listing is not allowed: the registry itself says whether it is there.
      const name = asked.replace(/^refs\/tags\//, "");
      await this.#download(directory, fetching, source, [{ name }, name]);
    } else throw noVersion(fetching, asked, known?.listing.versions ?? []);
  }

  async #download(
    directory: string,
    fetching: Fetching,
    source: PackageSource,
    [version, asked]: readonly [Version, string],
  ): Promise<void> {
    const { repository } = fetching;
    const alias = parseVersion(asked) === undefined ? version.name : asked;
    const before = await readKnown(directory);
    const held = before?.held[version.name];
    if (held !== undefined && source.isFixed(version.name)) {
      await aliasTag(directory, version.name, alias);
      return;
    }
    const { digest, bytes, wrapped, version: found } = await source.download(fetching, version);
    if (held === digest) return;
    const what = repository.chart ?? repository.url.slice(repository.url.lastIndexOf("/") + 1);
    await importPackage(directory, {
      files: await unpack(bytes, wrapped),
      origin: new URL(repository.url.replace(/^oci:/, "https:")).host,
      subject: `${what} ${found.name}${found.appVersion === undefined ? "" : ` (app ${found.appVersion})`}`,
      published: Math.floor((found.publishedAt ?? 0) / 1000),
      tags: [...new Set([version.name, alias])],
    });
    const listing = before?.listing ?? { versions: [] };
    await writeKnown(directory, { listing, held: { ...before?.held, [version.name]: digest } });
  }
}

/** The version that a revision means; versions are the same as `v1.2` and `1.2.0`. */
function chosen(wanted: Revision, versions: readonly Version[]): Version | undefined {
  if (wanted.kind === "range" || wanted.kind === "head") {
    const name = highest(
      wanted.kind === "head" ? "*" : wanted.range,
      versions.map((each) => each.name),
    );
    return versions.find((each) => each.name === name);
  }
  const text = revisionText(wanted).replace(/^refs\/tags\//, "");
  const exact = versions.find((each) => each.name === text);
  if (exact !== undefined) return exact;
  const meant = parseVersion(text);
  return versions.find((each) => meant !== undefined && parseVersion(each.name)?.compare(meant) === 0);
}

function noVersion({ repository }: Asking, asked: string, versions: readonly Version[]): Fault {
  const newest = highest(
    "*",
    versions.map(({ name }) => name),
  );
  return new Fault("revision-not-found", {
    message: `${repository.chart === undefined ? "the artifact" : `chart ${repository.chart}`} has no version ${JSON.stringify(asked)}${newest === undefined ? "" : `; the newest is ${newest}`}.`,
    where: { repository: repository.url, revision: asked },
    next: "Check targetRevision.",
  });
}

async function readKnown(directory: string): Promise<Known | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, knownFile), "utf8")) as Known;
  } catch (thrown) {
    if ((thrown as { code?: string }).code === "ENOENT" || thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

async function writeKnown(directory: string, known: Known): Promise<void> {
  await writeFileAtomic(join(directory, knownFile), JSON.stringify(known));
}

function bare(digest: string): string {
  return digest.replace(/^sha256:/, "");
}
