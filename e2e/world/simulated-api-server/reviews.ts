import type { RequestInfo } from "./faults.ts";
import { textOf } from "./fields.ts";

/** Whether a request is allowed; a text is the reason why not. */
export type Authoriser = (request: RequestInfo) => true | string;

type Fields = Readonly<Record<string, unknown>>;

/** Prefix of the tokens that the TokenRequest subresource hands out: `sim:NAMESPACE:NAME`. */
const tokenPrefix = "sim:";

/** The token of a ServiceAccount. */
export function tokenOf(namespace: string, name: string): string {
  return `${tokenPrefix}${namespace}:${name}`;
}

/** Who a bearer token stands for: its ServiceAccount, or `admin` for any other text. */
export function userOfToken(header: string | undefined): string {
  const token = header?.replace(/^Bearer /, "") ?? "";
  return token.startsWith(tokenPrefix) ? `system:serviceaccount:${token.slice(tokenPrefix.length)}` : "admin";
}

/** Answers a review (TokenReview, Self-/SubjectAccessReview, SelfSubjectReview, TokenRequest), or undefined. */
export function answerReview(request: RequestInfo, body: unknown, authorise: Authoriser): unknown {
  const spec = ((body as Fields | undefined)?.["spec"] ?? {}) as Fields;
  // kubectl asks who it is in protobuf, which is not read; the kind is known from the path.
  const group =
    request.resource === "selfsubjectreviews"
      ? { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" }
      : {};
  const answer = (status: Fields) => ({ ...group, ...(body as Fields), metadata: { creationTimestamp: null }, status });
  switch (request.resource) {
    case "tokenreviews":
      return answer({ authenticated: true, user: { username: userOfToken(textOf(spec["token"])) } });
    case "selfsubjectreviews":
      return answer({ userInfo: { username: request.user } });
    case "selfsubjectaccessreviews":
      return answer(review(asked(spec, request.user), authorise));
    case "subjectaccessreviews":
      return answer(review(asked(spec, textOf(spec["user"])), authorise));
    case "serviceaccounts/token":
      return answer({
        token: tokenOf(request.namespace, request.name),
        expirationTimestamp: new Date(Date.now() + 3_600_000).toISOString(),
      });
    default:
      return undefined;
  }
}

function asked(spec: Fields, user: string): RequestInfo {
  const about = (spec["resourceAttributes"] ?? {}) as Fields;
  const text = (name: string) => textOf(about[name]);
  const resource = text("subresource") === "" ? text("resource") : `${text("resource")}/${text("subresource")}`;
  return {
    verb: text("verb"),
    group: text("group"),
    resource,
    namespace: text("namespace"),
    name: text("name"),
    path: "",
    user,
  };
}

function review(about: RequestInfo, authorise: Authoriser): Fields {
  const verdict = authorise(about);
  return verdict === true ? { allowed: true } : { allowed: false, reason: verdict };
}
