import { Fault } from "@capstan/proto";
import { connectNats, type NatsAccess } from "./connection.ts";
import { request } from "./publish.ts";

/** Gives the servers a new JWT of an account; takes effect at once, cutting users that it revokes. */
export async function pushClaims(system: NatsAccess, jwt: string, signal: AbortSignal): Promise<void> {
  const connection = await connectNats(system);
  try {
    const value = new TextEncoder().encode(jwt);
    const answer = await request(connection, { subject: "$SYS.REQ.CLAIMS.UPDATE", value }, signal);
    const error = answer["error"] as { description?: string } | undefined;
    if (error === undefined) return;
    throw new Fault("store-unavailable", {
      message: `expected NATS to take the account's new JWT, found: ${error.description ?? "a refusal"}.`,
      next: "Check that the operator's key is the one that the servers trust.",
    });
  } finally {
    await connection.close();
  }
}
