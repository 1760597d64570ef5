import { Fault } from "@capstan/proto";
import type { Reply } from "../http/exchange.ts";

/** Throws what an answer other than 200 means. `what`: what was asked for, in words. */
export function expectOk(answer: Reply, what: string, repository: string): void {
  if (answer.status === 200) return;
  const where = { repository };
  if (answer.status === 401 || answer.status === 403) {
    throw new Fault("repository-auth", {
      message: `${what}: the server wants other credentials (${answer.status}).`,
      where,
      next: "Give the hub a credential for this URL's prefix (sources.credentials), or check the one it has.",
    });
  }
  if (answer.status === 404 || answer.status === 410) {
    throw new Fault("repository-not-found", {
      message: `${what}: nothing is there (${answer.status}).`,
      where,
      next: "Check repoURL and chart; where the repository is private, give the hub a credential for it.",
    });
  }
  throw new Fault("repository-unreachable", {
    message: `${what}: the server answered ${answer.status}.`,
    where,
    next: answer.status === 429 ? "Nothing: it is tried again later." : "See whether the server is well.",
  });
}
