import { Fault } from "@capstan/proto";

/** What an agent reads from a join token; the rest is the hub's business. */
export interface JoinToken {
  /** As it is sent to the hub. */
  readonly text: string;
  /** Lower-case hex SHA-256 over the DER of the hub's CA. */
  readonly pin: string;
}

/** Reads a join token. Throws `bad-input`; the text itself is never shown. */
export function parseJoinToken(content: string): JoinToken {
  const text = content.trim();
  const pin = text.split(".").find((part) => /^[0-9a-f]{64}$/.test(part));
  if (pin !== undefined) return { text, pin };
  throw new Fault("bad-input", {
    message: `expected a join token, found ${text === "" ? "nothing" : `${text.length} characters that are none`}.`,
    next: "Make one with `capstan cluster add ID` and pass it on unchanged.",
  });
}
