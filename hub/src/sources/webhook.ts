import { Fault } from "@capstan/proto";

/** What a push told us: which repositories to look at. Nothing else of it is believed. */
export interface PushHint {
  readonly repositoryURLs: readonly string[];
  /** As `refs/heads/main`; undefined for events that name none. */
  readonly ref?: string;
}

/** The parts of a request that a webhook is read from. Header names in lower case. */
export interface WebhookRequest {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

/** HMAC-SHA256 in hex and a comparison that takes the same time for all inputs; handed in by the platform. */
export interface WebhookCrypto {
  hmacSha256Hex(secret: string, body: Uint8Array): string;
  equalInConstantTime(one: string, other: string): boolean;
}

const bodyLimit = 1024 * 1024;

/**
 * Reads a push of a forge after its proof: GitHub, Gitea, Forgejo, Gogs, Bitbucket (an HMAC over the raw body), GitLab and
 * Bitbucket's older hooks (the secret itself in a header), Azure DevOps (the secret as a password), or whoever signs as
 * GitHub does. Throws `too-large`, `not-signed-in` (no or wrong proof) and `bad-input`. Undefined: a ping, nothing to do.
 */
export function readPush(request: WebhookRequest, secret: string, crypto: WebhookCrypto): PushHint | undefined {
  if (request.body.byteLength > bodyLimit) {
    throw new Fault("too-large", { message: `expected a webhook body of at most ${bodyLimit} bytes.` });
  }
  verify(request, secret, crypto);
  const { headers } = request;
  const event =
    headers["x-github-event"] ?? headers["x-gitea-event"] ?? headers["x-gogs-event"] ?? headers["x-event-key"];
  if (event === "ping" || event === "diagnostics:ping") return undefined;
  return pushHint(new TextDecoder().decode(request.body));
}

const signatures = ["x-hub-signature-256", "x-gitea-signature", "x-gogs-signature", "x-hub-signature"];

function verify({ headers, body }: WebhookRequest, secret: string, crypto: WebhookCrypto): void {
  const signature = signatures.map((name) => headers[name]).find((value) => value !== undefined);
  const proven =
    signature === undefined
      ? shownSecrets(headers).some((given) => crypto.equalInConstantTime(given, secret))
      : crypto.equalInConstantTime(signature.replace(/^sha256=/, "").toLowerCase(), crypto.hmacSha256Hex(secret, body));
  if (secret !== "" && proven) return;
  throw new Fault("not-signed-in", {
    message: "expected a webhook with the hub's webhook secret: signed with it, or with it as token or password.",
    next: "Set the same secret at the Git server and in the hub's config.",
  });
}

/** What forges that do not sign send along: a token, a hook's id, a password. */
function shownSecrets(headers: WebhookRequest["headers"]): readonly string[] {
  const basic = /^Basic\s+([A-Za-z0-9+/=]+)$/i.exec(headers["authorization"] ?? "")?.[1];
  const pair = basic === undefined ? undefined : decoded(basic);
  const uuid = headers["x-hook-uuid"]?.replace(/^\{|\}$/g, "");
  return [headers["x-gitlab-token"], uuid, pair, pair?.slice(pair.indexOf(":") + 1)].filter(
    (text): text is string => text !== undefined,
  );
}

function decoded(base64: string): string | undefined {
  try {
    return atob(base64);
  } catch {
    return undefined;
  }
}

/** The hint in a push's body. Throws `bad-input` where the body is not JSON or names no repository. */
export function pushHint(bodyText: string): PushHint {
  const body = record(parse(bodyText));
  const resource = record(body["resource"]);
  const found = [body["repository"], body["project"], resource["repository"]].flatMap((part) => urlsOf(record(part)));
  if (found.length === 0) {
    throw new Fault("bad-input", { message: "expected a push that names its repository (repository.clone_url)." });
  }
  const ref = refOf(body, resource);
  return { repositoryURLs: [...new Set(found)], ...(ref === undefined ? {} : { ref: ref.slice(0, 255) }) };
}

const urlFields = [
  ...["clone_url", "git_http_url", "http_url", "html_url", "web_url", "homepage", "url", "remoteUrl"],
  ...["ssh_url", "git_ssh_url", "sshUrl"],
];

/** Every form of its URL that a repository shows; Bitbucket lists them below `links`. */
function urlsOf(repository: Readonly<Record<string, unknown>>): readonly string[] {
  const links = record(repository["links"]);
  const clone = Array.isArray(links["clone"]) ? links["clone"] : [];
  const linked = [record(links["html"])["href"], ...clone.map((link) => record(link)["href"])];
  return [...urlFields.map((field) => repository[field]), ...linked].filter(
    (value): value is string => typeof value === "string" && /^((https?|file|ssh):\/\/|[\w.-]+@[\w.-]+:)/.test(value),
  );
}

/** The first ref of a push: GitHub and GitLab, Azure DevOps, Bitbucket Server, Bitbucket Cloud. */
function refOf(
  body: Readonly<Record<string, unknown>>,
  resource: Readonly<Record<string, unknown>>,
): string | undefined {
  const first = (list: unknown) => record(Array.isArray(list) ? list[0] : undefined);
  const cloud = record(first(record(body["push"])["changes"])["new"]);
  const branch =
    typeof cloud["name"] === "string" ? `refs/${cloud["type"] === "tag" ? "tags" : "heads"}/${cloud["name"]}` : "";
  const candidates = [
    body["ref"],
    first(resource["refUpdates"])["name"],
    record(first(body["changes"])["ref"])["id"],
    branch,
  ];
  return candidates.find((text): text is string => typeof text === "string" && text !== "");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new Fault("bad-input", { message: "expected a webhook body in JSON.", cause });
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
