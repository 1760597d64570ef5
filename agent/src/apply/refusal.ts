import { Fault, type FaultCode, objectText } from "@capstan/proto";
import { isMap } from "../drift/compare.ts";
import { isSecretKind, type ObjectAddress } from "../inventory/object.ts";
import type { ServiceAccount } from "./model.ts";

/** One cause of a refusal, as the server names it: which field, and which rule it breaks. */
export interface RefusalCause {
  readonly reason: string;
  readonly field: string;
  readonly message: string;
}

/** A server's answer that was no success, kept as data beside the fault. Messages about Secrets are masked. */
export interface Refusal {
  readonly status: number;
  /** `NotFound`, `Conflict`, `Invalid`, `Forbidden` … */
  readonly reason: string;
  readonly message: string;
  readonly causes: readonly RefusalCause[];
  /** What the answer is about, where it says: the resource or kind, not always the object that was sent. */
  readonly about: { readonly kind: string; readonly name: string };
}

class RefusalCarrier extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(`${refusal.status} ${refusal.reason}`);
    this.refusal = refusal;
  }
}

/** The server's own words behind a fault, if it comes from an answer of the API server. */
export function refusalOf(fault: Fault): Refusal | undefined {
  return fault.cause instanceof RefusalCarrier ? fault.cause.refusal : undefined;
}

/** What was asked, for the fault's words. */
export interface Asked {
  readonly verb: string;
  readonly address: ObjectAddress;
  readonly as?: ServiceAccount;
}

/** Turns an answer that was no success into the one fault for it. Secret values never get into it. */
export function refusalFault(status: number, body: unknown, asked: Asked): Fault {
  const refusal = readRefusal(status, body, isSecretKind(asked.address));
  const object = objectText(asked.address);
  const known = explain(refusal, asked, object);
  return new Fault(known.code, {
    message: known.message ?? `the API server refused to ${asked.verb} ${object}: ${refusal.message}`,
    where: { object },
    ...(known.next === undefined ? {} : { next: known.next }),
    ...(known.retryable === undefined ? {} : { retryable: known.retryable }),
    cause: new RefusalCarrier(refusal),
  });
}

function readRefusal(status: number, body: unknown, secret: boolean): Refusal {
  const answer = isMap(body) ? body : {};
  const details = isMap(answer["details"]) ? answer["details"] : {};
  const invalid = status === 422 || status === 400;
  const safe = (text: string) => {
    if (!secret) return text;
    return invalid ? withoutSecrets(text) : withoutVerdict(text);
  };
  const causes = (Array.isArray(details["causes"]) ? details["causes"].filter(isMap) : []).map((cause) => ({
    reason: textOf(cause["reason"]),
    field: textOf(cause["field"]),
    message: safe(withoutValue(textOf(cause["message"]))),
  }));
  const said = textOf(answer["message"]);
  const message = invalid && causes.length > 0 ? causes.map(causeText).join("; ") : safe(said);
  return {
    status,
    reason: textOf(answer["reason"]),
    message: clip(message === "" ? `HTTP ${status}` : message),
    causes,
    about: { kind: textOf(details["kind"]), name: textOf(details["name"]) },
  };
}

function causeText(cause: RefusalCause): string {
  return cause.field === "" ? cause.message : `${cause.field}: ${cause.message}`;
}

/** `Invalid value: {…a whole object…}: field is immutable` without the object. */
function withoutValue(message: string): string {
  if (message.length <= 200 || !message.startsWith("Invalid value: ")) return message;
  return message.slice(message.lastIndexOf(": ") + 2);
}

/** What may be told of a refusal of a Secret: the one rule that people meet, and that there was one at all. */
function withoutSecrets(message: string): string {
  return message.includes("field is immutable") ? "field is immutable" : "not valid (the server's words are hidden)";
}

/** A webhook's own words about a Secret may quote it; that one denied it, and which, may be told. */
function withoutVerdict(message: string): string {
  return message.replace(/(denied (?:the )?request).*$/s, "$1 (its words are hidden)");
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function clip(text: string): string {
  return text.length <= 1000 ? text : `${text.slice(0, 1000)}…`;
}

interface Explained {
  readonly code: FaultCode;
  readonly message?: string;
  readonly next?: string;
  readonly retryable?: boolean;
}

function explain(refusal: Refusal, asked: Asked, object: string): Explained {
  switch (refusal.status) {
    case 401:
      return { code: "not-signed-in", next: "See that the agent's account and token are still valid." };
    case 403:
      return explainForbidden(refusal, asked, object);
    case 404:
      return explainMissing(refusal, asked, object);
    case 409:
      return refusal.reason === "AlreadyExists" ? { code: "already-exists" } : { code: "conflict" };
    case 410:
      return { code: "conflict", retryable: true };
    case 413:
      return { code: "too-large", next: "Split the object; the API server takes about 1.5 MB." };
    case 429:
      return { code: "cluster-unreachable", message: `the API server is too busy to ${asked.verb} ${object}.` };
    case 400:
    case 422:
      return explainInvalid(refusal);
    default:
      return explainServerError(refusal);
  }
}

function explainForbidden(refusal: Refusal, asked: Asked, object: string): Explained {
  const { message } = refusal;
  const account = asked.as === undefined ? "the agent" : `service account ${asked.as.namespace}/${asked.as.name}`;
  if (refusal.causes.some((cause) => cause.reason === "NamespaceTerminating")) {
    return { code: "conflict", retryable: true, next: "Wait until the namespace is gone; it is then made again." };
  }
  if (message.includes("cannot impersonate resource")) {
    return {
      code: "not-allowed",
      message: `the agent may not act as ${account}, which ${object} needs: ${message}`,
      next: 'Let the agent\'s account "impersonate" service accounts (see its chart), or name another account.',
    };
  }
  if (
    message.includes("attempting to grant RBAC permissions not currently held") ||
    message.includes("attempting to grant")
  ) {
    return {
      code: "not-allowed",
      message: `${object} would grant rights that ${account} does not hold itself: ${message}`,
      next: `Give ${account} those rights, or the verbs escalate and bind on roles.`,
    };
  }
  if (message.includes("exceeded quota")) {
    return { code: "cluster-refused", retryable: true, next: "Raise the ResourceQuota or ask for less." };
  }
  if (message.includes("is forbidden: User ")) {
    return {
      code: "not-allowed",
      message: `${account} may not ${asked.verb} ${object}: ${message}`,
      next: `Bind a role with that right to ${account}, or name another account for this target.`,
    };
  }
  return { code: "cluster-refused" };
}

function explainMissing(refusal: Refusal, asked: Asked, object: string): Explained {
  if (refusal.about.kind === "namespaces") {
    const namespace = refusal.about.name;
    return {
      code: "not-found",
      message: `namespace ${namespace} does not exist, and ${object} belongs in it.`,
      retryable: true,
      next: "Create it, put it into the bundle, or set the sync option CreateNamespace=true.",
    };
  }
  if (refusal.about.name === "" || refusal.reason === "") {
    const { group, version, kind } = asked.address;
    const served = group === "" ? version : `${group}/${version}`;
    return {
      code: "kind-not-served",
      message: `the API server serves no kind ${kind} in ${served}, so ${object} cannot be ${asked.verb === "read" ? "read" : "applied"}.`,
      next: "Install its CRD, or use a version that this cluster serves.",
    };
  }
  return { code: "not-found" };
}

function explainInvalid(refusal: Refusal): Explained {
  if (isImmutable(refusal)) {
    return {
      code: "cluster-refused",
      next: "The field cannot be changed on a live object: change it back, or let the object be deleted and made anew (capstan.dev/recreate: enabled).",
    };
  }
  return { code: "cluster-refused", next: "Correct the manifest." };
}

function explainServerError(refusal: Refusal): Explained {
  if (refusal.message.includes("duplicate entries for key")) {
    return { code: "cluster-refused", retryable: false, next: "Remove the duplicate list entry from the manifest." };
  }
  if (refusal.message.includes("failed calling webhook")) {
    return { code: "cluster-refused", retryable: true, next: "See why the admission webhook does not answer." };
  }
  if (refusal.status === 504 || refusal.reason === "Timeout") return { code: "timeout" };
  return { code: "cluster-unreachable" };
}

/** Whether a fault is about the cluster or the engine, so that no other object fares better: no answer came at all. */
export function endsPass(fault: Fault): boolean {
  const silent = fault.code === "cluster-unreachable" || fault.code === "not-signed-in";
  return fault.code === "internal" || (silent && (refusalOf(fault)?.status ?? 401) === 401);
}

/**
 * Whether all that the server says is that fields cannot be changed: its own causes, never a generic 422. What is wrong in
 * any other way too would not come back once it is deleted.
 */
export function isImmutable(refusal: Refusal): boolean {
  const says = (text: string) =>
    /(field is immutable|may not be (changed|unset)|may not change once set|cannot change roleRef|updates to .* forbidden|is immutable after)/i.test(
      text,
    );
  if (refusal.status !== 422) return false;
  return refusal.causes.length === 0 ? says(refusal.message) : refusal.causes.every((cause) => says(cause.message));
}

/** Whether a schema no longer knows fields that `managedFields` names at another version of the group. */
export function isSchemaGap(refusal: Refusal): boolean {
  return refusal.message.includes("field not declared in schema");
}
