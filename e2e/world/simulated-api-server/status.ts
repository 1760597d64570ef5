/** A refusal as the API answers it: a Status object with an HTTP code. */
export class ApiRefusal extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: number, reason: string, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }
}

/** The Status object of a refusal. */
export function statusOf(refusal: ApiRefusal): Record<string, unknown> {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: refusal.message,
    reason: refusal.reason,
    details: refusal.details,
    code: refusal.code,
  };
}

/** 404: no such object. */
export function notFound(plural: string, name: string): ApiRefusal {
  return new ApiRefusal(404, "NotFound", `${plural} "${name}" not found`, { name, kind: plural });
}

/** 409: the object is not what the writer took it for. */
export function conflict(plural: string, name: string, why: string): ApiRefusal {
  const message = `Operation cannot be fulfilled on ${plural} "${name}": ${why}`;
  return new ApiRefusal(409, "Conflict", message, { name, kind: plural });
}

/** 400: the request itself is wrong. */
export function badRequest(message: string): ApiRefusal {
  return new ApiRefusal(400, "BadRequest", message);
}

/** 410 with reason Expired: what a list or watch from a forgotten version gets. */
export function expired(): ApiRefusal {
  return new ApiRefusal(410, "Expired", "The resourceVersion for the provided watch is too old.");
}
