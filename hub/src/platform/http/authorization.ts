import type { Credential } from "../../sources/model.ts";

/** What can be sent in a header: keys for SSH cannot. */
export type HttpCredential = Extract<Credential, { readonly kind: "basic" | "bearer" }>;

/** The credential where it is one for HTTP. */
export function httpCredential(credential: Credential | undefined): HttpCredential | undefined {
  return credential?.kind === "basic" || credential?.kind === "bearer" ? credential : undefined;
}

/** The value of an `Authorization` header. */
export function authorization(credential: HttpCredential): string {
  return credential.kind === "bearer"
    ? `Bearer ${credential.token}`
    : `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString("base64")}`;
}
