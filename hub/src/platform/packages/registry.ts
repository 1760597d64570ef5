import { createHash } from "node:crypto";
import { Fault } from "@capstan/proto";
import type { Credential } from "../../sources/model.ts";
import { parseVersion } from "../../sources/version.ts";
import type { HttpClient } from "../http/client.ts";
import type { Reply } from "../http/exchange.ts";
import { expectOk } from "./answer.ts";
import type { Asking, Download, Listing, PackageSource, Version } from "./port.ts";

const documentLimit = 4 * 1024 * 1024;
const layerLimit = 50 * 1024 * 1024;
const mostPages = 200;
const chartLayer = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const manifestTypes = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** An OCI registry: Helm charts as Helm pushes them, and artifacts whose one layer is a gzipped tar. */
export class OciRegistry implements PackageSource {
  readonly #http: HttpClient;
  /** Host names that are spoken to without TLS. */
  readonly #plain: (host: string) => boolean;

  constructor(http: HttpClient, plain: (host: string) => boolean) {
    this.#http = http;
    this.#plain = plain;
  }

  /** Tags. A registry that lets nobody list them serves exact versions all the same. */
  async list(asking: Asking): Promise<Listing | undefined> {
    const versions: Version[] = [];
    let url: string | undefined = `${this.#base(asking)}/tags/list?n=1000`;
    for (let pages = 0; url !== undefined && pages < mostPages; pages++) {
      const answer = await this.#get(asking, url, documentLimit);
      if (answer.status === 404) return { versions: [] };
      expectOk(answer, "the tags of the OCI repository", asking.repository.url);
      const { tags } = json(answer, asking) as { tags?: unknown };
      for (const tag of Array.isArray(tags) ? tags : []) {
        // A tag cannot hold "+", which begins a version's build metadata: Helm writes "_".
        if (typeof tag === "string") versions.push({ name: tag.replaceAll("_", "+") });
      }
      url = nextPage(answer, url);
    }
    return { versions };
  }

  async download(asking: Asking, version: Version): Promise<Download> {
    const { repository } = asking;
    const reference = version.name.replaceAll("+", "_");
    const answer = await this.#get(asking, `${this.#base(asking)}/manifests/${reference}`, documentLimit);
    if (answer.status === 404) throw noTag(asking, version.name);
    expectOk(answer, `the manifest of ${version.name}`, repository.url);
    const layer = layerOf(json(answer, asking), asking);
    const blob = await this.#get(asking, `${this.#base(asking)}/blobs/${layer.digest}`, layerLimit);
    expectOk(blob, `the content of ${version.name}`, repository.url);
    const digest = `sha256:${createHash("sha256").update(blob.body).digest("hex")}`;
    if (digest !== layer.digest) {
      throw new Fault("digest-mismatch", {
        message: `the registry's content of ${version.name} is not what its manifest says: expected ${layer.digest}, found ${digest}.`,
        where: { repository: repository.url },
      });
    }
    const created = layer.created === undefined ? Number.NaN : Date.parse(layer.created);
    const known = Number.isFinite(created) ? { ...version, publishedAt: created } : version;
    return { version: known, digest, bytes: blob.body, wrapped: layer.mediaType === chartLayer };
  }

  isFixed(name: string): boolean {
    return parseVersion(name) !== undefined;
  }

  #base({ repository }: Asking): string {
    const { host, hostname, pathname } = new URL(repository.url.replace(/^oci:/, "https:"));
    return `${this.#plain(hostname) ? "http" : "https"}://${host}/v2${pathname}`;
  }

  /** Asks, and signs in where the registry demands it (the token protocol of the distribution specification). */
  async #get(asking: Asking, url: string, limitBytes: number): Promise<Reply> {
    const { signal, credential } = asking;
    const headers = { accept: `${manifestTypes}, application/json, */*;q=0.1` };
    const first = await this.#http.get({ url, headers, limitBytes, signal });
    if (first.status !== 401) return first;
    const challenge = parseChallenge(first.headers["www-authenticate"] ?? "");
    if (challenge === undefined) return await this.#http.get({ url, headers, credential, limitBytes, signal });
    const token = await this.#token(challenge, asking, url);
    return await this.#http.get({ url, headers, credential: { kind: "bearer", token }, limitBytes, signal });
  }

  async #token(challenge: Challenge, { repository, credential, signal }: Asking, from: string): Promise<string> {
    const realm = new URL(challenge.realm);
    if (challenge.service !== undefined) realm.searchParams.set("service", challenge.service);
    const name = new URL(repository.url.replace(/^oci:/, "https:")).pathname.slice(1);
    realm.searchParams.set("scope", challenge.scope ?? `repository:${name}:pull`);
    const asked = { url: realm.href, limitBytes: documentLimit, signal, namedBy: from };
    const answer = await this.#http.get(credential === undefined ? asked : { ...asked, credential: basic(credential) });
    expectOk(answer, "signing in at the OCI registry", repository.url);
    const { token, access_token: other } = JSON.parse(new TextDecoder().decode(answer.body)) as Record<string, unknown>;
    const found = token ?? other;
    if (typeof found === "string") return found;
    throw new Fault("repository-auth", {
      message: "expected a token from the OCI registry, found none.",
      where: { repository: repository.url },
    });
  }
}

/** A token service takes a user and a password; of a bearer secret the user has no say. */
function basic(credential: Credential): Credential {
  return credential.kind === "bearer"
    ? { kind: "basic", username: "oauth2accesstoken", password: credential.token }
    : credential;
}

interface Challenge {
  readonly realm: string;
  readonly service?: string;
  readonly scope?: string;
}

/** `Bearer realm="…",service="…",scope="…"`; undefined for another scheme. */
function parseChallenge(text: string): Challenge | undefined {
  const found = /^Bearer\s+(.*)$/i.exec(text.trim());
  if (found === null) return undefined;
  const parts = Object.fromEntries(
    [...(found[1] ?? "").matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name?.toLowerCase(), value]),
  ) as Record<string, string | undefined>;
  const { realm, service, scope } = parts;
  if (realm === undefined || URL.parse(realm) === null) return undefined;
  return { realm, ...(service === undefined ? {} : { service }), ...(scope === undefined ? {} : { scope }) };
}

interface Layer {
  readonly mediaType: string;
  readonly digest: string;
  readonly created?: string;
}

/** The one layer with the files: a chart's own, else the only gzipped tar. */
function layerOf(manifest: unknown, { repository }: Asking): Layer {
  const { layers, annotations } = manifest as { layers?: unknown; annotations?: Record<string, unknown> };
  const all = (Array.isArray(layers) ? layers : []) as { mediaType?: string; digest?: string }[];
  const chart = all.filter(({ mediaType }) => mediaType === chartLayer);
  const archives = all.filter(({ mediaType }) => /tar\+gzip|tar\.gzip/.test(mediaType ?? ""));
  const [layer, second] = chart.length > 0 ? chart : archives;
  if (layer?.digest === undefined || second !== undefined || !/^sha256:[0-9a-f]{64}$/.test(layer.digest)) {
    throw new Fault("bad-input", {
      message: `expected one layer with a chart or a gzipped tar, found ${all.length} layers.`,
      where: { repository: repository.url },
      next: "Push the artifact with `helm push`, or with one layer of application/vnd.oci.image.layer.v1.tar+gzip.",
    });
  }
  const created = annotations?.["org.opencontainers.image.created"];
  const known = { mediaType: layer.mediaType ?? "", digest: layer.digest };
  return typeof created === "string" ? { ...known, created } : known;
}

function nextPage(answer: Reply, url: string): string | undefined {
  const found = /<([^>]+)>\s*;\s*rel="?next"?/i.exec(answer.headers["link"] ?? "");
  const next = found === null ? undefined : (URL.parse(found[1] ?? "", url) ?? undefined);
  // The credential goes along: to the same host only.
  return next?.origin === new URL(url).origin ? next.href : undefined;
}

function json(answer: Reply, { repository }: Asking): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(answer.body)) as unknown;
  } catch (cause) {
    throw new Fault("repository-unreachable", {
      message: "expected JSON from the OCI registry, found something else.",
      where: { repository: repository.url },
      cause,
    });
  }
}

function noTag({ repository }: Asking, tag: string): Fault {
  return new Fault("revision-not-found", {
    message: `the OCI repository has no tag ${JSON.stringify(tag)}.`,
    where: { repository: repository.url, revision: tag },
    next: "Check targetRevision, or push it.",
  });
}
