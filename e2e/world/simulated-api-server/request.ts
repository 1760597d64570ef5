import type { IncomingMessage } from "node:http";
import type { RequestInfo } from "./faults.ts";
import type { Kind } from "./kinds.ts";
import type { Place } from "./place.ts";
import { ApiRefusal } from "./status.ts";

/** A request path that names a resource. */
export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly plural: string;
  readonly name: string;
  readonly subresource: string;
}

/** Splits a path; undefined when it names no resource. */
export function parsePath(path: string): ResourcePath | undefined {
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  const core = parts[0] === "api";
  if (!core && parts[0] !== "apis") return undefined;
  const [group = "", version = ""] = core ? ["", parts[1]] : [parts[1], parts[2]];
  const rest = parts.slice(core ? 2 : 3);
  if (rest.length === 0) return undefined;
  const inNamespace = rest[0] === "namespaces" && rest.length > 2 && rest[2] !== "status" && rest[2] !== "finalize";
  const [plural = "", name = "", subresource = ""] = inNamespace ? rest.slice(2) : rest;
  return { group, version, namespace: inNamespace ? (rest[1] ?? "") : "", plural, name, subresource };
}

/** What faults, permissions and counters are told of a request. */
export function requestInfo(request: IncomingMessage, url: URL, path: ResourcePath | undefined): RequestInfo {
  const user = String(request.headers["impersonate-user"] ?? "admin");
  const method = request.method ?? "GET";
  if (path === undefined) {
    return { verb: method, group: "", resource: "", namespace: "", name: "", path: url.pathname, user };
  }
  const { group, namespace, name, plural, subresource } = path;
  const resource = subresource === "" ? plural : `${plural}/${subresource}`;
  return { verb: verbOf(method, name, url), group, resource, namespace, name, path: url.pathname, user };
}

function verbOf(method: string, name: string, url: URL): string {
  if (method === "POST") return "create";
  if (method === "PUT") return "update";
  if (method === "PATCH") return "patch";
  if (method === "DELETE") return name === "" ? "deletecollection" : "delete";
  const watch = url.searchParams.get("watch");
  if (watch === "true" || watch === "1") return "watch";
  return name === "" ? "list" : "get";
}

/** The place that a path names, for a kind that is served. */
export function placeOf(path: ResourcePath, kind: Kind): Place {
  return { kind, namespace: path.namespace, name: path.name, subresource: path.subresource };
}

const largestBody = 3 * 1024 * 1024;

/** The parsed body; undefined when there is none, or protobuf. YAML other than JSON is refused with 415. */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestBody) throw new ApiRefusal(413, "RequestEntityTooLarge", "limit is 3145728");
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  if (text === "" || request.headers["content-type"]?.includes("protobuf") === true) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiRefusal(415, "UnsupportedMediaType", "the simulated API server reads JSON only");
  }
}
