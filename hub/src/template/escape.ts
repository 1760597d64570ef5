import { toBytes } from "./bytes.ts";

/** What of a URL is escaped. */
type Part = "path" | "query" | "fragment" | "userinfo";

const plain: Record<Part, RegExp> = {
  path: /[A-Za-z0-9\-_.~$&+/:=@!'()*,;[\]]/,
  query: /[A-Za-z0-9\-_.~]/,
  fragment: /[A-Za-z0-9\-_.~$&+,/:;=?@!()*'[\]]/,
  userinfo: /[A-Za-z0-9\-_.~$&+,;=]/,
};

/** As Go's net/url escapes a part; bytes outside its plain set become %XX. */
export function escapePart(text: string, part: Part): string {
  let escaped = "";
  for (const byte of toBytes(text)) {
    const character = String.fromCharCode(byte);
    if (byte < 0x80 && plain[part].test(character)) escaped += character;
    else if (part === "query" && byte === 0x20) escaped += "+";
    else escaped += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escaped;
}

/** Go's url.QueryEscape. */
export function queryEscape(text: string): string {
  return escapePart(text, "query");
}
