import type { Instant } from "@capstan/proto";
import type { ApiReply } from "./port.ts";

/** When a server that has not said so may be asked again, in ms. */
const unsaidWait = 60_000;
/** No server keeps us waiting longer, whatever it says, in ms. */
const longestWait = 3_600_000;

/**
 * Until when a server asks to be left alone; undefined: it does not. GitHub answers 403 or 429 with `Retry-After` or
 * `X-RateLimit-Reset` (seconds since 1970) beside `X-RateLimit-Remaining: 0`; GitLab 429 with `RateLimit-Reset`;
 * Bitbucket and Gitea 429, Azure DevOps 429 or 503 with `Retry-After` (seconds or a date).
 */
export function limitedUntil(reply: ApiReply, now: Instant): Instant | undefined {
  const { status, headers } = reply;
  const after = retryAfter(headers["retry-after"], now);
  const spent = headers["x-ratelimit-remaining"] === "0" || headers["ratelimit-remaining"] === "0";
  const limited = status === 429 || (status === 403 && (after !== undefined || spent)) || (status === 503 && after);
  if (limited === false || limited === undefined) return undefined;
  const reset = spent || after === undefined ? resetAt(headers) : undefined;
  const until = after ?? reset ?? now + unsaidWait;
  return Math.min(Math.max(until, now + 1000), now + longestWait);
}

function retryAfter(text: string | undefined, now: Instant): Instant | undefined {
  if (text === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return now + Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : date;
}

function resetAt(headers: ApiReply["headers"]): Instant | undefined {
  const seconds = Number(headers["x-ratelimit-reset"] ?? headers["ratelimit-reset"] ?? Number.NaN);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
}
