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
 * Reads a GitHub-style push (GitHub, Gitea, Forgejo, Gogs, and GitLab's shape of it) after checking its signature over
 * the raw body. Throws `too-large`, `not-signed-in` (no or wrong signature) and `bad-input`. Undefined: a ping, nothing to do.
 */
export function readPush(request: WebhookRequest, secret: string, crypto: WebhookCrypto): PushHint | undefined {
  if (request.body.byteLength > bodyLimit) {
    throw new Fault("too-large", { message: `expected a webhook body of at most ${bodyLimit} bytes.` });
  }
  verify(request, secret, crypto);
  const event =
    request.headers["x-github-event"] ?? request.headers["x-gitea-event"] ?? request.headers["x-gogs-event"];
  if (event === "ping") return undefined;
  return pushHint(new TextDecoder().decode(request.body));
}

function verify(request: WebhookRequest, secret: string, crypto: WebhookCrypto): void {
  const header = request.headers["x-hub-signature-256"] ?? request.headers["x-gitea-signature"] ?? "";
  const given = header.replace(/^sha256=/, "").toLowerCase();
  const expected = crypto.hmacSha256Hex(secret, request.body);
  if (secret === "" || !crypto.equalInConstantTime(given, expected)) {
    throw new Fault("not-signed-in", {
      message: "expected a webhook signed with the hub's webhook secret (X-Hub-Signature-256).",
      next: "Set the same secret at the Git server and in the hub's config.",
    });
  }
}

/** The hint in a push's body. Throws `bad-input` where the body is not JSON or names no repository. */
export function pushHint(bodyText: string): PushHint {
  const body = record(parse(bodyText));
  const repository = record(body["repository"] ?? body["project"]);
  const found = ["clone_url", "git_http_url", "http_url", "html_url", "web_url", "homepage", "url"]
    .map((field) => repository[field])
    .filter((value): value is string => typeof value === "string" && /^(https?|file):\/\//.test(value));
  if (found.length === 0) {
    throw new Fault("bad-input", { message: "expected a push that names its repository (repository.clone_url)." });
  }
  const ref = body["ref"];
  return { repositoryURLs: [...new Set(found)], ...(typeof ref === "string" ? { ref: ref.slice(0, 255) } : {}) };
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
