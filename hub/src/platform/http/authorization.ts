import type { Credential } from "../../sources/model.ts";

/** The value of an `Authorization` header. */
export function authorization(credential: Credential): string {
  return credential.kind === "bearer"
    ? `Bearer ${credential.token}`
    : `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString("base64")}`;
}
